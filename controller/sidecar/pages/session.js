// The participant in this room and tab. It is kept in sessionStorage, so that a reload can prove its identity.
// None of it is ever logged, and the invite is removed from the address bar as soon as it is read.

import { inviteInFragment, readInvite } from "./invite.js";

export const roomId = location.pathname.split("/").at(-1);
const STORAGE_KEY = `roomctl/${roomId}`;
const STORED_FIELDS = ["identity", "token", "invite", "name", "inside", "mic", "camera", "devices"];

function readStored() {
  try {
    return JSON.parse(sessionStorage.getItem(STORAGE_KEY)) ?? {};
  } catch {
    return {}; // the browser may forbid storage: then a reload joins as a new guest
  }
}

class Session {
  identity = "";
  token = "";
  invite = "";
  name = "";
  livekitUrl = ""; // from the last token response, not stored
  serverAheadMs = 0; // how far the server's clock is ahead of the browser's; not stored
  inside = false; // a reload rejoins without the lobby
  mic = true;
  camera = true;
  devices = {}; // the ids of the selected mic, camera and speaker

  constructor() {
    Object.assign(this, readStored());
    const linkInvite = inviteInFragment(location.hash.slice(1));
    if (linkInvite) {
      if (linkInvite !== this.invite) Object.assign(this, { invite: linkInvite, identity: "", token: "", inside: false, mic: true, camera: true });
      history.replaceState(null, "", location.pathname + location.search);
    }
    this.identity = boundIdentity(this.invite) || this.identity || createIdentity();
    this.save();
  }

  // Whether the invite is bound to one identity.
  get isBound() {
    return boundIdentity(this.invite) !== "";
  }

  // Changes to a new identity, which the old token does not prove.
  renewIdentity() {
    this.identity = boundIdentity(this.invite) || createIdentity();
    this.token = "";
    this.save();
  }

  dropInvite() {
    this.invite = "";
    this.renewIdentity();
  }

  save(changes = {}) {
    Object.assign(this, changes);
    const stored = Object.fromEntries(STORED_FIELDS.map((field) => [field, this[field]]));
    try {
      sessionStorage.setItem(STORAGE_KEY, JSON.stringify(stored));
    } catch { /* as in readStored */ }
  }
}

function createIdentity() {
  const bytes = crypto.getRandomValues(new Uint8Array(12)); // randomUUID needs a secure context
  return `guest-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

// The identity in the invite, or "".
function boundIdentity(invite) {
  const identity = readInvite(invite)?.sub;
  return typeof identity === "string" ? identity : "";
}

export const session = new Session();
