// Requests tokens from the public listener. A TokenError has the code of the answer, or NETWORK without an answer.

import { isMixedContent } from "./media-server.js";
import { roomId, session } from "./session.js";

export class TokenError extends Error {
  constructor(code, retryAfterSeconds = 0) {
    super(code);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds; // 0: the answer has no Retry-After
  }
}

// Returns { url, token }: the URL of LiveKit and the token to connect with.
export async function requestToken() {
  const response = await post({
    room_name: roomId,
    participant_identity: session.identity,
    ...(session.name ? { participant_name: session.name } : {}),
  });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new TokenError(body.code ?? "INTERNAL", body.opens === null ? 0 : retryAfter(response));
  session.serverAheadMs = Date.parse(response.headers.get("Date")) - Date.now() || 0;
  session.livekitUrl = body.server_url;
  if (isMixedContent(body.server_url)) throw new TokenError("MEDIA_INSECURE");
  session.save({ token: body.participant_token });
  return { url: body.server_url, token: body.participant_token };
}

// What a reload of this page would find. `secondsUntilOpen` is that of a closed room, 0 if it does not open again.
export async function askRoom() {
  try {
    const response = await fetch(location.pathname, { method: "HEAD", cache: "no-store" });
    const isClosed = response.status === CONFLICT;
    return { isOpen: response.ok, isClosed, secondsUntilOpen: isClosed ? retryAfter(response) : 0 };
  } catch {
    return { isOpen: false, isClosed: false, secondsUntilOpen: 0 };
  }
}

const CONFLICT = 409;

const retryAfter = (response) => Number(response.headers.get("Retry-After")) || 0;

async function post(body) {
  if (!/^[\w.-]*$/.test(session.invite)) throw new TokenError("PROOF_INVALID"); // not valid in a header
  const headers = { "Content-Type": "application/json" };
  if (session.invite) headers.Authorization = `Bearer ${session.invite}`;
  if (session.token) headers["X-Previous-Token"] = session.token;
  try {
    return await fetch("../livekit/token", { method: "POST", headers, body: JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new TokenError("NETWORK");
  }
}
