// Announces to screen readers who joined and who left; several changes are one announcement.

import { byId } from "./dom.js";
import { displayName, LiveKit } from "./livekit.js";
import { language, t } from "./texts.js";
import { isShown } from "./tile-selection.js";

const BATCH_MS = 2000;
const MAX_NAMES = 3; // the others are only counted

const listFormat = new Intl.ListFormat(language);

export class Presence {
  #joined = new Map(); // by identity: who joins and leaves within a batch is not announced
  #left = new Map();
  #timer = 0;

  constructor(room) {
    const follow = (event, here, there) => room.on(event, (participant) => {
      if (!isShown(room, participant)) return;
      if (!there.delete(participant.identity)) here.set(participant.identity, displayName(participant));
      this.#timer ||= setTimeout(() => this.#announce(), BATCH_MS);
    });
    follow(LiveKit.RoomEvent.ParticipantConnected, this.#joined, this.#left);
    follow(LiveKit.RoomEvent.ParticipantDisconnected, this.#left, this.#joined);
  }

  close() {
    clearTimeout(this.#timer);
    byId("presence").textContent = "";
  }

  #announce() {
    const texts = [
      describe([...this.#joined.values()], (names, count) => t("presence.joined", { names, count })),
      describe([...this.#left.values()], (names, count) => t("presence.left", { names, count })),
    ];
    byId("presence").textContent = texts.join(" ").trim();
    this.#joined.clear();
    this.#left.clear();
    this.#timer = 0;
  }
}

function describe(names, format) {
  if (names.length === 0) return "";
  const others = names.length - MAX_NAMES;
  const listed = others > 0 ? [...names.slice(0, MAX_NAMES), t("presence.others", { count: others })] : names;
  return format(listFormat.format(listed), names.length);
}
