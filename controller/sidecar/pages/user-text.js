// Text that participants wrote. It can neither reorder the text around it nor become HTML.

// Removes the controls that override or embed a direction: with them, a name or a link can look like another.
export const removeDirectionControls = (text) => text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "");

// Encloses text that runs from right to left, so that it does not reorder what follows it in a sentence.
export const isolateDirection = (text) => (RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text);

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

// The first characters of the first and the last word; an emoji or a letter with its marks is one character.
export function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return [...new Set([words[0] ?? "", words.at(-1) ?? ""])].map(firstCharacter).join("").toUpperCase();
}

// Older browsers have no Segmenter.
const graphemes = Intl.Segmenter && new Intl.Segmenter();
const firstCharacter = (word) => (graphemes ? graphemes.segment(word).containing(0)?.segment : Array.from(word)[0]) ?? "";

// Returns nodes: the text, in which each http or https address is a link.
export function createLinkedText(text) {
  const nodes = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(/https?:\/\/[^\s<>"“”«»「」『』、。]+/gi)) {
    const address = trimAddress(match);
    if (!URL.canParse(address)) continue;
    nodes.push(text.slice(end, index), createLink(address));
    end = index + address.length;
  }
  return [...nodes, text.slice(end)];
}

// The punctuation of the sentence around an address does not belong to it; a bracket does where it was opened there.
function trimAddress(text) {
  const trimmed = text.replace(/[.,;:!?'’*_~]+$/, "");
  const closing = trimmed.at(-1);
  const opening = BRACKETS[closing];
  const isOpened = !opening || trimmed.split(opening).length >= trimmed.split(closing).length;
  return isOpened ? trimmed : trimAddress(trimmed.slice(0, -1));
}

const BRACKETS = { ")": "(", "]": "[", "}": "{" };

function createLink(address) {
  const link = document.createElement("a");
  link.href = address;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.textContent = address;
  return link;
}
