// One stay in the room: connects, shows what the room says, until it ends.

import { at, note, show } from "./dom.js";
import { callCast } from "./cast.js";
import { Chat } from "./chat.js";
import { Controls } from "./controls.js";
import { play, redraw } from "./follow.js";
import { kit, policy, rights } from "./kit.js";
import { explainDevice } from "./sentences.js";
import { session } from "./session.js";
import { Tiles } from "./tiles.js";

// Joins, and publishes what is wanted and allowed. `ended` gets LiveKit's reason when the stay is over.
// `signal` calls the way in off: then nobody is inside, and it throws.
export async function enter({ url, token }, tracks, ended, signal) {
  signal.throwIfAborted();
  const room = new kit.Room({ adaptiveStream: true, dynacast: true });
  const stay = new Stay(room);
  signal.addEventListener("abort", () => room.disconnect());
  try {
    await room.connect(url, token);
    signal.throwIfAborted();
  } catch (error) {
    stay.close();
    throw error;
  }
  room.once(kit.RoomEvent.Disconnected, (reason) => {
    stay.close();
    ended(reason);
  });
  stay.draw();
  publish(room, tracks).finally(() => stay.draw());
  return room;
}

async function publish(room, { mic, camera }) {
  const may = rights(room);
  const me = room.localParticipant;
  const possible = Boolean(navigator.mediaDevices?.getUserMedia);
  await Promise.all([
    start(may.mic && possible && session.mic, mic, () => me.setMicrophoneEnabled(true)),
    start(may.camera && possible && session.camera, camera, () => me.setCameraEnabled(true)),
  ]);

  async function start(wanted, track, open) {
    if (!wanted) return track?.stop();
    try {
      await (track ? me.publishTrack(track) : open());
    } catch (error) {
      track?.stop();
      note(explainDevice(error));
    }
  }
}

class Stay {
  #room;
  #tiles;
  #controls;
  #callOff;
  #closed = false;

  constructor(room) {
    this.#room = room;
    this.#tiles = new Tiles(room, callCast);
    const chat = new Chat(room);
    this.#controls = new Controls(room, chat);
    this.#listen();
    at("leave").onclick = () => {
      session.keep({ inside: false }); // a page that only goes away comes back in
      room.disconnect();
    };
    at("sound").onclick = () => room.startAudio();
  }

  draw() {
    if (this.#closed) return; // what was under way ends after the stay
    const { name, allow_webinar_mode: webinar } = policy(this.#room);
    if (name) at("room-name").textContent = name;
    const people = this.#room.remoteParticipants.size + 1;
    at("people").textContent = `${people} here${webinar ? " · webinar" : ""}`;
    show(at("sound"), !this.#room.canPlaybackAudio);
    this.#tiles.draw();
    this.#controls.draw();
  }

  close() {
    this.#closed = true;
    this.#callOff();
    this.#room.removeAllListeners();
    this.#tiles.clear();
    at("sounds").replaceChildren();
    at("trouble").textContent = "";
    note(""); // it was about the stay
    at("chat").hidden = true;
  }

  #listen() {
    const on = (event, does) => this.#room.on(kit.RoomEvent[event], does);
    this.#callOff = redraw(this.#room, () => this.draw());
    play(this.#room);
    on("SignalReconnecting", () => this.#trouble());
    on("Reconnecting", () => this.#trouble());
    on("Reconnected", () => { at("trouble").textContent = ""; });
  }

  #trouble() {
    at("trouble").textContent = "The connection is lost. Trying to get it back …";
  }
}
