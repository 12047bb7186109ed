// The end of a room with open hours: `closes` in its metadata is for newcomers, `cut_off` for those inside.

import { byId } from "./dom.js";
import { roomPolicy } from "./livekit.js";
import { session } from "./session.js";
import { t } from "./texts.js";

const WARNING_MS = 5 * 60_000;
const MINUTE_MS = 60_000;
const MAX_TIMER_MS = 24 * 60 * MINUTE_MS; // a browser's timer overflows after 24 days

// Milliseconds until the time in the metadata; NaN if there is none.
const millisUntil = (time) => Date.parse(time) - (Date.now() + session.serverAheadMs);

// Whether newcomers are refused: then only a participant who never left can come back.
export const isClosed = (room) => millisUntil(roomPolicy(room).closes) <= 0;

export class ClosingWarning {
  #timer = 0;

  // Called again when the metadata changes.
  render(room) {
    clearTimeout(this.#timer);
    const left = millisUntil(roomPolicy(room).cut_off);
    const minutes = Math.ceil(left / MINUTE_MS);
    // after that time the room is held open
    byId("closing").textContent = left > 0 && left <= WARNING_MS ? t("call.closing", { count: minutes }) : "";
    if (!(left > 0)) return;
    const next = left > WARNING_MS ? Math.min(left - WARNING_MS, MAX_TIMER_MS) : left % MINUTE_MS + 1;
    this.#timer = setTimeout(() => this.render(room), next);
  }

  close() {
    clearTimeout(this.#timer);
    byId("closing").textContent = "";
  }
}
