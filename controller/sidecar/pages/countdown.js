// Counts down to the time at which a closed room opens.

import { byId } from "./dom.js";
import { language, t } from "./texts.js";

const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
const SHOWN_UNITS = 2;

const dateFormat = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "short" });
const listFormat = new Intl.ListFormat(language, { type: "unit" });

let timer = 0;

// `seconds` is from now: the browser's clock may be wrong.
export function startCountdown(seconds) {
  stopCountdown();
  const end = Date.now() + 1000 * seconds;
  const show = () => {
    const left = Math.max(0, Math.round((end - Date.now()) / 1000));
    byId("countdown").textContent = t("closed.countdown", { time: formatDuration(left) });
    if (left === 0) clearInterval(timer);
  };
  timer = setInterval(show, 1000);
  show();
}

export function stopCountdown() {
  clearInterval(timer);
  byId("countdown").textContent = "";
}

// When the room opens, in the time zone of the browser.
export const formatOpening = (seconds) => dateFormat.format(new Date(Date.now() + 1000 * seconds));

// The two largest units: 2 days and 3 hours, or 4 minutes and 10 seconds.
function formatDuration(seconds) {
  let rest = seconds;
  const parts = UNITS.map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return [unit, count];
  });
  const first = Math.max(0, parts.findIndex(([unit, count]) => count > 0 || unit === "second"));
  return listFormat.format(parts.slice(first, first + SHOWN_UNITS).map(([unit, count]) => formatUnit(unit, count)));
}

const formatUnit = (unit, count) => new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(count);
