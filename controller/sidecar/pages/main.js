// The views of the join page: lobby, call, and a notice for everything in between.

import { joinCall } from "./call.js";
import { formatOpening, startCountdown, stopCountdown } from "./countdown.js";
import { byId, createElement, setVisible, showView } from "./dom.js";
import { tellParent } from "./embed.js";
import { describeError } from "./errors.js";
import { inviteError } from "./invite.js";
import { LiveKit } from "./livekit.js";
import { Lobby } from "./lobby.js";
import { isLiveKit } from "./media-server.js";
import { setPageTitle } from "./page-title.js";
import { roomId, session } from "./session.js";
import { t } from "./texts.js";
import { askRoom, requestToken, TokenError } from "./token.js";
import { removeDirectionControls } from "./user-text.js";

const NOT_FOUND = 404;
const MAX_RETRY_SECONDS = 60;
const MAX_SPREAD_SECONDS = 2;
const MAX_REJOIN_DELAY_MS = 10_000;
const DISCONNECT_WINDOW_MS = 60_000; // disconnects within it make the next rejoin wait longer

const pageData = document.body.dataset;
const lobby = new Lobby();
let timer = 0;
let joinAttempt = null; // the AbortController of the attempt that is under way
let disconnectTimes = []; // of calls that ended unexpectedly

function start() {
  const name = pageData.name ?? "";
  byId("title").textContent = name;
  byId("room-name").textContent = name;
  setVisible(byId("title"), name !== "");
  byId("name").value = session.name || nameInQuery();
  tellParent("ready");
  enter();
}

function enter() {
  const code = startError();
  if (code) showError(code, Number(pageData.opensIn) || 0);
  else if (session.inside) join();
  else openLobby();
}

// Why nobody can join from this page, as far as that is known before.
function startError() {
  if (!LiveKit) return "NO_CLIENT";
  if (pageData.code === "ROOM_CLOSED" && session.inside) return undefined; // who is inside may stay for the overrun
  if (pageData.code || !session.invite || session.inside) return pageData.code;
  return inviteError(session.invite, roomId, Number(pageData.now)); // the server's clock: the browser's may be wrong
}

function nameInQuery() {
  const name = new URLSearchParams(location.search).get("name") ?? "";
  return removeDirectionControls(name).trim().slice(0, byId("name").maxLength);
}

function openLobby() {
  clearTimeout(timer);
  stopCountdown();
  joinAttempt?.abort();
  setJoinAttempt(null);
  session.save({ inside: false });
  const isWebinar = pageData.webinar === "true";
  const maySpeak = !isWebinar || session.invite !== "";
  byId("about").textContent = !maySpeak ? t("lobby.viewer")
    : isWebinar ? t("lobby.speaker") : "";
  setVisible(byId("may-record"), pageData.record === "true");
  setPageTitle(t("lobby.page-title", { room: pageData.name }));
  showView("lobby");
  lobby.open({
    mic: maySpeak && pageData.media !== "MEDIA_TYPE_VIDEO_ONLY",
    camera: maySpeak && pageData.media !== "MEDIA_TYPE_AUDIO_ONLY",
  });
  if (matchMedia("(pointer: fine)").matches) byId("name").focus(); // on a phone it would open the keyboard
}

async function join(tracks = {}) {
  if (joinAttempt) return; // pressed twice
  clearTimeout(timer);
  setJoinAttempt(new AbortController());
  const { signal } = joinAttempt;
  try {
    await enterCall(tracks, signal);
    session.save({ inside: true });
    setPageTitle(byId("room-name").textContent);
    showView("call");
    tellParent("joined");
    byId("room-name").focus(); // the button with the focus is hidden now
  } catch (error) {
    for (const track of Object.values(tracks)) track.stop();
    const described = signal.aborted ? [] : await describeJoinError(error);
    if (signal.aborted) return; // back in the lobby
    showError(...described);
  }
  setJoinAttempt(null);
}

// LiveKit closes an empty room by itself. If it has no such room, another request for a token wakes the room.
async function enterCall(tracks, signal) {
  const connect = async () => joinCall(await requestToken(), tracks, onCallEnded, signal);
  try {
    await connect();
  } catch (error) {
    if (error.status !== NOT_FOUND || signal.aborted) throw error;
    await connect();
  }
}

function setJoinAttempt(attempt) {
  joinAttempt = attempt;
  byId("door").setAttribute("aria-busy", String(attempt !== null));
}

// Returns [code, seconds to wait] for an error of a join attempt.
async function describeJoinError(error) {
  if (error instanceof TokenError) {
    if (error.code === "ROOM_NOT_FOUND" && session.inside) return ["OVER"];
    if (error.code === "ROOM_CLOSED") session.save({ inside: false });
    if (error.code === "IDENTITY_IN_USE" && session.isBound) return ["INVITE_IN_USE", error.retryAfterSeconds];
    return [error.code, error.retryAfterSeconds];
  }
  return [error instanceof LiveKit.ConnectionError ? await describeConnectionError(error) : "INTERNAL"];
}

// Our server has just answered, so the network works. Whoever was in the call knows that the address is right.
async function describeConnectionError({ status }) {
  if (!session.inside && (status === 401 || !(await isLiveKit(session.livekitUrl)))) return "MEDIA_ADDRESS";
  return status === NOT_FOUND ? "ROOM_NOT_READY" : "MEDIA_SERVER";
}

// Rejoins after an unexpected end: the room may have been replaced, or the network was away.
function onCallEnded(reason) {
  const { CLIENT_INITIATED, DUPLICATE_IDENTITY, PARTICIPANT_REMOVED } = LiveKit.DisconnectReason;
  // LiveKit's client also disconnects when the page is left or frozen; then `inside` is still set
  if (reason === CLIENT_INITIATED && !session.inside) {
    showError("LEFT");
    if (pageData.leaveUrl && parent === window) location.assign(pageData.leaveUrl); // a framing page decides itself
    return;
  }
  if (reason === DUPLICATE_IDENTITY) return showError("ELSEWHERE");
  if (reason === PARTICIPANT_REMOVED) return showError("REMOVED");
  const now = Date.now();
  disconnectTimes = [...disconnectTimes.filter((each) => now - each < DISCONNECT_WINDOW_MS), now];
  showNotice("REJOINING");
  timer = setTimeout(join, Math.min(MAX_REJOIN_DELAY_MS, 500 * 2 ** disconnectTimes.length));
}

// Shows why the participant is not in the call, and retries where that can help.
function showError(code, retryAfterSeconds = 0) {
  clearTimeout(timer);
  lobby.close();
  const { retrySeconds, isEnd } = describeError(code);
  if (isEnd) session.save({ inside: false });
  if (!isNoticeShown(code)) tellParent(isEnd ? "left" : "refused", code);
  const isClosed = code === "ROOM_CLOSED";
  showNotice(code, isClosed ? retryAfterSeconds : 0);
  const delay = isClosed ? delayUntilOpen(retrySeconds, retryAfterSeconds)
    : Math.max(retrySeconds, Math.min(retryAfterSeconds, MAX_RETRY_SECONDS));
  if (retrySeconds) timer = setTimeout(() => retry(code), 1000 * delay);
}

// The hours of a closed room may change. When it opens, not all of those who wait ask in the same moment.
const delayUntilOpen = (retrySeconds, secondsUntilOpen) =>
  Math.min(retrySeconds, secondsUntilOpen || retrySeconds) + MAX_SPREAD_SECONDS * Math.random();

async function retry(code) {
  if (!isNoticeShown(code)) return; // another view was opened meanwhile
  if (document.hidden) {
    document.addEventListener("visibilitychange", () => retry(code), { once: true });
  } else if (code === "ROOM_CLOSED") {
    await enterIfOpen();
  } else if (describeError(code).awaitsRoom || pageData.code) {
    const { isOpen, isClosed } = await askRoom();
    if (isOpen || isClosed) location.reload();
    else showError(code);
  } else await join();
}

async function enterIfOpen() {
  const { isOpen, secondsUntilOpen } = await askRoom();
  if (!isNoticeShown("ROOM_CLOSED")) return; // another view was opened meanwhile
  if (!isOpen) return showError("ROOM_CLOSED", secondsUntilOpen);
  delete pageData.code;
  enter();
}

const isNoticeShown = (code) => pageData.view === "notice" && byId("sentence").dataset.code === code;

function showNotice(code, secondsUntilOpen = 0) {
  const { title, actions, ...described } = describeError(code);
  const text = secondsUntilOpen ? t("closed.opens", { date: formatOpening(secondsUntilOpen) }) : described.text;
  if (secondsUntilOpen) startCountdown(secondsUntilOpen);
  else stopCountdown();
  if (!isNoticeShown(code) || byId("sentence").lastChild.textContent !== text) {
    byId("sentence").dataset.code = code;
    byId("sentence").replaceChildren(createElement(pageData.name ? "h2" : "h1", "", title), createElement("p", "", text));
    const possible = actions.filter((action) => action !== "back" || !pageData.code);
    byId("actions").replaceChildren(...possible.map((action, index) => createActionButton(action, code, index === 0)));
  }
  setPageTitle(title);
  const wasInCall = pageData.view === "call";
  showView("notice");
  if (wasInCall) byId("sentence").focus(); // the element with the focus is hidden now
}

function createActionButton(action, code, isFirst) {
  const button = createElement("button", isFirst ? "primary" : "secondary", t(`action.${action}`));
  button.type = "button";
  button.dataset.action = action;
  button.addEventListener("click", () => ACTIONS[action](code));
  return button;
}

const ACTIONS = {
  again: (code) => (code === "NO_CLIENT" ? location.reload() : retry(code)),
  guest: () => { session.dropInvite(); openLobby(); },
  fresh: () => { session.renewIdentity(); join(); },
  join: () => join(),
  back: () => openLobby(),
};

// A browser may cut an emoji in half at the field's maximum length; half an emoji cannot be sent.
const removeLoneSurrogates = (text) => text.replace(/\p{Surrogate}/gu, "");

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  session.save({ name: removeLoneSurrogates(byId("name").value.trim()), ...lobby.selectedDevices() });
  const tracks = lobby.takeTracks();
  showView("joining"); // it has no button that would start a camera again
  join(tracks);
});

addEventListener("hashchange", () => location.reload()); // an invite was pasted into the address bar
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); }); // its call has ended

start();
