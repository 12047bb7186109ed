// Selects who has a tile: { participants, hiddenCount, placeholder }. `hiddenCount` participants have no tile
// because there is no space, and `placeholder` is the text where there is nobody to show.

import { permissions, roomPolicy } from "./livekit.js";
import { t } from "./texts.js";

const MAX_TILES = 25; // in more, no face can be recognised on a recording
const MAX_TILES_BESIDE_SCREEN = 6;

// For a participant, who has a tile too.
export function tilesForCall(room, sharers) {
  const { localParticipant: self, remoteParticipants: others } = room;
  const participants = [self, ...others.values()].filter((each) => isShown(room, each));
  const tileCount = participants.length + sharers.length;
  const isAlone = tileCount <= 1 && others.size === 0;
  const placeholder = tileCount === 0 ? t("call.no-speakers")
    : isAlone ? t("call.alone") : "";
  return { participants, hiddenCount: 0, placeholder };
}

// For a recording: if there are too many, the latest speakers come first, then open cameras, then the join time.
export function tilesForRecording(room, sharers) {
  const all = [...room.remoteParticipants.values()].filter((each) => isRecorded(each) && isShown(room, each));
  const max = sharers.length ? MAX_TILES_BESIDE_SCREEN : MAX_TILES;
  const selected = all.length <= max ? all : all.sort(byActivity).slice(0, max - 1); // the last tile shows the count
  const placeholder = selected.length + sharers.length === 0 ? roomPolicy(room).name ?? "" : "";
  return { participants: selected.sort(byJoinTime), hiddenCount: all.length - selected.length, placeholder };
}

// In webinar mode listeners are counted and not shown.
export function isShown(room, participant) {
  if (!roomPolicy(room).allow_webinar_mode) return true;
  if (participant === room.localParticipant) return permissions(room).mic || permissions(room).camera;
  return participant.attributes.role === "speaker" || participant.trackPublications.size > 0;
}

// Leaves out hidden participants, recorders, and agents that publish nothing.
function isRecorded(participant) {
  const { hidden, recorder } = participant.permissions ?? {};
  return !hidden && !recorder && !(participant.isAgent && participant.trackPublications.size === 0);
}

const activity = (participant) => [participant.lastSpokeAt?.getTime() ?? 0, Number(participant.isCameraEnabled)];

function byActivity(one, other) {
  const [spokeAt, hasCamera] = activity(one);
  const [otherSpokeAt, otherHasCamera] = activity(other);
  return otherSpokeAt - spokeAt || otherHasCamera - hasCamera || byJoinTime(one, other);
}

function byJoinTime(one, other) {
  return (one.joinedAt ?? 0) - (other.joinedAt ?? 0) || (one.identity < other.identity ? -1 : 1);
}
