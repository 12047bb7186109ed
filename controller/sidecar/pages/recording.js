// The recording's page: everybody's tiles beside the chat. Nothing here writes what the query holds anywhere.

import { inArrivalOrder, onChatPacket, onTextStream } from "./chat-receiver.js";
import { byId, createElement, show } from "./dom.js";
import { describeError } from "./errors.js";
import { LiveKit, roomPolicy } from "./livekit.js";
import { waitForFirstFrame } from "./recording-start.js";
import { attachAudio, onRoomChange } from "./room-events.js";
import { tilesForRecording } from "./tile-selection.js";
import { Tiles } from "./tiles.js";
import { Transcript } from "./transcript.js";

const FAULTS = {
  NO_CLIENT: describeError("NO_CLIENT"),
  NO_TOKEN: {
    title: "There is no token",
    text: "LiveKit's egress worker opens this page, with the query parameters url and token.",
  },
  NO_URL: {
    title: "There is no address of LiveKit",
    text: "The query parameter url is to begin with ws://, wss://, http:// or https://.",
  },
  REFUSED: {
    title: "LiveKit does not take this token",
    text: "It has expired, or it is of another server.",
  },
  NO_ROOM: {
    title: "There is no such room",
    text: "It is over, or it was not made yet.",
  },
  SILENT: {
    title: "LiveKit does not answer",
    text: "Look at the address in the query parameter url. A page that came by https reaches LiveKit by wss alone.",
  },
};
const SCHEMES = ["ws:", "wss:", "http:", "https:"];

class Recording {
  #room;
  #tiles;
  #callOff;
  #transcript = new Transcript(byId("messages"));

  constructor(room) {
    this.#room = room;
    this.#tiles = new Tiles(room, tilesForRecording, { least: 0, whole: true }); // nobody can scroll
    this.#callOff = onRoomChange(room, () => this.draw());
    attachAudio(room);
    const tell = inArrivalOrder(room, (sender, text, at) => this.#transcript.add(sender, text, at));
    onTextStream(room, tell);
    onChatPacket(room, tell);
  }

  draw() {
    show(byId("chat"), roomPolicy(this.#room).allow_chat !== false);
    this.#tiles.draw();
  }

  // The tiles and what was written stand until the worker has ended; pictures went with the connection.
  close() {
    this.#callOff();
    this.#room.removeAllListeners();
  }
}

function start() {
  const query = new URLSearchParams(location.search);
  const url = query.get("url"), token = query.get("token");
  const fault = !LiveKit ? "NO_CLIENT" : !token ? "NO_TOKEN" : !isAddress(url) ? "NO_URL" : "";
  if (fault) refuse(fault);
  else record(url, token);
}

async function record(url, token) {
  // as sharp as each tile can show, also where the worker's browser thinks that nobody looks
  const room = new LiveKit.Room({ adaptiveStream: { pixelDensity: 1, pauseVideoInBackground: false } });
  const recording = new Recording(room);
  const over = new AbortController();
  room.once(LiveKit.RoomEvent.Disconnected, () => {
    over.abort();
    recording.close();
  });
  try {
    await room.connect(url, token, { maxRetries: 3 });
    recording.draw();
    if (await waitForFirstFrame(room, over.signal)) console.log("START_RECORDING");
    await aborted(over.signal);
  } catch (error) {
    recording.close();
    refuse(faultOf(error));
  }
  console.log("END_RECORDING"); // before the start it calls the recording off, which would else wait for ever
}

function isAddress(url) {
  return URL.canParse(url ?? "") && SCHEMES.includes(new URL(url).protocol);
}

function faultOf(error) {
  if (error instanceof LiveKit.ConnectionError && error.status === 404) return "NO_ROOM";
  return error instanceof LiveKit.ConnectionError && error.reason === LiveKit.ConnectionErrorReason.NotAllowed ? "REFUSED" : "SILENT";
}

function refuse(fault) {
  const { title, text } = FAULTS[fault];
  const said = createElement("div", "error");
  said.append(createElement("h1", "", title), createElement("p", "", text));
  document.body.replaceChildren(said);
}

const aborted = (signal) => new Promise((done) => {
  if (signal.aborted) done();
  else signal.addEventListener("abort", done, { once: true });
});

start();
