// The texts for every reason why a participant is not in the call, and for device errors.
// `actions` are the buttons. The page retries after `retrySeconds`; with `awaitsRoom` it only checks whether the
// room is open, and reloads then.

const RETRIES = "This page tries again by itself.";

const ERROR_TEXTS = {
  ROOM_NOT_FOUND: {
    title: "This room is not open",
    text: `It has not started yet, or it is over; or the link is not complete. ${RETRIES}`,
    actions: ["again"], retrySeconds: 10, awaitsRoom: true,
  },
  OVER: {
    title: "The room is over",
    text: "It was closed for everybody. Should it open again, this page shows it.",
    actions: ["again"], retrySeconds: 10, awaitsRoom: true,
  },
  STARTING: {
    title: "One moment",
    text: `The service is just starting. ${RETRIES}`,
    actions: ["again"], retrySeconds: 2, awaitsRoom: true,
  },
  UNAVAILABLE: {
    title: "The service is out of reach",
    text: `Something behind this page does not answer right now. ${RETRIES}`,
    actions: ["again", "back"], retrySeconds: 5,
  },
  ROOM_NOT_READY: {
    title: "One moment",
    text: "The room is being made ready. You are let in as soon as it is.",
    actions: ["again", "back"], retrySeconds: 1,
  },
  ROOM_FULL: {
    title: "The room is full",
    text: "As many people are inside as may be. You are let in as soon as somebody leaves.",
    actions: ["again", "back"], retrySeconds: 10,
  },
  PROOF_INVALID: {
    title: "This invite is no longer good",
    text: "It has expired, was withdrawn, or is for another room. Ask for a new link, or join without it, as a guest.",
    actions: ["guest"],
  },
  IDENTITY_IN_USE: {
    title: "You seem to be inside already",
    text: "Another tab or device is in the room as you, or your connection broke a moment ago. Close the other one and wait 20 seconds, or join as somebody new.",
    actions: ["fresh", "again"], retrySeconds: 20,
  },
  INVITE_IN_USE: {
    title: "You seem to be inside already",
    text: "Your invite is for one person, who is in the room now. Close the other tab or device; you are let in when it is gone.",
    actions: ["again", "back"], retrySeconds: 20,
  },
  TOO_MANY_REQUESTS: {
    title: "There is a rush at the door",
    text: `Too many ask at the same time. ${RETRIES}`,
    actions: ["again", "back"], retrySeconds: 5,
  },
  NETWORK: {
    title: "No connection",
    text: "This page does not reach its server. Look at your network; you are let in as soon as it is back.",
    actions: ["again", "back"], retrySeconds: 5,
  },
  MEDIA_SERVER: {
    title: "The call does not answer",
    text: `The room is full at this moment, the service restarts, or your network lets no calls through. ${RETRIES} If it goes on, try another network.`,
    actions: ["again", "back"], retrySeconds: 10,
  },
  REJOINING: {
    title: "Getting back in",
    text: "The call was interrupted. You are let in again in a moment.",
    actions: ["back"],
  },
  REMOVED: {
    title: "You were removed from the room",
    text: "Somebody who looks after the room has taken you out. Ask them before you join again.",
    actions: ["join"],
  },
  ELSEWHERE: {
    title: "You have joined somewhere else",
    text: "Another tab or device has taken your place. Go on there, or come back here, and the other one ends.",
    actions: ["join"],
  },
  LEFT: {
    title: "You have left the room",
    text: "You may close this page.",
    actions: ["join"],
  },
  NO_CLIENT: {
    title: "This page is not complete",
    text: "Its operator has to put livekit-client in place: npm ci --ignore-scripts --prefix controller/sidecar/pages, and restart the controller.",
    actions: ["again"],
  },
  INTERNAL: {
    title: "Something went wrong",
    text: "The service could not let you in. Try again; if it goes on, tell the people who sent you the link.",
    actions: ["again", "back"],
  },
  // of the page that is recorded; the egress worker logs them
  NO_TOKEN: {
    title: "There is no token",
    text: "LiveKit's egress worker opens this page, with the query parameters url and token.",
  },
  NO_URL: {
    title: "There is no address of LiveKit",
    text: "The query parameter url is to begin with ws://, wss://, http:// or https://.",
  },
  TOKEN_REJECTED: {
    title: "LiveKit does not take this token",
    text: "It has expired, or it is of another server.",
  },
  NO_ROOM: {
    title: "There is no such room",
    text: "It is over, or it was not made yet.",
  },
  NO_ANSWER: {
    title: "LiveKit does not answer",
    text: "Look at the address in the query parameter url. A page that came by https reaches LiveKit by wss alone.",
  },
};

export const ACTION_LABELS = {
  again: "Try now",
  guest: "Join as a guest",
  fresh: "Join as somebody new",
  join: "Join again",
  back: "Back",
};

export const describeError = (code) => ERROR_TEXTS[code] ?? ERROR_TEXTS.INTERNAL;

const DEVICE_ERROR_TEXTS = {
  NotAllowedError: "The browser was not allowed to use your devices. You can take part without; to allow them, use the sign beside the address, then load the page again.",
  NotFoundError: "No camera or microphone was found. You can take part without, to listen and watch.",
  NotReadableError: "A camera or microphone is in use by another program. Close that, or take part without.",
  INSECURE: "This page was opened without https, so the browser keeps camera and microphone back. You can listen and watch.",
};

export const describeDeviceError = (error) =>
  DEVICE_ERROR_TEXTS[error?.name] ?? DEVICE_ERROR_TEXTS[error] ?? "Camera or microphone did not start. You can take part without.";
