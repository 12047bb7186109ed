// The texts of the pages, in the browser's language. texts-en.js has every key; the other languages have the same.
// A text with a count is two keys, KEY.one and KEY.other.

import english from "./texts-en.js";
import { isolateDirection } from "./user-text.js";

const LANGUAGES = ["en", "de", "fr", "es", "pt", "ja"];

export const language = selectLanguage(navigator.languages);
const [texts] = await Promise.all([loadTexts(language), documentParsed()]);
const pluralRules = new Intl.PluralRules(language);
const numberFormat = new Intl.NumberFormat(language);

// Returns the text of `key`. `values` replace the placeholders in braces; `count` selects the plural form, too.
export function t(key, values = {}) {
  const text = texts[key] ?? pluralOf(key, values.count);
  return text.replace(/\{(\w+)\}/g, (_, name) => format(values[name]));
}

// Sets the texts of the elements below `root`: data-t is the key of an element's text, data-t-title of its title, and
// so on for each attribute in TEXT_ATTRIBUTES.
export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const attribute of TEXT_ATTRIBUTES) {
    for (const element of root.querySelectorAll(`[data-t-${attribute}]`)) {
      element.setAttribute(attribute, t(element.getAttribute(`data-t-${attribute}`)));
    }
  }
}

const TEXT_ATTRIBUTES = ["aria-label", "placeholder", "title"];

function selectLanguage(wanted) {
  const primaryTags = wanted.map((tag) => tag.toLowerCase().split("-")[0]);
  return primaryTags.find((tag) => LANGUAGES.includes(tag)) ?? "en";
}

async function loadTexts(name) {
  if (name === "en") return english;
  try {
    return (await import(`./texts-${name}.js`)).default;
  } catch {
    return english; // the page works without its translation
  }
}

function documentParsed() {
  if (document.readyState !== "loading") return undefined;
  return new Promise((resolve) => document.addEventListener("readystatechange", resolve, { once: true }));
}

const pluralOf = (key, count) => texts[`${key}.${pluralRules.select(count)}`] ?? texts[`${key}.other`];

const format = (value) => (typeof value === "number" ? numberFormat.format(value) : isolateDirection(value));

document.documentElement.lang = language;
translate(document);
