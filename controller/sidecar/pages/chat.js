// The chat, by text streams. No message is stored anywhere: the messages are gone with the page.

import { CHAT_TOPIC, inArrivalOrder, onTextStream } from "./chat-receiver.js";
import { byId, createElement, createIcon, createUserText, setVisible, showNote } from "./dom.js";
import { displayName } from "./livekit.js";
import { Panel } from "./panel.js";
import { t } from "./texts.js";

const MAX_MESSAGES = 500;
const MAX_NOTE_CHARS = 120;

export class Chat {
  #room;
  #panel = new Panel("chat", () => this.#onPanelChange());
  #unread = 0;
  #lastIdentity;

  constructor(room) {
    this.#room = room;
    onTextStream(room, inArrivalOrder(room, (sender, text) => this.#add(sender, text)));
    byId("chat-form").onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
    this.#renderUnread();
  }

  // Shows or hides the chat: who may not write sees no messages either.
  setAllowed(isAllowed) {
    setVisible(byId("chat-open"), isAllowed);
    if (!isAllowed) this.#panel.setOpen(false);
  }

  close() {
    this.#panel.close();
  }

  #onPanelChange() {
    if (this.#panel.isOpen) {
      this.#unread = 0;
      showNote("");
      byId("chat-text").focus();
      byId("log").scrollTop = byId("log").scrollHeight;
    }
    this.#renderUnread();
  }

  async #send() {
    const text = byId("chat-text").value.trim();
    if (!text) return;
    try {
      await this.#room.localParticipant.sendText(text, { topic: CHAT_TOPIC });
      byId("chat-text").value = "";
      this.#add(this.#room.localParticipant, text);
    } catch {
      showNote(t("chat.not-sent"));
    }
  }

  #add(sender, text) {
    const isOwn = sender === this.#room.localParticipant;
    const item = createElement("li", isOwn ? "own" : "");
    const name = isOwn ? t("chat.you") : displayName(sender);
    if (this.#lastIdentity !== sender.identity) item.append(createUserText("b", name));
    else item.setAttribute("aria-label", t("chat.message", { name, text }));
    item.append(createUserText("p", text));
    this.#lastIdentity = sender.identity;
    byId("messages").append(item);
    if (byId("messages").childElementCount > MAX_MESSAGES) byId("messages").firstElementChild.remove();
    byId("log").scrollTop = byId("log").scrollHeight;
    if (!this.#panel.isOpen && !isOwn) {
      this.#unread += 1;
      showNote(t("chat.message", { name, text: text.slice(0, MAX_NOTE_CHARS) }));
    }
    this.#renderUnread();
  }

  #renderUnread() {
    const badge = createElement("span", "", this.#unread > 99 ? "99+" : String(this.#unread));
    badge.id = "unread";
    badge.hidden = this.#unread === 0;
    byId("chat-open").replaceChildren(createIcon("chat"), badge);
    const label = this.#unread ? t("chat.open-unread", { count: this.#unread }) : t("chat.title");
    byId("chat-open").setAttribute("aria-label", label);
    byId("chat-open").title = label;
  }
}
