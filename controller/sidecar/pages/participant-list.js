// The list of participants: who is here, whose microphone is on, who speaks, and how good each connection is.

import { byId, createElement, createIcon, createUserText } from "./dom.js";
import { displayName } from "./livekit.js";
import { Panel } from "./panel.js";
import { t } from "./texts.js";

const MAX_ITEMS = 200; // a webinar may have thousands of viewers
const QUALITY_TEXTS = {
  excellent: t("quality.excellent"), good: t("quality.good"), poor: t("quality.poor"), lost: t("quality.lost"),
};

export class ParticipantList {
  #room;
  #items = new Map();
  #panel = new Panel("participants", () => {
    this.render();
    if (this.#panel.isOpen) byId("participants-scroll").focus();
  });

  constructor(room) {
    this.#room = room;
  }

  // Costs nothing while it is closed.
  render() {
    if (!this.#panel.isOpen) return;
    const all = [this.#room.localParticipant, ...this.#room.remoteParticipants.values()].sort(byMicrophone);
    const shown = all.slice(0, MAX_ITEMS);
    const identities = new Set(shown.map((each) => each.identity));
    for (const [identity, item] of this.#items) if (!identities.has(identity)) this.#remove(identity, item);
    shown.forEach((participant, index) => this.#renderItem(participant, index));
    const more = all.length - shown.length;
    byId("participants-more").textContent = more ? t("participant.more", { count: more }) : "";
  }

  close() {
    this.#panel.close();
    for (const [identity, item] of this.#items) this.#remove(identity, item);
  }

  #renderItem(participant, index) {
    const item = this.#findOrCreate(participant);
    const isOwn = participant === this.#room.localParticipant;
    const name = displayName(participant);
    setText(item.querySelector(".name"), isOwn ? t("participant.you", { name }) : name);
    const { isMicrophoneEnabled: hasMicrophone, isSpeaking, connectionQuality } = participant;
    item.dataset.microphone = !hasMicrophone ? "off" : isSpeaking ? "speaking" : "on";
    item.dataset.quality = connectionQuality;
    const microphone = { off: t("participant.mic-off"), speaking: t("participant.speaking"), on: t("participant.mic-on") };
    setText(item.querySelector(".state"), [microphone[item.dataset.microphone], QUALITY_TEXTS[connectionQuality]].filter(Boolean).join(", "));
    const list = byId("participants-list");
    if (list.children[index] !== item) list.insertBefore(item, list.children[index]);
  }

  #findOrCreate({ identity }) {
    const existing = this.#items.get(identity);
    if (existing) return existing;
    const item = createElement("li");
    item.dataset.identity = identity;
    const name = createUserText("span", "");
    name.className = "name";
    const bars = createElement("span", "bars");
    bars.append(createElement("i"), createElement("i"), createElement("i"));
    bars.setAttribute("aria-hidden", "true");
    item.append(createIcon("mic"), createIcon("mic-off"), name, createElement("span", "state visually-hidden"), bars);
    this.#items.set(identity, item);
    return item;
  }

  #remove(identity, item) {
    item.remove();
    this.#items.delete(identity);
  }
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Who can be heard comes first; else the order of joining, so that nobody moves about.
const byMicrophone = (one, other) => Number(other.isMicrophoneEnabled) - Number(one.isMicrophoneEnabled);
