// Keeps up with a room: draws anew when something has changed, and plays what is to be heard.

import { byId } from "./dom.js";
import { LiveKit } from "./livekit.js";

// Many events come at once: they are drawn together. A page that is not seen draws nothing.
// What is returned calls off what is planned.
export function onRoomChange(room, draw) {
  let planned = 0;
  const plan = () => {
    cancelAnimationFrame(planned);
    planned = requestAnimationFrame(draw);
  };
  for (const event of REDRAWN) room.on(LiveKit.RoomEvent[event], plan);
  return () => cancelAnimationFrame(planned);
}

export function attachAudio(room) {
  room.on(LiveKit.RoomEvent.TrackSubscribed, (track) => { if (track.kind === "audio") byId("sounds").append(track.attach()); });
  room.on(LiveKit.RoomEvent.TrackUnsubscribed, (track) => { for (const element of track.detach()) element.remove(); });
}

const REDRAWN = [
  "ParticipantConnected", "ParticipantDisconnected", "ParticipantNameChanged", "ParticipantAttributesChanged",
  "ParticipantPermissionsChanged", "RoomMetadataChanged", "ActiveSpeakersChanged", "TrackSubscribed",
  "TrackUnsubscribed", "TrackMuted", "TrackUnmuted", "TrackUnpublished", "LocalTrackPublished",
  "LocalTrackUnpublished", "AudioPlaybackStatusChanged", "Reconnected",
];
