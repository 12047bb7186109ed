// The title of the document: what the page shows, and before it the number of unread messages.

import { t } from "./texts.js";

let title = t("page.title");
let unread = 0;

export function setPageTitle(text) {
  title = text;
  render();
}

export function setUnreadInTitle(count) {
  unread = count;
  render();
}

function render() {
  document.title = unread ? `(${unread}) ${title}` : title;
}
