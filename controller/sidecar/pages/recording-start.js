// Waits for what a recording is to begin with: the first picture or sound, or that there is none to wait for.

const EVERY = 100; // milliseconds, as all of these
const NOBODY = 2000; // so long it waits for somebody to publish
const VOICES = 500; // so long a picture may come after the first voice
const LATE = 5000; // so long it waits for what is published, as LiveKit's own template does

// Whether it is there; false where `signal` has called it off.
export async function waitForFirstFrame(room, signal) {
  const since = performance.now();
  while (!signal.aborted && !isThere(published(room), performance.now() - since)) {
    await new Promise((done) => setTimeout(done, EVERY));
  }
  return !signal.aborted;
}

function isThere(tracks, waited) {
  if (tracks.length === 0) return waited >= NOBODY;
  if (tracks.some(isSeen) || waited >= LATE) return true;
  return tracks.every((each) => each.kind === "audio") && tracks.some((each) => each.track) && waited >= VOICES;
}

function published(room) {
  const people = [...room.remoteParticipants.values()];
  return people.flatMap((each) => [...each.trackPublications.values()]).filter((each) => !each.isMuted);
}

function isSeen({ kind, track }) {
  return kind === "video" && (track?.attachedElements ?? []).some((each) => each.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA);
}
