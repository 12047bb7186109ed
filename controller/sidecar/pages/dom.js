// Elements by id, made, and named. Text is only ever set as text.

export const byId = (id) => document.getElementById(id);

export function createElement(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

// What people have written, from its own beginning, whichever way it runs.
export function createUserText(tag, text) {
  const element = createElement(tag, "", text);
  element.dir = "auto";
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

// A button that is on or off: `names` says what a press does, [while on, while off].
export function setToggle(button, on, names, icons) {
  button.setAttribute("aria-pressed", String(on));
  const name = names[on ? 0 : 1];
  button.setAttribute("aria-label", name);
  button.title = name;
  button.replaceChildren(icon(icons[on ? 0 : 1]));
}

export const show = (element, shown) => { element.hidden = !shown; };

export const view = (name) => { document.body.dataset.view = name; };

let hiding = 0;

// Says something in passing: seen for a while, and read out politely.
export function note(text) {
  clearTimeout(hiding);
  byId("note").textContent = text;
  hiding = setTimeout(() => { byId("note").textContent = ""; }, 7000);
}
