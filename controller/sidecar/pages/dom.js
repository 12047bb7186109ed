// Helpers for elements. They set text only, never HTML.

import { removeDirectionControls } from "./user-text.js";

export const byId = (id) => document.getElementById(id);

export function createElement(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

// An element for text that participants wrote: the text decides whether it runs left to right or right to left, and
// does not reorder what is around it.
export function createUserText(tag, text) {
  const element = createElement(tag, "", removeDirectionControls(text));
  element.dir = "auto";
  return element;
}

export function createIcon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

// Renders a button that is on or off. `labels` and `icons` are [while on, while off]; a label says what a press does.
export function renderToggle(button, isOn, labels, icons) {
  button.setAttribute("aria-pressed", String(isOn));
  const label = labels[isOn ? 0 : 1];
  button.setAttribute("aria-label", label);
  button.title = label;
  button.replaceChildren(createIcon(icons[isOn ? 0 : 1]));
}

export const setVisible = (element, isVisible) => { element.hidden = !isVisible; };

export const showView = (name) => { document.body.dataset.view = name; };

const NOTE_MS = 7000;
let noteTimer = 0;

// Shows a short message for a while. Screen readers announce it.
export function showNote(text) {
  clearTimeout(noteTimer);
  byId("note").textContent = text;
  noteTimer = setTimeout(() => { byId("note").textContent = ""; }, NOTE_MS);
}
