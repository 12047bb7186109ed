// Every reason why a participant is not in the call. Its texts are error.CODE.title and error.CODE.text.
// `actions` are the buttons. `isEnd`: the participant was in the call, and does not rejoin by a reload. The page
// retries after `retrySeconds`; with `awaitsRoom` it only checks whether the room is open, and reloads then.

import { session } from "./session.js";
import { t } from "./texts.js";

const ERRORS = {
  ROOM_NOT_FOUND: { actions: ["again"], retrySeconds: 10, awaitsRoom: true },
  OVER: { actions: ["again"], isEnd: true, retrySeconds: 10, awaitsRoom: true },
  ROOM_CLOSED: { actions: ["again"], retrySeconds: 30 },
  STARTING: { actions: ["again"], retrySeconds: 2, awaitsRoom: true },
  UNAVAILABLE: { actions: ["again", "back"], retrySeconds: 5 },
  ROOM_NOT_READY: { actions: ["again", "back"], retrySeconds: 1 },
  ROOM_FULL: { actions: ["again", "back"], retrySeconds: 10 },
  PROOF_INVALID: { actions: ["guest"] },
  INVITE_DAMAGED: { actions: ["guest"] },
  INVITE_EXPIRED: { actions: ["guest"] },
  INVITE_OTHER_ROOM: { actions: ["guest"] },
  INVITE_REQUIRED: { actions: ["again", "back"] },
  IDENTITY_IN_USE: { actions: ["fresh", "again"], retrySeconds: 20 },
  INVITE_IN_USE: { actions: ["again", "back"], retrySeconds: 20 },
  KICKED: { actions: ["again", "back"] },
  TOO_MANY_REQUESTS: { actions: ["again", "back"], retrySeconds: 5 },
  NETWORK: { actions: ["again", "back"], retrySeconds: 5 },
  MEDIA_SERVER: { actions: ["again", "back"], retrySeconds: 10 },
  MEDIA_ADDRESS: { actions: ["again", "back"], retrySeconds: 10 },
  MEDIA_INSECURE: { actions: ["again", "back"] },
  REJOINING: { actions: ["back"] },
  REMOVED: { actions: ["join"], isEnd: true },
  ELSEWHERE: { actions: ["join"], isEnd: true },
  LEFT: { actions: ["join"], isEnd: true },
  NO_CLIENT: { actions: ["again"] },
  INTERNAL: { actions: ["again", "back"] },
};

export function describeError(code) {
  const known = code in ERRORS ? code : "INTERNAL";
  const values = { host: URL.canParse(session.livekitUrl) ? new URL(session.livekitUrl).host : "" };
  return { ...ERRORS[known], title: t(`error.${known}.title`), text: t(`error.${known}.text`, values) };
}

const DEVICE_REASONS = {
  NotAllowedError: "blocked",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
  NotReadableError: "busy",
  AbortError: "busy",
};

// Why the device, mic or camera, doesn't start, and what to do. `error` is an exception of the browser.
export function describeDeviceError(device, error) {
  const reason = DEVICE_REASONS[error?.name] ?? "unknown";
  return t(`device.${device}.${reason}`);
}
