// A modal dialog with the buttons ID-open and ID-close. The browser closes it on Escape, and returns the focus.

import { byId } from "./dom.js";

export class Dialog {
  #element;

  // `onOpen` is called before it opens.
  constructor(id, onOpen = () => {}) {
    this.#element = byId(id);
    byId(`${id}-open`).onclick = async () => {
      await onOpen();
      if (!this.#element.open) this.#element.showModal();
    };
    byId(`${id}-close`).onclick = () => this.close();
    this.#element.onclick = ({ target }) => { if (target === this.#element) this.close(); }; // its backdrop
  }

  close() {
    this.#element.close();
  }
}
