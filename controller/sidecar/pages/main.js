// The way through the page: lobby, call, and a sentence for everything in between.

import { joinCall } from "./call.js";
import { byId, createElement, show, view } from "./dom.js";
import { ACTION_LABELS, describeError } from "./errors.js";
import { LiveKit } from "./livekit.js";
import { Lobby } from "./lobby.js";
import { session } from "./session.js";
import { isOpen, requestToken, TokenError } from "./token.js";

const pageData = document.body.dataset;
const lobby = new Lobby();
let timer = 0;
let joining = null; // calls off the way in that is under way
let ends = []; // when stays ended by themselves, lately

function start() {
  const name = pageData.name ?? "";
  byId("title").textContent = name;
  byId("room-name").textContent = name;
  show(byId("title"), name !== "");
  byId("name").value = session.name;
  if (!LiveKit) refuse("NO_CLIENT");
  else if (pageData.code) refuse(pageData.code);
  else if (session.inside) join();
  else openLobby();
}

function openLobby() {
  clearTimeout(timer);
  joining?.abort();
  setJoining(null);
  session.keep({ inside: false });
  const speaks = pageData.webinar !== "true" || session.invite !== "";
  const may = { mic: speaks && pageData.media !== "MEDIA_TYPE_VIDEO_ONLY", camera: speaks && pageData.media !== "MEDIA_TYPE_AUDIO_ONLY" };
  byId("about").textContent = !speaks ? "A webinar: you watch and listen."
    : pageData.webinar === "true" ? "A webinar, and you are invited to speak." : "";
  document.title = `Join ${pageData.name}`;
  view("lobby");
  lobby.open(may);
  if (matchMedia("(pointer: fine)").matches) byId("name").focus(); // on a phone it would bring the keyboard up
}

async function join(tracks = {}) {
  if (joining) return; // pressed twice
  clearTimeout(timer);
  setJoining(new AbortController());
  const { signal } = joining;
  try {
    await joinCall(await requestToken(), tracks, ended, signal);
    session.keep({ inside: true });
    document.title = byId("room-name").textContent;
    view("call");
  } catch (error) {
    for (const track of Object.values(tracks)) track.stop();
    if (signal.aborted) return; // back in the lobby
    refuse(...reasonOf(error));
  }
  setJoining(null);
}

function setJoining(attempt) {
  joining = attempt;
  byId("door").setAttribute("aria-busy", String(attempt !== null));
}

// [code, seconds to wait] of what went wrong on the way in.
function reasonOf(error) {
  if (error instanceof TokenError) {
    if (error.code === "ROOM_NOT_FOUND" && session.inside) return ["OVER"];
    if (error.code === "IDENTITY_IN_USE" && session.isBound) return ["INVITE_IN_USE", error.after];
    return [error.code, error.after];
  }
  if (error instanceof LiveKit.ConnectionError) return [error.status === 404 ? "ROOM_NOT_READY" : "MEDIA_SERVER"];
  return ["INTERNAL"];
}

// A stay is over. What nobody meant is tried again: the room may have been replaced, the network come back.
function ended(reason) {
  const { CLIENT_INITIATED, DUPLICATE_IDENTITY, PARTICIPANT_REMOVED } = LiveKit.DisconnectReason;
  if (reason === CLIENT_INITIATED) return refuse("LEFT");
  if (reason === DUPLICATE_IDENTITY) return refuse("ELSEWHERE");
  if (reason === PARTICIPANT_REMOVED) return refuse("REMOVED");
  const now = Date.now();
  ends = [...ends.filter((each) => now - each < 60_000), now];
  say({ title: "Getting back in", text: "The call was interrupted. You are let in again in a moment.", actions: ["back"] }, "REJOINING");
  timer = setTimeout(join, Math.min(10_000, 500 * 2 ** ends.length));
}

// Says why we are not inside, and comes again by itself where that makes sense.
function refuse(code, after = 0) {
  clearTimeout(timer);
  lobby.close();
  const { again } = describeError(code);
  if (["OVER", "ELSEWHERE", "REMOVED"].includes(code)) session.keep({ inside: false });
  say(describeError(code), code);
  if (again) timer = setTimeout(() => retry(code), 1000 * Math.max(again, Math.min(after, 60)));
}

async function retry(code) {
  if (pageData.view !== "notice" || byId("sentence").dataset.code !== code) return; // something else came between
  if (document.hidden) {
    document.addEventListener("visibilitychange", () => retry(code), { once: true });
  } else if (describeError(code).open || pageData.code) {
    if (await isOpen()) location.reload();
    else refuse(code);
  } else await join();
}

function say({ title, text, actions }, code) {
  if (pageData.view !== "notice" || byId("sentence").dataset.code !== code) {
    byId("sentence").dataset.code = code;
    byId("sentence").replaceChildren(createElement(pageData.name ? "h2" : "h1", "", title), createElement("p", "", text));
    const possible = actions.filter((action) => action !== "back" || !pageData.code);
    byId("actions").replaceChildren(...possible.map((action, place) => button(action, code, place === 0)));
  }
  document.title = title;
  const wasInside = pageData.view === "call";
  view("notice");
  if (wasInside) byId("sentence").focus(); // what had the focus is not to be seen any more
}

function button(action, code, first) {
  const made = createElement("button", first ? "main" : "quiet", ACTION_LABELS[action]);
  made.type = "button";
  made.dataset.action = action;
  made.addEventListener("click", () => DOES[action](code));
  return made;
}

const DOES = {
  again: (code) => (code === "NO_CLIENT" ? location.reload() : retry(code)),
  guest: () => { session.dropInvite(); openLobby(); },
  fresh: () => { session.renew(); join(); },
  join: () => join(),
  back: () => openLobby(),
};

// An emoji that a browser cut in half at the field's end is no text that can be sent.
const wellFormed = (text) => text.replace(/\p{Surrogate}/gu, "");

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  session.keep({ name: wellFormed(byId("name").value.trim()), ...lobby.wishes() });
  const tracks = lobby.take();
  view("joining"); // with nothing to press that would start a camera again
  join(tracks);
});

addEventListener("hashchange", () => location.reload()); // an invite, pasted over the address
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // its call has ended

start();
