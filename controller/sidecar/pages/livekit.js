// livekit-client, which the page loads before as a script of its own; undefined where it is not installed.
// Its log is switched off: its messages may contain tokens.

import { t } from "./texts.js";
import { removeDirectionControls } from "./user-text.js";

export const LiveKit = globalThis.LivekitClient;
LiveKit?.setLogLevel("silent");

const CAMERA = 1, MICROPHONE = 2, SCREEN_SHARE = 3, SCREEN_SHARE_AUDIO = 4; // LiveKit's TrackSource

// What the participant may do now.
export function permissions(room) {
  const granted = room.localParticipant.permissions;
  const sources = granted?.canPublishSources ?? [];
  const canPublish = (source) => Boolean(granted?.canPublish) && (sources.length === 0 || sources.includes(source));
  return {
    mic: canPublish(MICROPHONE),
    camera: canPublish(CAMERA),
    share: canPublish(SCREEN_SHARE),
    shareAudio: canPublish(SCREEN_SHARE_AUDIO),
    chat: Boolean(granted?.canPublishData),
  };
}

// The policy in the room's metadata; {} where the metadata is not roomctl's.
export function roomPolicy(room) {
  try {
    return JSON.parse(room.metadata) ?? {};
  } catch {
    return {};
  }
}

export const displayName = (participant) => removeDirectionControls(participant?.name ?? "").trim() || t("participant.guest");

// Whether it is the camera that faces the user, as of a laptop; a phone has another one.
export const facesUser = (cameraTrack) => LiveKit.facingModeFromLocalTrack(cameraTrack).facingMode !== "environment";
