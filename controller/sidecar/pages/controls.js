// The buttons for microphone, camera and screen sharing. A button is there only while its use is permitted; a note
// tells of each permission that is granted or revoked.

import { byId, renderToggle, setVisible, showNote } from "./dom.js";
import { describeDeviceError } from "./errors.js";
import { permissions } from "./livekit.js";
import { session } from "./session.js";

const BUTTONS = {
  mic: {
    labels: ["Mute microphone", "Unmute microphone"], icons: ["mic", "mic-off"],
    isOn: (self) => self.isMicrophoneEnabled, setOn: (self, on) => self.setMicrophoneEnabled(on),
    granted: "You can now speak.", revoked: "You no longer have permission to speak. Your microphone is off.",
  },
  camera: {
    labels: ["Turn off camera", "Turn on camera"], icons: ["camera", "camera-off"],
    isOn: (self) => self.isCameraEnabled, setOn: (self, on) => self.setCameraEnabled(on),
    granted: "You can now turn on your camera.",
    revoked: "You no longer have permission to share video. Your camera is off.",
  },
  share: {
    labels: ["Stop sharing", "Share screen"], icons: ["share", "share"],
    isOn: (self) => self.isScreenShareEnabled,
    setOn: (self, on, { shareAudio }) => self.setScreenShareEnabled(on, { audio: shareAudio }),
    granted: "You can now share your screen.", revoked: "You no longer have permission to share your screen.",
  },
};
const CHAT = { granted: "Chat is now available.", revoked: "Chat has been turned off." };

export class Controls {
  #room;
  #chat;
  #lastPermissions = null;
  #pending = new Set();

  constructor(room, chat) {
    this.#room = room;
    this.#chat = chat;
    for (const kind of Object.keys(BUTTONS)) byId(kind).onclick = () => this.#toggle(kind);
  }

  render() {
    const allowed = this.#usablePermissions();
    const self = this.#room.localParticipant;
    for (const [kind, { labels, icons, isOn }] of Object.entries(BUTTONS)) {
      setVisible(byId(kind), allowed[kind]);
      renderToggle(byId(kind), isOn(self), labels, icons);
    }
    this.#chat.setAllowed(allowed.chat);
    this.#announceChanges(allowed);
  }

  // The permissions that this browser can use.
  #usablePermissions() {
    const allowed = permissions(this.#room);
    const devices = navigator.mediaDevices;
    const hasDevices = Boolean(devices?.getUserMedia);
    return {
      ...allowed,
      mic: allowed.mic && hasDevices,
      camera: allowed.camera && hasDevices,
      share: allowed.share && Boolean(devices?.getDisplayMedia),
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

  // Ignores a press while the one before is pending. The button is not disabled, because it would lose the focus.
  async #toggle(kind) {
    if (this.#pending.has(kind)) return;
    this.#pending.add(kind);
    const { isOn, setOn } = BUTTONS[kind];
    const self = this.#room.localParticipant;
    const on = !isOn(self);
    try {
      await setOn(self, on, permissions(this.#room));
      if (kind in session) session.save({ [kind]: on });
    } catch (error) {
      if (kind !== "share") showNote(describeDeviceError(error)); // to cancel the choice of a screen is no error
    }
    this.#pending.delete(kind);
    this.render();
  }
}
