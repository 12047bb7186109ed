// Keyboard shortcuts of the call. Each presses a button, so it does what the button does, and nothing while it is hidden.

import { byId, createElement } from "./dom.js";
import { t } from "./texts.js";

const SHORTCUTS = {
  m: { button: "mic", text: t("shortcut.mic") },
  v: { button: "camera", text: t("shortcut.camera") },
  s: { button: "share", text: t("shortcut.share") },
  c: { button: "chat-open", text: t("shortcut.chat") },
  p: { button: "participants-open", text: t("shortcut.participants") },
  f: { button: "fullscreen", text: t("shortcut.fullscreen") },
  "?": { button: "help-open", text: t("shortcut.help") },
};
const STORAGE_KEY = "roomctl/shortcuts";
const FIELDS = "input, textarea, select, [contenteditable]";

export class Shortcuts {
  // `onEscape` is called for Escape where nothing else takes it: no dialog and no panel.
  constructor(onEscape) {
    renderHelp();
    document.onkeydown = (event) => {
      if (document.querySelector("dialog[open]")) return;
      if (event.key === "Escape") onEscape();
      else if (isShortcut(event)) press(event);
    };
  }

  close() {
    document.onkeydown = null;
  }
}

function isShortcut({ key, target, repeat, ctrlKey, altKey, metaKey }) {
  return key.toLowerCase() in SHORTCUTS && !repeat && !ctrlKey && !altKey && !metaKey && !target.closest(FIELDS) && areOn();
}

function press(event) {
  const button = byId(SHORTCUTS[event.key.toLowerCase()].button);
  if (button.hidden) return;
  event.preventDefault();
  button.click();
}

function renderHelp() {
  byId("shortcuts").replaceChildren(...Object.entries(SHORTCUTS).map(([key, { text }]) => createRow(key, text)),
    createRow("Esc", t("shortcut.escape")));
  byId("shortcuts-on").checked = areOn();
  byId("shortcuts-on").onchange = () => save(byId("shortcuts-on").checked);
}

function createRow(key, text) {
  const row = createElement("tr");
  const heading = createElement("th");
  heading.scope = "row";
  heading.append(createElement("kbd", "", key.length === 1 ? key.toUpperCase() : key));
  row.append(heading, createElement("td", "", text));
  return row;
}

// People who dictate, or who press keys by mistake, can turn single keys off (WCAG 2.1.4).
function areOn() {
  try {
    return localStorage.getItem(STORAGE_KEY) !== "off";
  } catch {
    return true; // the browser may forbid storage
  }
}

function save(isOn) {
  try {
    localStorage.setItem(STORAGE_KEY, isOn ? "on" : "off");
  } catch { /* as in areOn: they stay on */ }
}
