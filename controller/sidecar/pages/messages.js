// What is written in the room, as text: `heard(sender, text)` for each message of somebody who is inside.

import { kit } from "./kit.js";

export const TOPIC = "lk.chat"; // the text streams that LiveKit's own components use
const OLDER = "lk-chat-topic"; // the packets that they used before
const LONGEST = 4000; // characters of a message that are shown

export function hearStreams(room, heard) {
  room.registerTextStreamHandler(TOPIC, async (reader, { identity }) => {
    const text = await read(reader);
    const sender = room.getParticipantByIdentity(identity);
    if (text && sender) heard(sender, text.slice(0, LONGEST));
  });
}

// As older clients send them: newer ones send both, and mark the packet as the double that it is.
export function hearPackets(room, heard) {
  const told = (sender, message) => {
    if (sender && typeof message === "string" && message) heard(sender, message.slice(0, LONGEST));
  };
  room.on(kit.RoomEvent.ChatMessage, ({ message }, sender) => told(sender, message));
  room.on(kit.RoomEvent.DataReceived, (payload, sender, _, topic) => {
    const { message, ignoreLegacy } = topic === OLDER ? unpacked(payload) : {};
    if (!ignoreLegacy) told(sender, message);
  });
}

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
