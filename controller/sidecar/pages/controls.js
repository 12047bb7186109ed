// The buttons for microphone, camera and screen sharing. A button is there only while its use is permitted; a note
// tells of each permission that is granted or revoked.

import { canFlipCamera, flipCamera, hasMediaDevices } from "./devices.js";
import { byId, renderToggle, setVisible, showNote } from "./dom.js";
import { describeDeviceError } from "./errors.js";
import { LiveKit, permissions } from "./livekit.js";
import { session } from "./session.js";
import { t } from "./texts.js";

const BUTTONS = {
  mic: {
    labels: [t("mic.mute"), t("mic.unmute")], icons: ["mic", "mic-off"],
    isOn: (self) => self.isMicrophoneEnabled, setOn: (self, on) => self.setMicrophoneEnabled(on),
    granted: t("mic.granted"), revoked: t("mic.revoked"),
  },
  camera: {
    labels: [t("camera.turn-off"), t("camera.turn-on")], icons: ["camera", "camera-off"],
    isOn: (self) => self.isCameraEnabled, setOn: (self, on) => self.setCameraEnabled(on),
    granted: t("camera.granted"), revoked: t("camera.revoked"),
  },
  share: {
    labels: [t("share.stop"), t("share.start")], icons: ["share", "share"],
    isOn: (self) => self.isScreenShareEnabled,
    setOn: (self, on, { shareAudio }) => self.setScreenShareEnabled(on, { audio: shareAudio }),
    granted: t("share.granted"), revoked: t("share.revoked"),
  },
};
const CHAT = { granted: t("chat.granted"), revoked: t("chat.revoked") };

export class Controls {
  #room;
  #chat;
  #lastPermissions = null;
  #pending = new Set();

  constructor(room, chat) {
    this.#room = room;
    this.#chat = chat;
    for (const kind of Object.keys(BUTTONS)) byId(kind).onclick = () => this.#toggle(kind);
    byId("flip").onclick = () => this.#use("camera", () => flipCamera(this.#cameraTrack()));
  }

  render() {
    const allowed = this.#usablePermissions();
    const self = this.#room.localParticipant;
    for (const [kind, { labels, icons, isOn }] of Object.entries(BUTTONS)) {
      setVisible(byId(kind), allowed[kind]);
      renderToggle(byId(kind), isOn(self), labels, icons);
    }
    this.#renderFlip();
    this.#chat.setAllowed(allowed.chat);
    this.#announceChanges(allowed);
  }

  // The permissions that this browser can use.
  #usablePermissions() {
    const allowed = permissions(this.#room);
    return {
      ...allowed,
      mic: allowed.mic && hasMediaDevices(),
      camera: allowed.camera && hasMediaDevices(),
      share: allowed.share && Boolean(navigator.mediaDevices?.getDisplayMedia),
    };
  }

  #announceChanges(allowed) {
    const before = this.#lastPermissions;
    this.#lastPermissions = allowed;
    if (!before) return;
    const texts = Object.entries({ ...BUTTONS, chat: CHAT })
      .filter(([kind]) => allowed[kind] !== before[kind])
      .map(([kind, { granted, revoked }]) => (allowed[kind] ? granted : revoked));
    if (texts.length) showNote(texts.join(" "));
  }

  #toggle(kind) {
    const { isOn, setOn } = BUTTONS[kind];
    const self = this.#room.localParticipant;
    const on = !isOn(self);
    return this.#use(kind, async () => {
      await setOn(self, on, permissions(this.#room));
      if (kind in session) session.save({ [kind]: on });
    });
  }

  // Ignores a press while the one before is pending. The button is not disabled, because it would lose the focus.
  async #use(kind, change) {
    if (this.#pending.has(kind)) return;
    this.#pending.add(kind);
    try {
      await change();
    } catch (error) {
      if (kind !== "share") showNote(describeDeviceError(kind, error)); // to cancel the choice of a screen is no error
    }
    this.#pending.delete(kind);
    this.render();
  }

  async #renderFlip() {
    const canFlip = await canFlipCamera();
    setVisible(byId("flip"), canFlip && this.#room.localParticipant.isCameraEnabled);
  }

  #cameraTrack() {
    return this.#room.localParticipant.getTrackPublication(LiveKit.Track.Source.Camera).videoTrack;
  }
}
