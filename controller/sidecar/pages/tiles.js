// The people on stage, one tile each, and the screens that are shared. Drawn anew from what the room says:
// `draw` may be called at any time, and touches only what has changed.

import { byId, createElement, createUserText, icon, show } from "./dom.js";
import { displayName, LiveKit } from "./livekit.js";

const SHAPES = { wide: [16 / 9, 4 / 3], tall: [4 / 3, 1, 3 / 4] };
const LEAST = 132; // px; below it the tiles scroll
const GAP = 10;

export class Tiles {
  #room;
  #cast;
  #least;
  #whole;
  #tiles = new Map();
  #resized = new ResizeObserver(() => this.#fit());

  // `cast(room, screens)` tells who has a tile (tile-selection.js); `screens` are those who share one. No tile is narrower
  // than `least`, in px. `whole`: of somebody alone nothing is cut off, the tile takes the shape of their picture.
  constructor(room, cast, { least = LEAST, whole = false } = {}) {
    this.#room = room;
    this.#cast = cast;
    this.#least = least;
    this.#whole = whole;
    this.#resized.observe(byId("tiles"));
  }

  draw() {
    const screens = [...this.#room.remoteParticipants.values()]
      .filter((each) => videoOf(each, LiveKit.Track.Source.ScreenShare));
    const { people, more, words } = this.#cast(this.#room, screens);
    const wanted = new Set([...people.map(personKey), ...screens.map(screenKey), ...(more ? [MORE] : [])]);
    for (const [key, tile] of this.#tiles) if (!wanted.has(key)) this.#drop(key, tile);
    for (const person of people) this.#person(person);
    for (const sharer of screens) this.#screen(sharer);
    if (more) this.#more(more);
    byId("stage").dataset.screens = String(screens.length);
    byId("empty").textContent = words;
    show(byId("empty"), words !== "");
    this.#fit();
  }

  clear() {
    this.#resized.disconnect();
    for (const [key, tile] of this.#tiles) this.#drop(key, tile);
  }

  #person(participant) {
    const own = participant === this.#room.localParticipant;
    const tile = this.#tile(personKey(participant), byId("tiles"), () => {
      const made = createElement("article", own ? "tile own" : "tile");
      made.dataset.identity = participant.identity;
      made.addEventListener("resize", () => this.#fit(), true); // that of a picture within, which does not bubble
      return made;
    });
    const name = own ? `${displayName(participant)} (you)` : displayName(participant);
    const silent = !participant.isMicrophoneEnabled;
    setName(tile, name, silent);
    tile.classList.toggle("speaking", participant.isSpeaking && !silent);
    tile.querySelector(".face").textContent = initials(displayName(participant));
    setVideo(tile, videoOf(participant, LiveKit.Track.Source.Camera));
  }

  #screen(participant) {
    const tile = this.#tile(screenKey(participant), byId("screens"), () => {
      const made = createElement("article", "tile screen");
      made.dataset.screenOf = participant.identity;
      return made;
    });
    setName(tile, `${displayName(participant)}'s screen`, false);
    setVideo(tile, videoOf(participant, LiveKit.Track.Source.ScreenShare));
  }

  #more(count) {
    const tile = this.#tile(MORE, byId("tiles"), () => createElement("article", "tile more"));
    setName(tile, `${count} more`, false);
    tile.querySelector(".face").textContent = `+${count}`;
  }

  #tile(key, place, build) {
    const found = this.#tiles.get(key);
    if (found) return found;
    const tile = build();
    const who = createElement("p", "who");
    who.append(icon("mic-off"), createUserText("span", ""));
    tile.append(createElement("span", "face"), who);
    tile.querySelector(".face").setAttribute("aria-hidden", "true");
    place.append(tile);
    this.#tiles.set(key, tile);
    return tile;
  }

  #drop(key, tile) {
    setVideo(tile, undefined);
    tile.remove();
    this.#tiles.delete(key);
  }

  // The shape and size in which the tiles fill most of the stage.
  #fit() {
    const { clientWidth: width, clientHeight: height, childElementCount: count } = byId("tiles");
    const fits = this.#shapes(width, height).map((shape) => [widest(width, height, count, shape), shape]);
    const [across, shape] = fits.reduce((best, each) => (each[0] ** 2 / each[1] > best[0] ** 2 / best[1] ? each : best));
    byId("tiles").style.setProperty("--width", `${Math.floor(Math.max(this.#least, across))}px`);
    byId("tiles").style.setProperty("--shape", String(shape));
    const { scrollWidth, scrollHeight } = byId("tiles");
    byId("tiles").tabIndex = scrollHeight > height || scrollWidth > width ? 0 : -1; // so that keys can scroll it
  }

  #shapes(width, height) {
    const pictures = this.#whole ? byId("tiles").querySelectorAll(".tile:only-child video") : [];
    const whole = [...pictures].filter((each) => each.videoWidth > 0).map((each) => each.videoWidth / each.videoHeight);
    return whole.length ? whole : SHAPES[width < height ? "tall" : "wide"];
  }
}

const MORE = "more";
const personKey = (participant) => `person ${participant.identity}`;
const screenKey = (participant) => `screen ${participant.identity}`;

// The widest that `count` equal tiles can be in a box.
function widest(width, height, count, shape) {
  let best = 0;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const across = (width - GAP * (columns - 1)) / columns;
    const down = ((height - GAP * (rows - 1)) / rows) * shape;
    best = Math.max(best, Math.min(across, down));
  }
  return best;
}

function videoOf(participant, source) {
  const publication = participant.getTrackPublication(source);
  return publication && !publication.isMuted ? publication.videoTrack : undefined;
}

function setVideo(tile, track) {
  if (tile.track === track) return;
  const before = tile.querySelector("video");
  if (before) {
    tile.track?.detach(before);
    before.remove();
  }
  tile.track = track;
  tile.classList.toggle("seen", Boolean(track));
  if (!track) return;
  const video = track.attach();
  video.setAttribute("aria-hidden", "true");
  tile.prepend(video);
}

function setName(tile, name, silent) {
  const text = tile.querySelector(".who span");
  if (text.textContent !== name) text.textContent = name;
  tile.classList.toggle("silent", silent);
  tile.setAttribute("aria-label", silent ? `${name}, muted` : name);
}

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  const first = (word) => Array.from(word)[0] ?? "";
  return (first(words[0] ?? "") + (words.length > 1 ? first(words.at(-1)) : "")).toUpperCase();
}
