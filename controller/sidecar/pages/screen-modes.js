// Full screen, and picture in picture. Each button is there where the browser can do it.

import { byId, setVisible, showNote } from "./dom.js";
import { t } from "./texts.js";

// The video that matters most: the large one, else of who speaks, else of anybody.
const VIDEOS = ["#screens video", ".tile.speaking:not(.own) video", ".tile:not(.own) video", ".tile video"];

export function setUpScreenModes(closeDialog) {
  setVisible(byId("fullscreen"), document.fullscreenEnabled);
  setVisible(byId("pip"), document.pictureInPictureEnabled);
  byId("fullscreen").onclick = () => {
    closeDialog();
    toggleFullscreen();
  };
  byId("pip").onclick = () => {
    closeDialog();
    togglePictureInPicture();
  };
}

export function leaveFullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
}

async function toggleFullscreen() {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.documentElement.requestFullscreen(); // with the dialogs and notes
}

async function togglePictureInPicture() {
  if (document.pictureInPictureElement) return document.exitPictureInPicture();
  const video = VIDEOS.map((selector) => document.querySelector(selector)).find((each) => each?.videoWidth > 0);
  if (!video) return showNote(t("pip.no-video"));
  await video.requestPictureInPicture();
}
