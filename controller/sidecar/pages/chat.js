// Chat by text streams, the topic that LiveKit's own components use. Kept by nobody: it goes with the page.

import { CHAT_TOPIC, inArrivalOrder, onTextStream } from "./chat-receiver.js";
import { byId, createElement, createUserText, icon, note, show } from "./dom.js";
import { displayName } from "./livekit.js";

const MOST = 500; // messages that are kept

export class Chat {
  #room;
  #unread = 0;
  #last = {};

  constructor(room) {
    this.#room = room;
    onTextStream(room, inArrivalOrder(room, (sender, text) => this.#add(sender, text)));
    byId("chat-form").onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
    byId("chat-open").onclick = () => this.toggle(byId("chat").hidden);
    byId("chat-close").onclick = () => this.toggle(false);
    byId("chat").onkeydown = (event) => { if (event.key === "Escape") this.toggle(false); };
    this.#mark();
  }

  // Whether we may chat: without it there is none to see either.
  allow(may) {
    show(byId("chat-open"), may);
    if (!may && !byId("chat").hidden) this.toggle(false);
  }

  toggle(open) {
    show(byId("chat"), open);
    byId("chat-open").setAttribute("aria-expanded", String(open));
    if (open) {
      this.#unread = 0;
      note("");
      byId("chat-text").focus();
      byId("log").scrollTop = byId("log").scrollHeight;
    } else if (!byId("chat-open").hidden) byId("chat-open").focus();
    this.#mark();
  }

  async #send() {
    const text = byId("chat-text").value.trim();
    if (!text) return;
    try {
      await this.#room.localParticipant.sendText(text, { topic: CHAT_TOPIC });
      byId("chat-text").value = "";
      this.#add(this.#room.localParticipant, text);
    } catch {
      note("Your message did not go out. Try again.");
    }
  }

  #add(sender, text) {
    const own = sender === this.#room.localParticipant;
    const item = createElement("li", own ? "own" : "");
    const name = own ? "You" : displayName(sender);
    if (this.#last.sender !== sender.identity) item.append(createUserText("b", name));
    else item.setAttribute("aria-label", `${name}: ${text}`);
    item.append(createUserText("p", text));
    this.#last = { sender: sender.identity };
    byId("messages").append(item);
    if (byId("messages").childElementCount > MOST) byId("messages").firstElementChild.remove();
    byId("log").scrollTop = byId("log").scrollHeight;
    if (byId("chat").hidden && !own) {
      this.#unread += 1;
      note(`${name}: ${text.slice(0, 120)}`);
    }
    this.#mark();
  }

  #mark() {
    const mark = createElement("span", "", this.#unread > 99 ? "99+" : String(this.#unread));
    mark.id = "unread";
    mark.hidden = this.#unread === 0;
    byId("chat-open").replaceChildren(icon("chat"), mark);
    const name = this.#unread ? `Chat, ${this.#unread} unread` : "Chat";
    byId("chat-open").setAttribute("aria-label", name);
    byId("chat-open").title = name;
  }
}
