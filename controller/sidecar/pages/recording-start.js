// Decides when a recording starts: at the first video or audio, or once it is clear that there is none.

const POLL_MS = 100;
const NO_TRACK_MS = 2000; // how long it waits for somebody to publish
const AUDIO_ONLY_MS = 500; // how long a video may come after the first audio
const MAX_WAIT_MS = 5000; // how long it waits for published tracks, as LiveKit's own template does

// Returns true when the recording can start, false where `signal` aborts the wait.
export async function waitForFirstFrame(room, signal) {
  const since = performance.now();
  while (!signal.aborted && !canStart(publishedTracks(room), performance.now() - since)) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return !signal.aborted;
}

function canStart(publications, waitedMs) {
  if (publications.length === 0) return waitedMs >= NO_TRACK_MS;
  if (publications.some(hasFrame) || waitedMs >= MAX_WAIT_MS) return true;
  const isAudioOnly = publications.every((each) => each.kind === "audio");
  return isAudioOnly && publications.some((each) => each.track) && waitedMs >= AUDIO_ONLY_MS;
}

function publishedTracks(room) {
  const participants = [...room.remoteParticipants.values()];
  return participants.flatMap((each) => [...each.trackPublications.values()]).filter((each) => !each.isMuted);
}

function hasFrame({ kind, track }) {
  return kind === "video" && (track?.attachedElements ?? []).some((each) => each.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA);
}
