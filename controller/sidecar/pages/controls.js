// Mute, camera, share: each only while policy and role allow it, and its loss or gain is said.

import { byId, note, setToggle, show } from "./dom.js";
import { describeDeviceError } from "./errors.js";
import { permissions } from "./livekit.js";
import { session } from "./session.js";

const BUTTONS = {
  mic: {
    names: ["Mute the microphone", "Turn the microphone on"], icons: ["mic", "mic-off"],
    is: (me) => me.isMicrophoneEnabled, set: (me, on) => me.setMicrophoneEnabled(on),
    gained: "You may speak now.", lost: "Your microphone is off: the room no longer lets you speak.",
  },
  camera: {
    names: ["Turn the camera off", "Turn the camera on"], icons: ["camera", "camera-off"],
    is: (me) => me.isCameraEnabled, set: (me, on) => me.setCameraEnabled(on),
    gained: "You may turn your camera on now.", lost: "Your camera is off: the room no longer shows it.",
  },
  share: {
    names: ["Stop sharing the screen", "Share the screen"], icons: ["share", "share"],
    is: (me) => me.isScreenShareEnabled, set: (me, on, may) => me.setScreenShareEnabled(on, { audio: may.shareSound }),
    gained: "You may share your screen now.", lost: "Screen sharing is no longer allowed.",
  },
};
const CHAT = { gained: "Chat is on now.", lost: "Chat is off now." };

export class Controls {
  #room;
  #chat;
  #before = null;
  #working = new Set();

  constructor(room, chat) {
    this.#room = room;
    this.#chat = chat;
    for (const kind of Object.keys(BUTTONS)) byId(kind).onclick = () => this.#press(kind);
  }

  draw() {
    const may = this.#possible();
    const me = this.#room.localParticipant;
    for (const [kind, { names, icons, is }] of Object.entries(BUTTONS)) {
      show(byId(kind), may[kind]);
      setToggle(byId(kind), is(me), names, icons);
    }
    this.#chat.allow(may.chat);
    this.#say(may);
  }

  // What is allowed and what this browser can do.
  #possible() {
    const may = permissions(this.#room);
    const devices = navigator.mediaDevices;
    const use = Boolean(devices?.getUserMedia);
    return { ...may, mic: may.mic && use, camera: may.camera && use, share: may.share && Boolean(devices?.getDisplayMedia) };
  }

  #say(may) {
    const before = this.#before;
    this.#before = may;
    if (!before) return;
    const news = Object.entries({ ...BUTTONS, chat: CHAT })
      .filter(([kind]) => may[kind] !== before[kind])
      .map(([kind, { gained, lost }]) => (may[kind] ? gained : lost));
    if (news.length) note(news.join(" "));
  }

  // A second press meanwhile is none; a button that is disabled would lose the focus.
  async #press(kind) {
    if (this.#working.has(kind)) return;
    this.#working.add(kind);
    const { is, set } = BUTTONS[kind];
    const me = this.#room.localParticipant;
    const on = !is(me);
    try {
      await set(me, on, permissions(this.#room));
      if (kind in session) session.keep({ [kind]: on });
    } catch (error) {
      if (kind !== "share") note(describeDeviceError(error)); // a share that was called off is no fault
    }
    this.#working.delete(kind);
    this.draw();
  }
}
