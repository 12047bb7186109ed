// Why the page cannot record. For operators, in English: the egress worker logs these texts.

export const RECORDING_ERRORS = {
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
