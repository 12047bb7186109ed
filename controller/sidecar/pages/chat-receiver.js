// What is written in the room, as text.

import { LiveKit } from "./livekit.js";

export const CHAT_TOPIC = "lk.chat"; // the text streams that LiveKit's own components use
const OLDER = "lk-chat-topic"; // the packets that they used before
const LONGEST = 4000; // characters of a message that are shown
const PATIENCE = 5000; // milliseconds: a newcomer's words may be here 3 seconds before LiveKit tells of them
const EVERY = 100; // milliseconds

// What to give `hearStreams` and `hearPackets`: `heard(sender, text, at)` then gets each message with the time it
// came, in the order they came, once it is known who wrote it. Somebody of whom LiveKit never tells has no name.
export function inArrivalOrder(room, heard) {
  let before;
  return (identity, text) => {
    const at = new Date();
    before = Promise.allSettled([waitForParticipant(room, identity), before]).then(([{ value: sender }]) => {
      if (!isOver(room)) heard(sender, text.slice(0, LONGEST), at);
    });
  };
}

// `tell(identity, text)` of each message.
export function onTextStream(room, tell) {
  room.registerTextStreamHandler(CHAT_TOPIC, async (reader, { identity }) => {
    const text = await read(reader);
    if (text) tell(identity, text);
  });
}

// As older clients send them: newer ones send both, and mark the packet as the double that it is.
export function onChatPacket(room, tell) {
  const told = (identity, message) => {
    if (typeof message === "string" && message) tell(identity, message);
  };
  room.on(LiveKit.RoomEvent.ChatMessage, ({ message }, sender) => told(sender?.identity ?? NOBODY, message));
  room.on(LiveKit.RoomEvent.DataReceived, (payload, _sender, _kind, topic, _encryption, identity) => {
    const { message, ignoreLegacy } = topic === OLDER ? unpacked(payload) : {};
    if (!ignoreLegacy) told(identity ?? NOBODY, message);
  });
}

const NOBODY = ""; // a newcomer's ChatMessage does not tell whose it is, nor does a server's packet

async function waitForParticipant(room, identity) {
  const since = performance.now();
  while (identity !== NOBODY && !isOver(room) && performance.now() - since < PATIENCE) {
    const sender = room.getParticipantByIdentity(identity);
    if (sender) return sender;
    await new Promise((done) => setTimeout(done, EVERY));
  }
  return { identity };
}

const isOver = (room) => room.state === LiveKit.ConnectionState.Disconnected;

async function read(reader) {
  let text = "";
  try {
    for await (const piece of reader) {
      text += piece;
      if (text.length > LONGEST) break;
    }
  } catch { /* its sender went away: what came of it is shown */ }
  return text;
}

function unpacked(payload) {
  try {
    return JSON.parse(new TextDecoder().decode(payload)) ?? {};
  } catch {
    return {};
  }
}
