// Why LiveKit cannot be reached, as far as a browser can tell.

const PROBE_MS = 5000;
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$|\.localhost$/;

// Whether the browser refuses `url`, because this page was loaded over https.
export function isMixedContent(url) {
  const { protocol, hostname } = new URL(url);
  return location.protocol === "https:" && protocol === "ws:" && !LOOPBACK.test(hostname);
}

// Whether LiveKit is at `url`: without a token it answers 401, and lets pages of any origin read that.
export async function isLiveKit(url) {
  try {
    const response = await fetch(`${url.replace(/^ws/, "http")}/rtc/validate`, {
      cache: "no-store", signal: AbortSignal.timeout(PROBE_MS),
    });
    return response.status === 401;
  } catch {
    return false; // nothing answers, or something else
  }
}
