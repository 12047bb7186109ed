// Asks the sidecar for a token. A refusal is thrown by its code; no answer at all is NETWORK.

import { room, session } from "./session.js";

export class TokenError extends Error {
  constructor(code, after = 0) {
    super(code);
    this.code = code;
    this.after = after; // seconds until it is worth asking again, 0: not said
  }
}

// { url, token }: where LiveKit is, and our way in.
export async function requestToken() {
  const answer = await post({
    room_name: room,
    participant_identity: session.identity,
    ...(session.name ? { participant_name: session.name } : {}),
  });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new TokenError(content.code ?? "INTERNAL", Number(answer.headers.get("Retry-After")) || 0);
  session.keep({ token: content.participant_token });
  return { url: content.server_url, token: content.participant_token };
}

// Whether the page would open now.
export async function isOpen() {
  try {
    return (await fetch(location.pathname, { method: "HEAD", cache: "no-store" })).ok;
  } catch {
    return false;
  }
}

async function post(body) {
  if (!/^[\w.-]*$/.test(session.invite)) throw new TokenError("PROOF_INVALID"); // no header takes it
  const headers = { "Content-Type": "application/json" };
  if (session.invite) headers.Authorization = `Bearer ${session.invite}`;
  if (session.token) headers["X-Previous-Token"] = session.token;
  try {
    return await fetch("../livekit/token", { method: "POST", headers, body: JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new TokenError("NETWORK");
  }
}
