// One tile for each participant who is shown, and one for each shared screen. `render` may be called at any time:
// it reads the room, and changes only what is different.

import { byId, createElement, createIcon, createUserText, setVisible } from "./dom.js";
import { displayName, facesUser, LiveKit } from "./livekit.js";
import { t } from "./texts.js";
import { fitTiles, listTiles, rowTiles, scrollsSideways } from "./tile-layout.js";

const ASPECT_RATIOS = { landscape: [4 / 3, 16 / 9], portrait: [3 / 4, 4 / 3] }; // narrowest, widest
const MIN_WIDTH_PX = 132; // the tiles scroll rather than get narrower

export class Tiles {
  #room;
  #selectTiles;
  #minWidth;
  #fitSingleVideo;
  #tiles = new Map();
  #resizeObserver = new ResizeObserver(() => this.#layOut());

  // `selectTiles(room, sharers)` says who has a tile (tile-selection.js); `sharers` share their screen. No tile is
  // narrower than `minWidth`, in px. `fitSingleVideo`: a single tile has the aspect ratio of its video, so that
  // nothing of it is cut off.
  constructor(room, selectTiles, { minWidth = MIN_WIDTH_PX, fitSingleVideo = false } = {}) {
    this.#room = room;
    this.#selectTiles = selectTiles;
    this.#minWidth = minWidth;
    this.#fitSingleVideo = fitSingleVideo;
    this.#resizeObserver.observe(byId("tiles"), { box: "border-box" }); // the layout itself changes the padding
  }

  render() {
    const sharers = [...this.#room.remoteParticipants.values()]
      .filter((each) => videoOf(each, LiveKit.Track.Source.ScreenShare));
    const { participants, hiddenCount, placeholder } = this.#selectTiles(this.#room, sharers);
    const keys = new Set([...participants.map(participantKey), ...sharers.map(screenKey), ...(hiddenCount ? [COUNT_KEY] : [])]);
    for (const [key, tile] of this.#tiles) if (!keys.has(key)) this.#remove(key, tile);
    for (const participant of participants) this.#renderParticipant(participant);
    for (const sharer of sharers) this.#renderScreen(sharer);
    if (hiddenCount) this.#renderHiddenCount(hiddenCount);
    byId("stage").dataset.screens = String(sharers.length);
    byId("empty").textContent = placeholder;
    setVisible(byId("empty"), placeholder !== "");
    this.#layOut();
  }

  clear() {
    this.#resizeObserver.disconnect();
    for (const [key, tile] of this.#tiles) this.#remove(key, tile);
  }

  #renderParticipant(participant) {
    const isOwn = participant === this.#room.localParticipant;
    const tile = this.#findOrCreate(participantKey(participant), byId("tiles"), () => {
      const created = createElement("article", isOwn ? "tile own" : "tile");
      created.dataset.identity = participant.identity;
      created.addEventListener("resize", () => this.#layOut(), true); // the video's own event does not bubble
      return created;
    });
    const name = isOwn ? t("participant.you", { name: displayName(participant) }) : displayName(participant);
    const isMuted = !participant.isMicrophoneEnabled;
    setName(tile, name, isMuted);
    tile.classList.toggle("speaking", participant.isSpeaking && !isMuted);
    tile.querySelector(".avatar").textContent = initials(displayName(participant));
    const camera = videoOf(participant, LiveKit.Track.Source.Camera);
    setVideo(tile, camera);
    tile.classList.toggle("mirrored", isOwn && Boolean(camera) && facesUser(camera)); // as in a mirror
  }

  #renderScreen(participant) {
    const tile = this.#findOrCreate(screenKey(participant), byId("screens"), () => {
      const created = createElement("article", "tile screen");
      created.dataset.screenOf = participant.identity;
      return created;
    });
    setName(tile, t("participant.screen", { name: displayName(participant) }), false);
    setVideo(tile, videoOf(participant, LiveKit.Track.Source.ScreenShare));
  }

  #renderHiddenCount(count) {
    const tile = this.#findOrCreate(COUNT_KEY, byId("tiles"), () => createElement("article", "tile more"));
    setName(tile, t("participant.more", { count }), false);
    tile.querySelector(".avatar").textContent = `+${count}`;
  }

  #findOrCreate(key, parent, create) {
    const existing = this.#tiles.get(key);
    if (existing) return existing;
    const tile = create();
    const avatar = createElement("span", "avatar");
    avatar.setAttribute("aria-hidden", "true");
    const label = createElement("p", "label");
    label.append(createIcon("mic-off"), createUserText("span", ""));
    tile.append(avatar, label);
    parent.append(tile);
    this.#tiles.set(key, tile);
    return tile;
  }

  #remove(key, tile) {
    setVideo(tile, undefined);
    tile.remove();
    this.#tiles.delete(key);
  }

  // Sizes the tiles so that they fill most of the space, or scroll.
  #layOut() {
    const tiles = byId("tiles");
    const box = tiles.getBoundingClientRect(); // clientWidth is rounded, often up
    const gap = parseFloat(getComputedStyle(tiles).columnGap);
    const ratios = this.#aspectRatios(box);
    const fitting = fitTiles(box, tiles.childElementCount, gap, ratios);
    const scrolls = fitting.width < this.#minWidth;
    const isRow = scrolls && scrollsSideways(box, this.#minWidth, gap, ratios);
    tiles.classList.toggle("row", isRow);
    tiles.classList.toggle("list", scrolls && !isRow);
    const inner = { width: tiles.clientWidth, height: tiles.clientHeight }; // without a scrollbar
    const size = !scrolls ? fitting : isRow ? rowTiles(inner, ratios) : listTiles(inner, this.#minWidth, gap, ratios);
    const inset = scrolls ? 0 : Math.floor((box.width - size.columns * (size.width + gap) + gap) / 2);
    tiles.style.setProperty("--tile-width", `${size.width}px`);
    tiles.style.setProperty("--tile-height", `${size.height}px`);
    tiles.style.setProperty("--tiles-inset", `${inset}px`); // so that no row has more tiles than `columns`
    tiles.tabIndex = scrolls ? 0 : -1; // a keyboard can scroll it
  }

  #aspectRatios({ width, height }) {
    const videos = this.#fitSingleVideo ? byId("tiles").querySelectorAll(".tile:only-child video") : [];
    const own = [...videos].find((each) => each.videoWidth > 0);
    if (own) return [own.videoWidth / own.videoHeight, own.videoWidth / own.videoHeight];
    return ASPECT_RATIOS[width < height ? "portrait" : "landscape"];
  }
}

const COUNT_KEY = "hidden count";
const participantKey = (participant) => `participant ${participant.identity}`;
const screenKey = (participant) => `screen ${participant.identity}`;

function videoOf(participant, source) {
  const publication = participant.getTrackPublication(source);
  return publication && !publication.isMuted ? publication.videoTrack : undefined;
}

function setVideo(tile, track) {
  if (tile.track === track) return;
  const previous = tile.querySelector("video");
  if (previous) {
    tile.track?.detach(previous);
    previous.remove();
  }
  tile.track = track;
  tile.classList.toggle("has-video", Boolean(track));
  if (!track) return;
  const video = track.attach();
  video.setAttribute("aria-hidden", "true");
  tile.prepend(video);
}

function setName(tile, name, isMuted) {
  const text = tile.querySelector(".label span");
  if (text.textContent !== name) text.textContent = name;
  tile.classList.toggle("muted", isMuted);
  tile.setAttribute("aria-label", isMuted ? t("participant.muted", { name }) : name);
}

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  const initial = (word) => Array.from(word)[0] ?? "";
  return (initial(words[0] ?? "") + (words.length > 1 ? initial(words.at(-1)) : "")).toUpperCase();
}
