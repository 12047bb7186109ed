// The chat as it is written: the newest at the foot, old ones scroll away. Text is only ever set as text.

import { createElement, createUserText } from "./dom.js";
import { displayName } from "./livekit.js";

const MOST = 60; // more than fits

export class Transcript {
  #list;
  #last = "";

  constructor(list) {
    this.#list = list;
  }

  add(sender, text, at) {
    const time = at.toISOString().slice(11, 16);
    const item = createElement("li");
    const head = `${sender.identity} ${time}`;
    if (head !== this.#last) item.append(heading(displayName(sender), time));
    this.#last = head;
    item.append(createUserText("p", text));
    this.#list.append(item);
    if (this.#list.childElementCount > MOST) this.#list.firstElementChild.remove();
  }
}

function heading(name, time) {
  const made = createElement("h3");
  made.append(createUserText("b", name), createElement("time", "", time));
  return made;
}
