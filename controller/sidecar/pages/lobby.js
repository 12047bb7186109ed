// The preview of camera and microphone before the call. It offers only the devices that the participant may use.

import { canFlipCamera, devicePickers, flipCamera, hasMediaDevices } from "./devices.js";
import { byId, renderToggle, setVisible } from "./dom.js";
import { describeDeviceError } from "./errors.js";
import { facesUser, LiveKit } from "./livekit.js";
import { session } from "./session.js";
import { t } from "./texts.js";

const DEVICES = {
  mic: {
    button: "look-mic", note: "mic-note", labels: [t("mic.mute"), t("mic.unmute")], icons: ["mic", "mic-off"],
    createTrack: (options) => LiveKit.createLocalAudioTrack(options),
  },
  camera: {
    button: "look-camera", note: "camera-note", labels: [t("camera.turn-off"), t("camera.turn-on")], icons: ["camera", "camera-off"],
    createTrack: (options) => LiveKit.createLocalVideoTrack(options),
  },
};
const METER_INTERVAL_MS = 100;

export class Lobby {
  #allowed = { mic: false, camera: false };
  #tracks = {};
  #failed = {};
  #stopMeter = () => {};
  #closeCount = 0; // a device that starts after the lobby was closed is stopped

  constructor() {
    for (const [device, { button }] of Object.entries(DEVICES)) {
      byId(button).addEventListener("click", () => this.#toggle(device));
    }
    byId("look-flip").addEventListener("click", () => this.#flip());
  }

  async open(allowed) {
    this.close();
    this.#failed = {};
    const isInsecure = !hasMediaDevices() && (allowed.mic || allowed.camera);
    byId("look-note").textContent = isInsecure ? t("device.insecure") : "";
    this.#allowed = { mic: allowed.mic && hasMediaDevices(), camera: allowed.camera && hasMediaDevices() };
    for (const [device, { button, note }] of Object.entries(DEVICES)) {
      setVisible(byId(button), this.#allowed[device]);
      byId(note).textContent = "";
    }
    const hasPreview = this.#allowed.mic || this.#allowed.camera;
    setVisible(byId("look"), hasPreview || isInsecure);
    setVisible(byId("preview"), hasPreview);
    byId("preview").classList.toggle("audio-only", !this.#allowed.camera);
    this.#render();
    const closeCount = this.#closeCount;
    devicePickers.show(byId("look-devices"), this);
    for (const device of ["camera", "mic"]) {
      if (this.#allowed[device] && session[device] && closeCount === this.#closeCount) await this.#start(device);
    }
  }

  // Which devices to publish: only devices that the lobby showed, so that nobody is seen or heard unknowingly.
  selectedDevices() {
    const isSelected = (device) => this.#allowed[device] && session[device] && !this.#failed[device];
    return { mic: isSelected("mic"), camera: isSelected("camera") };
  }

  // Closes the lobby and returns the running tracks. The caller publishes or stops them.
  takeTracks() {
    const tracks = this.#tracks;
    this.#tracks = {};
    this.close();
    return tracks;
  }

  close() {
    this.#closeCount += 1;
    for (const device of Object.keys(DEVICES)) this.#stop(device);
    this.#render();
  }

  // As the owner of the device pickers.
  isAllowed(device) {
    return device === "speaker" || this.#allowed[device];
  }

  async currentId(device) {
    return await this.#tracks[device]?.getDeviceId(false) ?? session.devices[device];
  }

  async select(device) {
    if (device === "speaker") return;
    this.#stop(device);
    session.save({ [device]: true });
    await this.#start(device);
  }

  async #toggle(device) {
    const on = !this.#tracks[device];
    session.save({ [device]: on });
    if (on) await this.#start(device);
    else this.#stop(device);
    this.#render();
  }

  async #start(device) {
    const closeCount = this.#closeCount;
    const deviceId = session.devices[device];
    const { createTrack, note } = DEVICES[device];
    try {
      const track = await createTrack(deviceId ? { deviceId } : {});
      if (closeCount !== this.#closeCount || this.#tracks[device]) return track.stop();
      this.#tracks[device] = track;
      this.#failed[device] = false;
      byId(note).textContent = "";
      if (device === "mic") this.#startMeter(track);
      await devicePickers.render();
    } catch (error) {
      this.#failed[device] = true;
      byId(note).textContent = describeDeviceError(device, error);
    }
    this.#render();
  }

  #stop(device) {
    if (device === "mic") this.#stopMeter();
    this.#tracks[device]?.detach();
    this.#tracks[device]?.stop();
    delete this.#tracks[device];
  }

  #startMeter(track) {
    const { calculateVolume, cleanup } = LiveKit.createAudioAnalyser(track);
    const timer = setInterval(() => { byId("level").value = calculateVolume(); }, METER_INTERVAL_MS);
    this.#stopMeter = () => {
      clearInterval(timer);
      cleanup();
      this.#stopMeter = () => {};
    };
  }

  async #flip() {
    try {
      await flipCamera(this.#tracks.camera);
    } catch (error) {
      byId("camera-note").textContent = describeDeviceError("camera", error);
    }
    await devicePickers.render();
    this.#render();
  }

  #render() {
    for (const [device, { button, labels, icons }] of Object.entries(DEVICES)) {
      renderToggle(byId(button), Boolean(this.#tracks[device]), labels, icons);
    }
    setVisible(byId("level"), Boolean(this.#tracks.mic));
    const camera = this.#tracks.camera;
    if (camera && camera.attachedElements.length === 0) camera.attach(byId("look-video"));
    setVisible(byId("look-video"), Boolean(camera));
    byId("look-video").classList.toggle("mirrored", Boolean(camera) && facesUser(camera));
    byId("look-off").textContent = camera ? "" : this.#allowed.camera ? t("lobby.camera-off") : t("lobby.audio-only");
    this.#renderFlip();
  }

  async #renderFlip() {
    const canFlip = await canFlipCamera();
    setVisible(byId("look-flip"), canFlip && Boolean(this.#tracks.camera));
  }
}
