// What a link and its invite say of themselves. Only the server can verify an invite.

// Returns the invite in a fragment, or "". Programs that pass a link on may encode it, or add punctuation to its end.
export function inviteInFragment(fragment) {
  const text = fragment.includes("=") ? fragment : decode(fragment);
  const invite = new URLSearchParams(text).get("invite") ?? "";
  return invite.match(/^[\w-]+\.[\w-]+\.[\w-]+/)?.[0] ?? invite;
}

// Returns the claims, or null where the invite is damaged.
export function readInvite(invite) {
  try {
    const claims = JSON.parse(atob(invite.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    return typeof claims.room === "string" && typeof claims.exp === "number" ? claims : null;
  } catch {
    return null;
  }
}

// Returns the code of what makes `invite` useless for the room, as far as the invite itself tells, or "".
export function inviteError(invite, roomId, nowSeconds) {
  const claims = readInvite(invite);
  if (!claims) return "INVITE_DAMAGED";
  if (claims.room !== roomId) return "INVITE_OTHER_ROOM";
  return claims.exp <= nowSeconds ? "INVITE_EXPIRED" : "";
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
