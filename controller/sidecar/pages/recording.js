// The page that is recorded: the tiles beside the chat. It writes nothing of its query anywhere.

import { inArrivalOrder, onChatPacket, onTextStream } from "./chat-receiver.js";
import { byId, createElement, setVisible } from "./dom.js";
import { LiveKit, roomPolicy } from "./livekit.js";
import { RECORDING_ERRORS } from "./recording-errors.js";
import { waitForFirstFrame } from "./recording-start.js";
import { attachAudio, onRoomChange } from "./room-events.js";
import { tilesForRecording } from "./tile-selection.js";
import { Tiles } from "./tiles.js";
import { Transcript } from "./transcript.js";

const LIVEKIT_SCHEMES = ["ws:", "wss:", "http:", "https:"];

class Recording {
  #room;
  #tiles;
  #cancelRender;
  #transcript = new Transcript(byId("messages"));

  constructor(room) {
    this.#room = room;
    this.#tiles = new Tiles(room, tilesForRecording, { minWidth: 0, fitSingleVideo: true }); // nobody can scroll
    this.#cancelRender = onRoomChange(room, () => this.render());
    attachAudio(room);
    const receive = inArrivalOrder(room, (sender, text, receivedAt) => this.#transcript.add(sender, text, receivedAt));
    onTextStream(room, receive);
    onChatPacket(room, receive);
  }

  render() {
    setVisible(byId("chat"), roomPolicy(this.#room).allow_chat !== false);
    this.#tiles.render();
  }

  // Keeps the tiles and the chat until the worker has ended. The videos end with the connection.
  close() {
    this.#cancelRender();
    this.#room.removeAllListeners();
  }
}

function start() {
  const query = new URLSearchParams(location.search);
  const url = query.get("url"), token = query.get("token");
  const code = !LiveKit ? "CLIENT_NOT_INSTALLED" : !token ? "NO_TOKEN" : !isLiveKitUrl(url) ? "NO_URL" : "";
  if (code) showError(code);
  else record(url, token);
}

async function record(url, token) {
  // each video at the size of its tile, also where the worker's browser counts the page as hidden
  const room = new LiveKit.Room({ adaptiveStream: { pixelDensity: 1, pauseVideoInBackground: false } });
  const recording = new Recording(room);
  const end = new AbortController();
  room.once(LiveKit.RoomEvent.Disconnected, () => {
    end.abort();
    recording.close();
  });
  try {
    await room.connect(url, token, { maxRetries: 3 });
    recording.render();
    if (await waitForFirstFrame(room, end.signal)) console.log("START_RECORDING");
    await aborted(end.signal);
  } catch (error) {
    recording.close();
    showError(errorCode(error));
  }
  console.log("END_RECORDING"); // before the start it aborts the recording, which would wait for ever
}

function isLiveKitUrl(url) {
  return URL.canParse(url ?? "") && LIVEKIT_SCHEMES.includes(new URL(url).protocol);
}

function errorCode(error) {
  if (!(error instanceof LiveKit.ConnectionError)) return "NO_ANSWER";
  if (error.status === 404) return "NO_ROOM";
  return error.reason === LiveKit.ConnectionErrorReason.NotAllowed ? "TOKEN_REJECTED" : "NO_ANSWER";
}

function showError(code) {
  const { title, text } = RECORDING_ERRORS[code];
  const message = createElement("div", "error");
  message.append(createElement("h1", "", title), createElement("p", "", text));
  document.body.replaceChildren(message);
}

const aborted = (signal) => new Promise((resolve) => {
  if (signal.aborted) resolve();
  else signal.addEventListener("abort", resolve, { once: true });
});

start();
