// The texts for every reason why a participant is not in the call, and for device errors.
// `actions` are the buttons. The page retries after `retrySeconds`; with `awaitsRoom` it only checks whether the
// room is open, and reloads then.

const ERROR_TEXTS = {
  ROOM_NOT_FOUND: {
    title: "This room isn't open",
    text: "The meeting hasn't started or has already ended, or the link is incomplete. This page checks again automatically.",
    actions: ["again"], retrySeconds: 10, awaitsRoom: true,
  },
  OVER: {
    title: "The meeting has ended",
    text: "The room was closed for everyone. If it opens again, this page updates automatically.",
    actions: ["again"], retrySeconds: 10, awaitsRoom: true,
  },
  STARTING: {
    title: "Starting…",
    text: "The service is starting. This page retries automatically.",
    actions: ["again"], retrySeconds: 2, awaitsRoom: true,
  },
  UNAVAILABLE: {
    title: "Service unavailable",
    text: "The video service isn't responding. This page retries automatically.",
    actions: ["again", "back"], retrySeconds: 5,
  },
  ROOM_NOT_READY: {
    title: "Getting the room ready…",
    text: "You'll join automatically in a few seconds.",
    actions: ["again", "back"], retrySeconds: 1,
  },
  ROOM_FULL: {
    title: "The room is full",
    text: "It has reached its participant limit. You'll join automatically when someone leaves.",
    actions: ["again", "back"], retrySeconds: 10,
  },
  PROOF_INVALID: {
    title: "This invite is no longer valid",
    text: "It has expired, was revoked, or is for a different room. Ask the organizer for a new link, or join as a guest.",
    actions: ["guest"],
  },
  IDENTITY_IN_USE: {
    title: "You're already in this room",
    text: "You're connected in another tab or on another device, or your connection dropped a moment ago. Close the other tab and wait 20 seconds, or join as a new participant.",
    actions: ["fresh", "again"], retrySeconds: 20,
  },
  INVITE_IN_USE: {
    title: "This invite is already in use",
    text: "It's for one person, who is in the room now. If that's you, close the other tab or device. You'll join automatically.",
    actions: ["again", "back"], retrySeconds: 20,
  },
  TOO_MANY_REQUESTS: {
    title: "Too many people are joining right now",
    text: "This page retries automatically in a few seconds.",
    actions: ["again", "back"], retrySeconds: 5,
  },
  NETWORK: {
    title: "No connection",
    text: "Can't reach the server. Check your internet connection. You'll join automatically when it's back.",
    actions: ["again", "back"], retrySeconds: 5,
  },
  MEDIA_SERVER: {
    title: "Couldn't connect to the call",
    text: "The room may be full, the service may be restarting, or your network may block video calls. This page retries automatically. If it keeps failing, try another network.",
    actions: ["again", "back"], retrySeconds: 10,
  },
  REJOINING: {
    title: "Reconnecting…",
    text: "Your connection was interrupted. You'll rejoin automatically.",
    actions: ["back"],
  },
  REMOVED: {
    title: "You were removed from the room",
    text: "The organizer removed you. Contact them before you rejoin.",
    actions: ["join"],
  },
  ELSEWHERE: {
    title: "You joined from another tab or device",
    text: "Continue there, or rejoin here to end the other session.",
    actions: ["join"],
  },
  LEFT: {
    title: "You left the room",
    text: "You can close this page.",
    actions: ["join"],
  },
  NO_CLIENT: {
    title: "This page isn't available yet",
    text: "The server setup isn't complete. Contact the person who sent you the link.",
    actions: ["again"],
  },
  INTERNAL: {
    title: "Something went wrong",
    text: "We couldn't connect you. Try again. If the problem continues, contact the person who sent you the link.",
    actions: ["again", "back"],
  },
  // of the page that is recorded, for operators: the egress worker logs them
  CLIENT_NOT_INSTALLED: {
    title: "livekit-client is not installed",
    text: "Run `npm ci --ignore-scripts --prefix controller/sidecar/pages`, then restart the controller.",
  },
  NO_TOKEN: {
    title: "Missing token",
    text: "The egress worker must open this page with the query parameters `url` and `token`.",
  },
  NO_URL: {
    title: "Missing LiveKit URL",
    text: "The query parameter `url` must start with ws://, wss://, http://, or https://.",
  },
  TOKEN_REJECTED: {
    title: "LiveKit rejected the token",
    text: "It has expired or was issued for another server.",
  },
  NO_ROOM: {
    title: "Room not found",
    text: "It has ended or has not been created yet.",
  },
  NO_ANSWER: {
    title: "LiveKit isn't responding",
    text: "Check the query parameter `url`. A page served over HTTPS can connect only to wss:// URLs.",
  },
};

export const ACTION_LABELS = {
  again: "Try again",
  guest: "Join as a guest",
  fresh: "Join as a new participant",
  join: "Rejoin",
  back: "Back to lobby",
};

export const describeError = (code) => ERROR_TEXTS[code] ?? ERROR_TEXTS.INTERNAL;

const DEVICE_ERROR_TEXTS = {
  NotAllowedError: "Camera and microphone access is blocked. To allow it, select the icon next to the address bar, then reload the page. You can also join without them.",
  NotFoundError: "No camera or microphone found. You can still join to watch and listen.",
  NotReadableError: "Another app is using your camera or microphone. Close it, or join without them.",
  INSECURE: "Your browser allows camera and microphone only over HTTPS. You can still join to watch and listen.",
};

export const describeDeviceError = (error) =>
  DEVICE_ERROR_TEXTS[error?.name] ?? DEVICE_ERROR_TEXTS[error] ?? "Your camera or microphone couldn't be started. You can join without them.";
