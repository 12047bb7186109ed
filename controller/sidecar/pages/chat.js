// Chat by text streams, the topic that LiveKit's own components use. Kept by nobody: it goes with the page.

import { at, icon, make, note, show, written } from "./dom.js";
import { shownName } from "./kit.js";
import { hearStreams, inOrder, TOPIC } from "./messages.js";

const MOST = 500; // messages that are kept

export class Chat {
  #room;
  #unread = 0;
  #last = {};

  constructor(room) {
    this.#room = room;
    hearStreams(room, inOrder(room, (sender, text) => this.#add(sender, text)));
    at("chat-form").onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
    at("chat-open").onclick = () => this.toggle(at("chat").hidden);
    at("chat-close").onclick = () => this.toggle(false);
    at("chat").onkeydown = (event) => { if (event.key === "Escape") this.toggle(false); };
    this.#mark();
  }

  // Whether we may chat: without it there is none to see either.
  allow(may) {
    show(at("chat-open"), may);
    if (!may && !at("chat").hidden) this.toggle(false);
  }

  toggle(open) {
    show(at("chat"), open);
    at("chat-open").setAttribute("aria-expanded", String(open));
    if (open) {
      this.#unread = 0;
      note("");
      at("chat-text").focus();
      at("log").scrollTop = at("log").scrollHeight;
    } else if (!at("chat-open").hidden) at("chat-open").focus();
    this.#mark();
  }

  async #send() {
    const text = at("chat-text").value.trim();
    if (!text) return;
    try {
      await this.#room.localParticipant.sendText(text, { topic: TOPIC });
      at("chat-text").value = "";
      this.#add(this.#room.localParticipant, text);
    } catch {
      note("Your message did not go out. Try again.");
    }
  }

  #add(sender, text) {
    const own = sender === this.#room.localParticipant;
    const item = make("li", own ? "own" : "");
    const name = own ? "You" : shownName(sender);
    if (this.#last.sender !== sender.identity) item.append(written("b", name));
    else item.setAttribute("aria-label", `${name}: ${text}`);
    item.append(written("p", text));
    this.#last = { sender: sender.identity };
    at("messages").append(item);
    if (at("messages").childElementCount > MOST) at("messages").firstElementChild.remove();
    at("log").scrollTop = at("log").scrollHeight;
    if (at("chat").hidden && !own) {
      this.#unread += 1;
      note(`${name}: ${text.slice(0, 120)}`);
    }
    this.#mark();
  }

  #mark() {
    const mark = make("span", "", this.#unread > 99 ? "99+" : String(this.#unread));
    mark.id = "unread";
    mark.hidden = this.#unread === 0;
    at("chat-open").replaceChildren(icon("chat"), mark);
    const name = this.#unread ? `Chat, ${this.#unread} unread` : "Chat";
    at("chat-open").setAttribute("aria-label", name);
    at("chat-open").title = name;
  }
}
