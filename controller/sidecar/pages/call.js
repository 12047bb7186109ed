// One connection to the room: joins, renders the call, and ends.

import { Chat } from "./chat.js";
import { Controls } from "./controls.js";
import { CallSettings } from "./call-settings.js";
import { hasMediaDevices } from "./devices.js";
import { ClosingWarning, isClosed } from "./closing.js";
import { byId, setVisible, showNote } from "./dom.js";
import { describeDeviceError } from "./errors.js";
import { LiveKit, permissions, roomPolicy } from "./livekit.js";
import { closeOpenPanel } from "./panel.js";
import { ParticipantList } from "./participant-list.js";
import { Presence } from "./presence.js";
import { attachAudio, onRoomChange } from "./room-events.js";
import { leaveFullscreen } from "./screen-modes.js";
import { session } from "./session.js";
import { t } from "./texts.js";
import { Shortcuts } from "./shortcuts.js";
import { tilesForCall } from "./tile-selection.js";
import { Tiles } from "./tiles.js";

const PAGE_ENDS = ["pagehide", "beforeunload"];

// Joins, and publishes what is selected and permitted. Calls `onEnded` with LiveKit's reason when the call is over.
// Throws where `signal` aborts the attempt; then the participant is not in the room.
export async function joinCall({ url, token }, tracks, onEnded, signal) {
  signal.throwIfAborted();
  const { mic, camera, speaker } = session.devices;
  const room = new LiveKit.Room({
    adaptiveStream: true,
    dynacast: true,
    disconnectOnPageLeave: false, // leaveWithPage
    audioCaptureDefaults: { ...(mic && { deviceId: mic }) },
    videoCaptureDefaults: { ...(camera && { deviceId: camera }) },
    audioOutput: { ...(speaker && { deviceId: speaker }) },
  });
  const callSession = new CallSession(room);
  signal.addEventListener("abort", () => room.disconnect());
  try {
    await room.connect(url, token);
    signal.throwIfAborted();
  } catch (error) {
    callSession.close();
    throw error;
  }
  const cancelLeave = leaveWithPage(room);
  room.once(LiveKit.RoomEvent.Disconnected, (reason) => {
    cancelLeave();
    callSession.close();
    onEnded(reason);
  });
  callSession.render();
  if (room.isRecording) callSession.announceRecording();
  publish(room, tracks).finally(() => callSession.render());
  return room;
}

// Leaves when the page is left. Not in a closed room: a page that is only reloaded could not come back, and LiveKit
// notices within seconds if it was left for good.
function leaveWithPage(room) {
  const leave = () => { if (!isClosed(room)) room.disconnect(); };
  for (const event of PAGE_ENDS) addEventListener(event, leave);
  return () => { for (const event of PAGE_ENDS) removeEventListener(event, leave); };
}

async function publish(room, { mic, camera }) {
  const allowed = permissions(room);
  const self = room.localParticipant;
  await Promise.all([
    publishDevice("mic", mic, () => self.setMicrophoneEnabled(true)),
    publishDevice("camera", camera, () => self.setCameraEnabled(true)),
  ]);

  async function publishDevice(device, track, enable) {
    if (!allowed[device] || !hasMediaDevices() || !session[device]) return track?.stop();
    try {
      await (track ? self.publishTrack(track) : enable());
    } catch (error) {
      track?.stop();
      showNote(describeDeviceError(device, error));
    }
  }
}

class CallSession {
  #room;
  #tiles;
  #chat;
  #participants;
  #controls;
  #settings;
  #shortcuts;
  #presence;
  #closing = new ClosingWarning();
  #cancelRender;
  #isClosed = false;

  constructor(room) {
    this.#room = room;
    this.#tiles = new Tiles(room, tilesForCall, { canEnlarge: true });
    this.#chat = new Chat(room);
    this.#participants = new ParticipantList(room);
    this.#controls = new Controls(room, this.#chat);
    this.#settings = new CallSettings(room);
    this.#shortcuts = new Shortcuts(() => closeOpenPanel() || this.#tiles.resetLarge());
    this.#presence = new Presence(room);
    this.#listen();
    byId("leave").onclick = () => {
      leaveFullscreen();
      session.save({ inside: false }); // a page that is only reloaded rejoins
      room.disconnect();
    };
    byId("sound").onclick = () => room.startAudio();
  }

  render() {
    if (this.#isClosed) return; // a device may start after the end
    const { name, allow_webinar_mode: webinar } = roomPolicy(this.#room);
    if (name) byId("room-name").textContent = name;
    const count = this.#room.remoteParticipants.size + 1;
    const people = t("call.count", { count });
    byId("people").textContent = webinar ? t("call.webinar", { count: people }) : people;
    setVisible(byId("recording"), this.#room.isRecording);
    setVisible(byId("sound"), !this.#room.canPlaybackAudio);
    this.#tiles.render();
    this.#controls.render();
    this.#participants.render();
    this.#closing.render(this.#room);
  }

  announceRecording() {
    showNote(this.#room.isRecording ? t("recording.started") : t("recording.stopped"));
  }

  close() {
    this.#isClosed = true;
    this.#cancelRender();
    this.#room.removeAllListeners();
    this.#tiles.clear();
    byId("sounds").replaceChildren();
    byId("trouble").textContent = "";
    showNote(""); // a note about the call
    for (const part of [this.#chat, this.#participants, this.#presence, this.#settings, this.#shortcuts, this.#closing]) part.close();
  }

  #listen() {
    const on = (event, handler) => this.#room.on(LiveKit.RoomEvent[event], handler);
    this.#cancelRender = onRoomChange(this.#room, () => this.render());
    attachAudio(this.#room);
    on("RecordingStatusChanged", () => this.announceRecording());
    on("SignalReconnecting", () => this.#showReconnecting());
    on("Reconnecting", () => this.#showReconnecting());
    on("Reconnected", () => { byId("trouble").textContent = ""; });
  }

  #showReconnecting() {
    byId("trouble").textContent = t("call.reconnecting");
  }
}
