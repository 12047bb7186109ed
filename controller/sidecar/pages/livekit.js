// livekit-client, loaded before as a script of its own; undefined where npm has not put it in place.
// It keeps silent: its messages may hold tokens.

export const LiveKit = globalThis.LivekitClient;
LiveKit?.setLogLevel("silent");

const CAMERA = 1, MICROPHONE = 2, SCREEN = 3, SCREEN_AUDIO = 4; // LiveKit's TrackSource

// What the policy and our role let us do right now.
export function permissions(room) {
  const given = room.localParticipant.permissions;
  const sources = given?.canPublishSources ?? [];
  const may = (source) => Boolean(given?.canPublish) && (sources.length === 0 || sources.includes(source));
  return {
    mic: may(MICROPHONE),
    camera: may(CAMERA),
    share: may(SCREEN),
    shareSound: may(SCREEN_AUDIO),
    chat: Boolean(given?.canPublishData),
  };
}

// The room's policy as its metadata tells it; {} where that is none of ours.
export function roomPolicy(room) {
  try {
    return JSON.parse(room.metadata) ?? {};
  } catch {
    return {};
  }
}

export const displayName = (participant) => participant?.name || "Guest";
