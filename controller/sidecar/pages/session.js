// Who we are in this room, in this tab: kept in sessionStorage, so that a reload proves its identity.
// Nothing of it is ever logged, and the invite leaves the address bar as soon as it is read.

export const room = location.pathname.split("/").at(-1);
const KEY = `roomctl/${room}`;
const FIELDS = ["identity", "token", "invite", "name", "inside", "mic", "camera"];

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {}; // storage may be forbidden: then a reload is a new guest
  }
}

class Session {
  identity = "";
  token = "";
  invite = "";
  name = "";
  inside = false; // a reload goes straight back in
  mic = true;
  camera = true;

  constructor() {
    Object.assign(this, stored());
    const given = new URLSearchParams(location.hash.slice(1)).get("invite");
    if (given) {
      if (given !== this.invite) Object.assign(this, { invite: given, identity: "", token: "", inside: false, mic: true, camera: true });
      history.replaceState(null, "", location.pathname + location.search);
    }
    this.identity = bound(this.invite) || this.identity || fresh();
    this.keep();
  }

  // Whether our invite names who we are.
  get isBound() {
    return bound(this.invite) !== "";
  }

  // Somebody else from now on: no token proves what we were.
  renew() {
    this.identity = bound(this.invite) || fresh();
    this.token = "";
    this.keep();
  }

  dropInvite() {
    this.invite = "";
    this.renew();
  }

  keep(changes = {}) {
    Object.assign(this, changes);
    const kept = Object.fromEntries(FIELDS.map((field) => [field, this[field]]));
    try {
      sessionStorage.setItem(KEY, JSON.stringify(kept));
    } catch { /* as above */ }
  }
}

function fresh() {
  const bytes = crypto.getRandomValues(new Uint8Array(12)); // randomUUID is for secure contexts alone
  return `guest-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

// The identity that an invite is for, "" where it is for anybody. Only the server can tell whether it is good.
function bound(invite) {
  try {
    const claims = invite.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const { sub } = JSON.parse(atob(claims));
    return typeof sub === "string" ? sub : "";
  } catch {
    return "";
  }
}

export const session = new Session();
