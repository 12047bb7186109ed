// The chat in a recording: the newest message is at the bottom, old ones scroll away. Sets text only, never HTML.

import { createElement, createUserText } from "./dom.js";
import { displayName } from "./livekit.js";

const MAX_MESSAGES = 60; // more than fit on the picture

export class Transcript {
  #list;
  #lastHeading = "";

  constructor(list) {
    this.#list = list;
  }

  add(sender, text, receivedAt) {
    const time = receivedAt.toISOString().slice(11, 16);
    const item = createElement("li");
    const heading = `${sender.identity} ${time}`;
    if (heading !== this.#lastHeading) item.append(createHeading(displayName(sender), time));
    this.#lastHeading = heading;
    item.append(createUserText("p", text));
    this.#list.append(item);
    if (this.#list.childElementCount > MAX_MESSAGES) this.#list.firstElementChild.remove();
  }
}

function createHeading(name, time) {
  const heading = createElement("h3");
  heading.append(createUserText("b", name), createElement("time", "", time));
  return heading;
}
