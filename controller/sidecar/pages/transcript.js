// The chat as it is written: the newest at the foot, old ones scroll away. Text is only ever set as text.

import { make, written } from "./dom.js";
import { shownName } from "./kit.js";

const MOST = 60; // more than fits

export class Transcript {
  #list;
  #last = "";

  constructor(list) {
    this.#list = list;
  }

  add(sender, text, at) {
    const time = at.toISOString().slice(11, 16);
    const item = make("li");
    const head = `${sender.identity} ${time}`;
    if (head !== this.#last) item.append(heading(shownName(sender), time));
    this.#last = head;
    item.append(written("p", text));
    this.#list.append(item);
    if (this.#list.childElementCount > MOST) this.#list.firstElementChild.remove();
  }
}

function heading(name, time) {
  const made = make("h3");
  made.append(written("b", name), make("time", "", time));
  return made;
}
