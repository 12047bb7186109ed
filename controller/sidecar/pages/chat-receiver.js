// Receives chat messages, as text.

import { LiveKit } from "./livekit.js";

export const CHAT_TOPIC = "lk.chat"; // the text streams of LiveKit's own components
const LEGACY_TOPIC = "lk-chat-topic"; // the data packets that they used before
const MAX_MESSAGE_CHARS = 4000; // the rest of a message is not shown
const MAX_PARTICIPANT_WAIT_MS = 5000; // a message can arrive 3 s before LiveKit reports its sender
const POLL_MS = 100;
const UNKNOWN_IDENTITY = ""; // LiveKit does not say who sent a new participant's ChatMessage or a server's packet

// Returns a receiver for `onTextStream` and `onChatPacket`. It calls `onMessage(sender, text, receivedAt)` for each
// message in the order of arrival, once its sender is known. A sender that LiveKit never reports has no name.
export function inArrivalOrder(room, onMessage) {
  let previous;
  return (identity, text) => {
    const receivedAt = new Date();
    previous = Promise.allSettled([waitForParticipant(room, identity), previous]).then(([{ value: sender }]) => {
      if (!isDisconnected(room)) onMessage(sender, text.slice(0, MAX_MESSAGE_CHARS), receivedAt);
    });
  };
}

// Calls `receive(identity, text)` for each message.
export function onTextStream(room, receive) {
  room.registerTextStreamHandler(CHAT_TOPIC, async (reader, { identity }) => {
    const text = await readText(reader);
    if (text) receive(identity, text);
  });
}

// The messages of older clients. Newer clients send both forms, and mark the packet as a copy of the text stream.
export function onChatPacket(room, receive) {
  const receiveText = (identity, message) => {
    if (typeof message === "string" && message) receive(identity, message);
  };
  room.on(LiveKit.RoomEvent.ChatMessage, ({ message }, sender) => receiveText(sender?.identity ?? UNKNOWN_IDENTITY, message));
  room.on(LiveKit.RoomEvent.DataReceived, (payload, _sender, _kind, topic, _encryption, identity) => {
    const { message, ignoreLegacy } = topic === LEGACY_TOPIC ? parsePacket(payload) : {};
    if (!ignoreLegacy) receiveText(identity ?? UNKNOWN_IDENTITY, message);
  });
}

async function waitForParticipant(room, identity) {
  const since = performance.now();
  while (identity !== UNKNOWN_IDENTITY && !isDisconnected(room) && performance.now() - since < MAX_PARTICIPANT_WAIT_MS) {
    const participant = room.getParticipantByIdentity(identity);
    if (participant) return participant;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return { identity };
}

const isDisconnected = (room) => room.state === LiveKit.ConnectionState.Disconnected;

async function readText(reader) {
  let text = "";
  try {
    for await (const chunk of reader) {
      text += chunk;
      if (text.length > MAX_MESSAGE_CHARS) break;
    }
  } catch { /* the sender left: the chunks that arrived are shown */ }
  return text;
}

function parsePacket(payload) {
  try {
    return JSON.parse(new TextDecoder().decode(payload)) ?? {};
  } catch {
    return {};
  }
}
