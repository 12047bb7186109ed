// The people on stage, one tile each, and the screens that are shared. Drawn anew from what the room says:
// `draw` may be called at any time, and touches only what has changed.

import { at, icon, make, show } from "./dom.js";
import { kit, policy, rights, shownName } from "./kit.js";

const SHAPES = { wide: [16 / 9, 4 / 3], tall: [4 / 3, 1, 3 / 4] };
const LEAST = 132; // px; below it the tiles scroll
const GAP = 10;

export class Tiles {
  #room;
  #tiles = new Map();
  #resized = new ResizeObserver(() => this.#fit());

  constructor(room) {
    this.#room = room;
    this.#resized.observe(at("tiles"));
  }

  draw() {
    const { localParticipant, remoteParticipants } = this.#room;
    const people = [localParticipant, ...remoteParticipants.values()].filter((each) => this.#isOnStage(each));
    const screens = [...remoteParticipants.values()].filter((each) => videoOf(each, kit.Track.Source.ScreenShare));
    const wanted = new Set([...people.map(personKey), ...screens.map(screenKey)]);
    for (const [key, tile] of this.#tiles) if (!wanted.has(key)) this.#drop(key, tile);
    for (const person of people) this.#person(person);
    for (const sharer of screens) this.#screen(sharer);
    at("stage").dataset.screens = String(screens.length);
    this.#sayEmpty(people.length + screens.length);
    this.#fit();
  }

  clear() {
    this.#resized.disconnect();
    for (const [key, tile] of this.#tiles) this.#drop(key, tile);
  }

  // In webinar mode the audience is counted and not shown.
  #isOnStage(participant) {
    if (!policy(this.#room).allow_webinar_mode) return true;
    if (participant === this.#room.localParticipant) return rights(this.#room).mic || rights(this.#room).camera;
    return participant.attributes.role === "speaker" || participant.trackPublications.size > 0;
  }

  #sayEmpty(shown) {
    const alone = shown <= 1 && this.#room.remoteParticipants.size === 0;
    at("empty").textContent = shown === 0 ? "Nobody is on stage yet. You will see and hear the speakers here."
      : alone ? "You are the first one here." : "";
    show(at("empty"), at("empty").textContent !== "");
  }

  #person(participant) {
    const own = participant === this.#room.localParticipant;
    const tile = this.#tile(personKey(participant), at("tiles"), () => {
      const made = make("article", own ? "tile own" : "tile");
      made.dataset.identity = participant.identity;
      return made;
    });
    const name = own ? `${shownName(participant)} (you)` : shownName(participant);
    const silent = !participant.isMicrophoneEnabled;
    setName(tile, name, silent);
    tile.classList.toggle("speaking", participant.isSpeaking && !silent);
    tile.querySelector(".face").textContent = initials(shownName(participant));
    setVideo(tile, videoOf(participant, kit.Track.Source.Camera));
  }

  #screen(participant) {
    const tile = this.#tile(screenKey(participant), at("screens"), () => {
      const made = make("article", "tile screen");
      made.dataset.screenOf = participant.identity;
      return made;
    });
    setName(tile, `${shownName(participant)}'s screen`, false);
    setVideo(tile, videoOf(participant, kit.Track.Source.ScreenShare));
  }

  #tile(key, place, build) {
    const found = this.#tiles.get(key);
    if (found) return found;
    const tile = build();
    const who = make("p", "who");
    who.append(icon("mic-off"), make("span"));
    tile.append(make("span", "face"), who);
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
    const { clientWidth: width, clientHeight: height, childElementCount: count } = at("tiles");
    const fits = SHAPES[width < height ? "tall" : "wide"].map((shape) => [widest(width, height, count, shape), shape]);
    const [across, shape] = fits.reduce((best, each) => (each[0] ** 2 / each[1] > best[0] ** 2 / best[1] ? each : best));
    at("tiles").style.setProperty("--width", `${Math.floor(Math.max(LEAST, across))}px`);
    at("tiles").style.setProperty("--shape", String(shape));
    const { scrollWidth, scrollHeight } = at("tiles");
    at("tiles").tabIndex = scrollHeight > height || scrollWidth > width ? 0 : -1; // so that keys can scroll it
  }
}

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
