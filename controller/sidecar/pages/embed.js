// Tells the page that frames this one what happens: { source: "roomctl", type, code }. `type` is ready, joined, left or
// refused; `code` says why. Only an origin of ROOMCTL_EMBED_ORIGINS is told, and no message has a token or an id.

const parentOrigin = allowedOrigins().find((origin) => origin === framingOrigin());

export function tellParent(type, code = "") {
  if (parentOrigin) parent.postMessage({ source: "roomctl", type, ...(code ? { code } : {}) }, parentOrigin);
}

function allowedOrigins() {
  return parent === window ? [] : document.body.dataset.embedOrigins.split(" ").filter(Boolean);
}

// Firefox before 148 has no ancestorOrigins. The referrer is the framing page, unless that hides it.
function framingOrigin() {
  const [origin] = location.ancestorOrigins ?? [];
  return origin ?? (URL.canParse(document.referrer) ? new URL(document.referrer).origin : "");
}
