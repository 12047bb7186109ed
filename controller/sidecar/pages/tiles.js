// One tile for each participant who is shown, and one for each shared screen. `render` may be called at any time:
// it reads the room, and changes only what is different.

import { byId, createElement, createIcon, createUserText, setVisible } from "./dom.js";
import { displayName, facesUser, LiveKit } from "./livekit.js";
import { t } from "./texts.js";
import { fitTiles, listTiles, rowTiles, scrollsSideways } from "./tile-layout.js";
import { initials } from "./user-text.js";

const ASPECT_RATIOS = { landscape: [4 / 3, 16 / 9], portrait: [3 / 4, 4 / 3] }; // narrowest, widest
const MIN_WIDTH_PX = 132; // the tiles scroll rather than get narrower

export class Tiles {
  #room;
  #selectTiles;
  #minWidth;
  #fitSingleVideo;
  #canEnlarge;
  #large = null; // the key of the tile that was made large
  #tiles = new Map();
  #resizeObserver = new ResizeObserver(() => this.#layOut());

  // `selectTiles(room, sharers)` says who has a tile (tile-selection.js); `sharers` share their screen. No tile is
  // narrower than `minWidth`, in px. `fitSingleVideo`: a single tile has the aspect ratio of its video, so that
  // nothing of it is cut off. `canEnlarge`: a click makes a tile large, and another one small again.
  constructor(room, selectTiles, { minWidth = MIN_WIDTH_PX, fitSingleVideo = false, canEnlarge = false } = {}) {
    this.#room = room;
    this.#selectTiles = selectTiles;
    this.#minWidth = minWidth;
    this.#fitSingleVideo = fitSingleVideo;
    this.#canEnlarge = canEnlarge;
    this.#resizeObserver.observe(byId("tiles"), { box: "border-box" }); // the layout itself changes the padding
  }

  render() {
    const sharers = [...this.#room.remoteParticipants.values()]
      .filter((each) => videoOf(each, LiveKit.Track.Source.ScreenShare));
    const { participants, hiddenCount, placeholder } = this.#selectTiles(this.#room, sharers);
    const keys = [...participants.map(participantKey), ...sharers.map(screenKey), ...(hiddenCount ? [COUNT_KEY] : [])];
    for (const [key, tile] of this.#tiles) if (!keys.includes(key)) this.#remove(key, tile);
    for (const participant of participants) this.#renderParticipant(participant);
    for (const sharer of sharers) this.#renderScreen(sharer);
    if (hiddenCount) this.#renderHiddenCount(hiddenCount);
    this.#place(keys);
    byId("empty").textContent = placeholder;
    setVisible(byId("empty"), placeholder !== "");
    this.#layOut();
  }

  // Makes every tile small again. A shared screen is large by itself.
  resetLarge() {
    this.#setLarge(null);
  }

  clear() {
    this.#resizeObserver.disconnect();
    for (const [key, tile] of this.#tiles) this.#remove(key, tile);
  }

  #renderParticipant(participant) {
    const isOwn = participant === this.#room.localParticipant;
    const tile = this.#findOrCreate(participantKey(participant), () => {
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
    const tile = this.#findOrCreate(screenKey(participant), () => {
      const created = createElement("article", "tile screen");
      created.dataset.screenOf = participant.identity;
      return created;
    });
    setName(tile, t("participant.screen", { name: displayName(participant) }), false);
    setVideo(tile, videoOf(participant, LiveKit.Track.Source.ScreenShare));
  }

  #renderHiddenCount(count) {
    const tile = this.#findOrCreate(COUNT_KEY, () => createElement("article", "tile more"));
    setName(tile, t("participant.more", { count }), false);
    tile.querySelector(".avatar").textContent = `+${count}`;
  }

  #findOrCreate(key, create) {
    const existing = this.#tiles.get(key);
    if (existing) return existing;
    const tile = create();
    const avatar = createElement("span", "avatar");
    avatar.setAttribute("aria-hidden", "true");
    const label = createElement("p", "label");
    label.append(createIcon("mic-off"), createUserText("span", ""));
    tile.append(avatar, label);
    if (this.#canEnlarge) tile.append(this.#createEnlargeButton(key));
    this.#tiles.set(key, tile);
    return tile;
  }

  #remove(key, tile) {
    setVideo(tile, undefined);
    tile.remove();
    this.#tiles.delete(key);
    if (key === this.#large) this.#large = null;
  }

  #createEnlargeButton(key) {
    const button = createElement("button", "enlarge");
    button.type = "button";
    button.addEventListener("click", ({ detail }) => {
      if (detail !== 2) this.#setLarge(this.#large === key ? null : key); // a double click is one
    });
    return button;
  }

  #setLarge(key) {
    this.#large = key;
    this.#place([...this.#tiles.keys()]);
    this.#layOut();
  }

  // The large area has the tile that was made large, else the shared screens; all others are beside it.
  #place(keys) {
    const focused = document.activeElement;
    const isLarge = (key) => (this.#large ? key === this.#large : this.#tiles.get(key).matches(".screen"));
    arrange(byId("screens"), keys.filter(isLarge).map((key) => this.#tiles.get(key)));
    arrange(byId("tiles"), keys.filter((key) => !isLarge(key)).map((key) => this.#tiles.get(key)));
    byId("stage").dataset.large = String(keys.filter(isLarge).length);
    for (const [key, tile] of this.#tiles) tile.querySelector(".enlarge")?.setAttribute("aria-pressed", String(key === this.#large));
    if (focused?.matches(".enlarge") && focused.isConnected) focused.focus(); // a tile that is moved loses it
  }

  // Sizes the tiles so that they fill most of the space, or scroll.
  #layOut() {
    const tiles = byId("tiles");
    const box = tiles.getBoundingClientRect(); // clientWidth is rounded, often up
    const gap = parseFloat(getComputedStyle(tiles).columnGap);
    const ratios = this.#aspectRatios();
    const fitting = fitTiles(box, tiles.childElementCount, gap, ratios);
    const scrolls = fitting.width < this.#minWidth;
    const isRow = scrolls && scrollsSideways(box, this.#minWidth, gap, ratios);
    tiles.classList.toggle("row", isRow);
    tiles.classList.toggle("list", scrolls && !isRow);
    const inner = { width: tiles.clientWidth, height: tiles.clientHeight }; // without a scrollbar
    const size = !scrolls ? fitting : isRow ? rowTiles(inner, this.#minWidth, ratios) : listTiles(inner, this.#minWidth, gap, ratios);
    const inset = scrolls ? 0 : Math.floor((box.width - size.columns * (size.width + gap) + gap) / 2);
    tiles.style.setProperty("--tile-width", `${size.width}px`);
    tiles.style.setProperty("--tile-height", `${size.height}px`);
    tiles.style.setProperty("--tiles-inset", `${inset}px`); // so that no row has more tiles than `columns`
    tiles.tabIndex = scrolls ? 0 : -1; // a keyboard can scroll it
  }

  // By the orientation of the page: cameras are no less wide where the tiles are beside a shared screen.
  #aspectRatios() {
    const videos = this.#fitSingleVideo ? byId("tiles").querySelectorAll(".tile:only-child video") : [];
    const own = [...videos].find((each) => each.videoWidth > 0);
    if (own) return [own.videoWidth / own.videoHeight, own.videoWidth / own.videoHeight];
    return ASPECT_RATIOS[innerWidth < innerHeight ? "portrait" : "landscape"];
  }
}

const COUNT_KEY = "hidden count";
const participantKey = (participant) => `participant ${participant.identity}`;
const screenKey = (participant) => `screen ${participant.identity}`;

// Moves only what is elsewhere. A video that is moved keeps on playing.
function arrange(parent, tiles) {
  tiles.forEach((tile, index) => {
    if (parent.children[index] !== tile) parent.insertBefore(tile, parent.children[index] ?? null);
  });
}

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
  tile.querySelector(".enlarge")?.setAttribute("aria-label", t("tile.enlarge", { name }));
  tile.setAttribute("aria-label", isMuted ? t("participant.muted", { name }) : name);
}
