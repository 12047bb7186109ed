// One stay in the room: connects, shows what the room says, until it ends.

import { Chat } from "./chat.js";
import { Controls } from "./controls.js";
import { byId, note, show } from "./dom.js";
import { describeDeviceError } from "./errors.js";
import { LiveKit, permissions, roomPolicy } from "./livekit.js";
import { attachAudio, onRoomChange } from "./room-events.js";
import { session } from "./session.js";
import { tilesForCall } from "./tile-selection.js";
import { Tiles } from "./tiles.js";

// Joins, and publishes what is wanted and allowed. `ended` gets LiveKit's reason when the stay is over.
// `signal` calls the way in off: then nobody is inside, and it throws.
export async function joinCall({ url, token }, tracks, ended, signal) {
  signal.throwIfAborted();
  const room = new LiveKit.Room({ adaptiveStream: true, dynacast: true });
  const stay = new CallSession(room);
  signal.addEventListener("abort", () => room.disconnect());
  try {
    await room.connect(url, token);
    signal.throwIfAborted();
  } catch (error) {
    stay.close();
    throw error;
  }
  room.once(LiveKit.RoomEvent.Disconnected, (reason) => {
    stay.close();
    ended(reason);
  });
  stay.draw();
  publish(room, tracks).finally(() => stay.draw());
  return room;
}

async function publish(room, { mic, camera }) {
  const may = permissions(room);
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
      note(describeDeviceError(error));
    }
  }
}

class CallSession {
  #room;
  #tiles;
  #controls;
  #callOff;
  #closed = false;

  constructor(room) {
    this.#room = room;
    this.#tiles = new Tiles(room, tilesForCall);
    const chat = new Chat(room);
    this.#controls = new Controls(room, chat);
    this.#listen();
    byId("leave").onclick = () => {
      session.keep({ inside: false }); // a page that only goes away comes back in
      room.disconnect();
    };
    byId("sound").onclick = () => room.startAudio();
  }

  draw() {
    if (this.#closed) return; // what was under way ends after the stay
    const { name, allow_webinar_mode: webinar } = roomPolicy(this.#room);
    if (name) byId("room-name").textContent = name;
    const people = this.#room.remoteParticipants.size + 1;
    byId("people").textContent = `${people} here${webinar ? " · webinar" : ""}`;
    show(byId("sound"), !this.#room.canPlaybackAudio);
    this.#tiles.draw();
    this.#controls.draw();
  }

  close() {
    this.#closed = true;
    this.#callOff();
    this.#room.removeAllListeners();
    this.#tiles.clear();
    byId("sounds").replaceChildren();
    byId("trouble").textContent = "";
    note(""); // it was about the stay
    byId("chat").hidden = true;
  }

  #listen() {
    const on = (event, does) => this.#room.on(LiveKit.RoomEvent[event], does);
    this.#callOff = onRoomChange(this.#room, () => this.draw());
    attachAudio(this.#room);
    on("SignalReconnecting", () => this.#trouble());
    on("Reconnecting", () => this.#trouble());
    on("Reconnected", () => { byId("trouble").textContent = ""; });
  }

  #trouble() {
    byId("trouble").textContent = "The connection is lost. Trying to get it back …";
  }
}
