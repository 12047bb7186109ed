// Follows a room: reports its changes, and plays its audio.

import { byId } from "./dom.js";
import { LiveKit } from "./livekit.js";

// Calls `onChange` once per animation frame, however many events came; a hidden page has no frames.
// Returns a function that cancels the call that is scheduled.
export function onRoomChange(room, onChange) {
  let scheduled = 0;
  const schedule = () => {
    cancelAnimationFrame(scheduled);
    scheduled = requestAnimationFrame(onChange);
  };
  for (const event of CHANGE_EVENTS) room.on(LiveKit.RoomEvent[event], schedule);
  return () => cancelAnimationFrame(scheduled);
}

export function attachAudio(room) {
  room.on(LiveKit.RoomEvent.TrackSubscribed, (track) => { if (track.kind === "audio") byId("sounds").append(track.attach()); });
  room.on(LiveKit.RoomEvent.TrackUnsubscribed, (track) => { for (const element of track.detach()) element.remove(); });
}

const CHANGE_EVENTS = [
  "ParticipantConnected", "ParticipantDisconnected", "ParticipantNameChanged", "ParticipantAttributesChanged",
  "ParticipantPermissionsChanged", "RoomMetadataChanged", "ActiveSpeakersChanged", "TrackSubscribed",
  "TrackUnsubscribed", "TrackMuted", "TrackUnmuted", "TrackUnpublished", "LocalTrackPublished",
  "LocalTrackUnpublished", "AudioPlaybackStatusChanged", "RecordingStatusChanged",
  "ConnectionQualityChanged", "Reconnected",
];
