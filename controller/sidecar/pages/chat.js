// The chat, by text streams. No message is stored anywhere: the messages are gone with the page.

import { CHAT_TOPIC, inArrivalOrder, onTextStream } from "./chat-receiver.js";
import { byId, createElement, createIcon, createUserText, setVisible, showNote } from "./dom.js";
import { displayName } from "./livekit.js";
import { setUnreadInTitle } from "./page-title.js";
import { Panel } from "./panel.js";
import { language, t } from "./texts.js";
import { createLinkedText, removeDirectionControls } from "./user-text.js";

const MAX_MESSAGES = 500;
const MAX_NOTE_CHARS = 120;
const MAX_ROWS = 5; // of the field
const END_PX = 40; // so near to its end the log counts as read to the end

const timeFormat = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });

export class Chat {
  #room;
  #panel = new Panel("chat", () => this.#onPanelChange());
  #unread = 0;
  #lastGroup; // the sender and the minute of the last message

  constructor(room) {
    this.#room = room;
    onTextStream(room, inArrivalOrder(room, (sender, text, receivedAt) => this.#receive(sender, text, receivedAt)));
    this.#listen();
    this.#renderUnread();
  }

  // Shows or hides the chat: who may not write sees no messages either.
  setAllowed(isAllowed) {
    setVisible(byId("chat-open"), isAllowed);
    if (!isAllowed) this.#panel.setOpen(false);
  }

  close() {
    this.#panel.close();
    setUnreadInTitle(0);
    document.onvisibilitychange = null;
  }

  #listen() {
    byId("chat-form").onsubmit = (event) => {
      event.preventDefault();
      this.#send();
    };
    byId("chat-text").onkeydown = (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return; // an input method ends a word by Enter
      event.preventDefault();
      byId("chat-form").requestSubmit();
    };
    byId("chat-text").oninput = fitField;
    byId("chat-new").onclick = () => {
      scrollToEnd();
      byId("chat-text").focus(); // the button with the focus is hidden now
    };
    byId("log").onscroll = () => this.#markRead();
    document.onvisibilitychange = () => this.#markRead();
  }

  #onPanelChange() {
    if (this.#panel.isOpen) {
      showNote("");
      byId("chat-text").focus();
      scrollToEnd();
    }
    this.#markRead();
  }

  #send() {
    const text = removeDirectionControls(byId("chat-text").value).trim();
    if (!text) return;
    byId("chat-text").value = "";
    fitField();
    const item = this.#append(this.#room.localParticipant, text, new Date());
    scrollToEnd();
    this.#deliver(item, text);
  }

  async #deliver(item, text) {
    try {
      await this.#room.localParticipant.sendText(text, { topic: CHAT_TOPIC });
    } catch {
      item.append(createFailure(() => this.#deliver(item, text)));
      if (isAtEnd()) scrollToEnd();
    }
  }

  #receive(sender, written, receivedAt) {
    const text = removeDirectionControls(written);
    const wasAtEnd = isAtEnd();
    if (!isReading()) this.#unread += 1;
    this.#append(sender, text, receivedAt);
    if (wasAtEnd) scrollToEnd(); // else somebody reads what came before
    if (byId("chat").hidden) showNote(t("chat.message", { name: displayName(sender), text: text.slice(0, MAX_NOTE_CHARS) }));
    this.#renderUnread();
  }

  #append(sender, text, at) {
    const isOwn = sender === this.#room.localParticipant;
    const item = createElement("li", isOwn ? "own" : "");
    const heading = createHeading(isOwn ? t("chat.you") : displayName(sender), at);
    const body = createUserText("p", "");
    body.append(...createLinkedText(text));
    item.append(heading, body);
    const group = `${sender.identity} ${heading.lastChild.textContent}`;
    item.classList.toggle("continued", group === this.#lastGroup);
    this.#lastGroup = group;
    byId("messages").append(item);
    if (byId("messages").childElementCount > MAX_MESSAGES) removeOldest();
    return item;
  }

  #markRead() {
    if (isReading()) this.#unread = 0;
    this.#renderUnread();
  }

  #renderUnread() {
    const count = this.#unread;
    const badge = createElement("span", "", count > 99 ? "99+" : String(count));
    badge.id = "unread";
    badge.hidden = count === 0;
    byId("chat-open").replaceChildren(createIcon("chat"), badge);
    const label = count ? t("chat.open-unread", { count }) : t("chat.title");
    byId("chat-open").setAttribute("aria-label", label);
    byId("chat-open").title = label;
    setVisible(byId("chat-new"), count > 0 && !isAtEnd());
    byId("chat-new").textContent = t("chat.new", { count });
    setUnreadInTitle(count);
  }
}

function isAtEnd() {
  const { scrollHeight, scrollTop, clientHeight } = byId("log");
  return scrollHeight - scrollTop - clientHeight < END_PX;
}

const isReading = () => !byId("chat").hidden && !document.hidden && isAtEnd();

const scrollToEnd = () => { byId("log").scrollTop = byId("log").scrollHeight; };

const fitField = () => { byId("chat-text").rows = Math.min(MAX_ROWS, byId("chat-text").value.split("\n").length); };

// Every message has its heading; it is shown at the first of several. A screen reader reads it at each.
function createHeading(name, at) {
  const heading = createElement("h3");
  const time = createElement("time", "", timeFormat.format(at));
  time.dateTime = at.toISOString();
  heading.append(createUserText("b", name), time);
  return heading;
}

function removeOldest() {
  byId("messages").firstElementChild.remove();
  byId("messages").firstElementChild.classList.remove("continued");
}

// Says that the message before it was not sent, and offers to send it again.
function createFailure(sendAgain) {
  const failure = createElement("div", "not-sent");
  failure.setAttribute("role", "alert");
  const button = createElement("button", "secondary", t("chat.send-again"));
  button.type = "button";
  button.onclick = () => {
    failure.remove();
    byId("chat-text").focus(); // the button had the focus
    sendAgain();
  };
  failure.append(createElement("span", "", t("chat.not-sent")), button);
  return failure;
}
