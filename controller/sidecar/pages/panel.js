// A panel beside the tiles, on a phone over them: the chat, or the list of participants. One is open at a time.

import { byId, setVisible } from "./dom.js";

let openPanel = null;

// Returns whether one was open.
export function closeOpenPanel() {
  const isAnyOpen = openPanel !== null;
  openPanel?.setOpen(false);
  return isAnyOpen;
}

export class Panel {
  #id;
  #onChange;

  // `id` is the panel's; its buttons are ID-open and ID-close. `onChange` is called when it was opened or closed.
  constructor(id, onChange) {
    this.#id = id;
    this.#onChange = onChange;
    byId(`${id}-open`).onclick = () => this.setOpen(!this.isOpen);
    byId(`${id}-close`).onclick = () => this.setOpen(false);
    byId(id).onkeydown = (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation(); // it closes the panel, and nothing else
      this.setOpen(false);
    };
  }

  get isOpen() {
    return openPanel === this;
  }

  setOpen(isOpen) {
    if (isOpen === this.isOpen) return;
    if (isOpen) openPanel?.close();
    this.#render(isOpen);
    const opener = byId(`${this.#id}-open`);
    if (!isOpen && !opener.hidden) opener.focus();
  }

  // Closes it where the focus goes elsewhere.
  close() {
    if (this.isOpen) this.#render(false);
  }

  #render(isOpen) {
    openPanel = isOpen ? this : null;
    setVisible(byId(this.#id), isOpen);
    byId(`${this.#id}-open`).setAttribute("aria-expanded", String(isOpen));
    this.#onChange();
  }
}
