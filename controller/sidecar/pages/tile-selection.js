// Who has a tile: { people, more, words }. `more` is how many have none for want of room, `words` what is said
// where there is nobody to see.

import { permissions, roomPolicy } from "./livekit.js";

const MOST = 25; // tiles in which a face can still be made out on a recording
const BESIDE = 6; // and beside a screen

// For somebody who takes part: themselves too.
export function tilesForCall(room, screens) {
  const { localParticipant: me, remoteParticipants: others } = room;
  const people = [me, ...others.values()].filter((each) => isOnStage(room, each));
  const shown = people.length + screens.length;
  const alone = shown <= 1 && others.size === 0;
  const words = shown === 0 ? "Nobody is on stage yet. You will see and hear the speakers here."
    : alone ? "You are the first one here." : "";
  return { people, more: 0, words };
}

// For a recording: of many, those who spoke last, then those who show themselves, then those who came first.
export function tilesForRecording(room, screens) {
  const all = [...room.remoteParticipants.values()].filter((each) => isSomebody(each) && isOnStage(room, each));
  const most = screens.length ? BESIDE : MOST;
  const people = all.length <= most ? all : all.sort(byClaim).slice(0, most - 1); // one place says how many more
  const words = people.length + screens.length === 0 ? roomPolicy(room).name ?? "" : "";
  return { people: people.sort(byArrival), more: all.length - people.length, words };
}

// In webinar mode the audience is counted and not shown.
function isOnStage(room, participant) {
  if (!roomPolicy(room).allow_webinar_mode) return true;
  if (participant === room.localParticipant) return permissions(room).mic || permissions(room).camera;
  return participant.attributes.role === "speaker" || participant.trackPublications.size > 0;
}

// A recorder is nobody, nor is an agent that neither shows nor says anything.
function isSomebody(participant) {
  const { hidden, recorder } = participant.permissions ?? {};
  return !hidden && !recorder && !(participant.isAgent && participant.trackPublications.size === 0);
}

const claim = (participant) => [participant.lastSpokeAt?.getTime() ?? 0, Number(participant.isCameraEnabled)];

function byClaim(one, other) {
  const [spoke, shows] = claim(one);
  const [otherSpoke, otherShows] = claim(other);
  return otherSpoke - spoke || otherShows - shows || byArrival(one, other);
}

function byArrival(one, other) {
  return (one.joinedAt ?? 0) - (other.joinedAt ?? 0) || (one.identity < other.identity ? -1 : 1);
}
