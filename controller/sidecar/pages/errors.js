// A plain sentence for every way of not being inside, and what to do about it.
// `again`: tries by itself, after so many seconds. `open`: what it waits for is that the room opens.

const WAITS = "This page tries again by itself.";

const ERROR_TEXTS = {
  ROOM_NOT_FOUND: {
    title: "This room is not open",
    text: `It has not started yet, or it is over; or the link is not complete. ${WAITS}`,
    actions: ["again"], again: 10, open: true,
  },
  OVER: {
    title: "The room is over",
    text: "It was closed for everybody. Should it open again, this page shows it.",
    actions: ["again"], again: 10, open: true,
  },
  STARTING: {
    title: "One moment",
    text: `The service is just starting. ${WAITS}`,
    actions: ["again"], again: 2, open: true,
  },
  UNAVAILABLE: {
    title: "The service is out of reach",
    text: `Something behind this page does not answer right now. ${WAITS}`,
    actions: ["again", "back"], again: 5,
  },
  ROOM_NOT_READY: {
    title: "One moment",
    text: "The room is being made ready. You are let in as soon as it is.",
    actions: ["again", "back"], again: 1,
  },
  ROOM_FULL: {
    title: "The room is full",
    text: "As many people are inside as may be. You are let in as soon as somebody leaves.",
    actions: ["again", "back"], again: 10,
  },
  PROOF_INVALID: {
    title: "This invite is no longer good",
    text: "It has expired, was withdrawn, or is for another room. Ask for a new link, or join without it, as a guest.",
    actions: ["guest"],
  },
  IDENTITY_IN_USE: {
    title: "You seem to be inside already",
    text: "Another tab or device is in the room as you, or your connection broke a moment ago. Close the other one and wait 20 seconds, or join as somebody new.",
    actions: ["fresh", "again"], again: 20,
  },
  INVITE_IN_USE: {
    title: "You seem to be inside already",
    text: "Your invite is for one person, who is in the room now. Close the other tab or device; you are let in when it is gone.",
    actions: ["again", "back"], again: 20,
  },
  TOO_MANY_REQUESTS: {
    title: "There is a rush at the door",
    text: `Too many ask at the same time. ${WAITS}`,
    actions: ["again", "back"], again: 5,
  },
  NETWORK: {
    title: "No connection",
    text: "This page does not reach its server. Look at your network; you are let in as soon as it is back.",
    actions: ["again", "back"], again: 5,
  },
  MEDIA_SERVER: {
    title: "The call does not answer",
    text: `The room is full at this moment, the service restarts, or your network lets no calls through. ${WAITS} If it goes on, try another network.`,
    actions: ["again", "back"], again: 10,
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
};

export const ACTION_LABELS = {
  again: "Try now",
  guest: "Join as a guest",
  fresh: "Join as somebody new",
  join: "Join again",
  back: "Back",
};

export const describeError = (code) => ERROR_TEXTS[code] ?? ERROR_TEXTS.INTERNAL;

const DEVICES = {
  NotAllowedError: "The browser was not allowed to use your devices. You can take part without; to allow them, use the sign beside the address, then load the page again.",
  NotFoundError: "No camera or microphone was found. You can take part without, to listen and watch.",
  NotReadableError: "A camera or microphone is in use by another program. Close that, or take part without.",
  INSECURE: "This page was opened without https, so the browser keeps camera and microphone back. You can listen and watch.",
};

export const describeDeviceError = (error) =>
  DEVICES[error?.name] ?? DEVICES[error] ?? "Camera or microphone did not start. You can take part without.";
