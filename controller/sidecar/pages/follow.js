// Keeps up with a room: draws anew when something has changed, and plays what is to be heard.

import { at } from "./dom.js";
import { kit } from "./kit.js";

// Many events come at once: they are drawn together. A page that is not seen draws nothing.
// What is returned calls off what is planned.
export function redraw(room, draw) {
  let planned = 0;
  const plan = () => {
    cancelAnimationFrame(planned);
    planned = requestAnimationFrame(draw);
  };
  for (const event of REDRAWN) room.on(kit.RoomEvent[event], plan);
  return () => cancelAnimationFrame(planned);
}

export function play(room) {
  room.on(kit.RoomEvent.TrackSubscribed, (track) => { if (track.kind === "audio") at("sounds").append(track.attach()); });
  room.on(kit.RoomEvent.TrackUnsubscribed, (track) => { for (const element of track.detach()) element.remove(); });
}

const REDRAWN = [
  "ParticipantConnected", "ParticipantDisconnected", "ParticipantNameChanged", "ParticipantAttributesChanged",
  "ParticipantPermissionsChanged", "RoomMetadataChanged", "ActiveSpeakersChanged", "TrackSubscribed",
  "TrackUnsubscribed", "TrackMuted", "TrackUnmuted", "TrackUnpublished", "LocalTrackPublished",
  "LocalTrackUnpublished", "AudioPlaybackStatusChanged", "Reconnected",
];
