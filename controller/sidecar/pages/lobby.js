// The preview of camera and microphone before the call. It offers only the devices that the participant may use.

import { byId, renderToggle, setVisible } from "./dom.js";
import { describeDeviceError } from "./errors.js";
import { LiveKit } from "./livekit.js";
import { session } from "./session.js";
import { t } from "./texts.js";

const DEVICES = {
  mic: {
    device: "audioinput", picker: "microphones", label: "pick-microphone", button: "look-mic",
    labels: [t("mic.mute"), t("mic.unmute")], icons: ["mic", "mic-off"],
    createTrack: (options) => LiveKit.createLocalAudioTrack(options),
  },
  camera: {
    device: "videoinput", picker: "cameras", label: "pick-camera", button: "look-camera",
    labels: [t("camera.turn-off"), t("camera.turn-on")], icons: ["camera", "camera-off"],
    createTrack: (options) => LiveKit.createLocalVideoTrack(options),
  },
};

export class Lobby {
  #allowed = { mic: false, camera: false };
  #tracks = {};
  #deviceIds = {};
  #failed = {};
  #closeCount = 0; // a device that starts after the lobby was closed is stopped

  constructor() {
    for (const [kind, { button, picker }] of Object.entries(DEVICES)) {
      byId(button).addEventListener("click", () => this.#toggle(kind));
      byId(picker).addEventListener("change", () => this.#selectDevice(kind, byId(picker).value));
    }
  }

  async open(allowed) {
    this.close();
    this.#failed = {};
    const hasDevices = Boolean(navigator.mediaDevices?.getUserMedia);
    byId("look-note").textContent = !hasDevices && (allowed.mic || allowed.camera) ? describeDeviceError("INSECURE") : "";
    this.#allowed = { mic: allowed.mic && hasDevices, camera: allowed.camera && hasDevices };
    for (const [kind, { label, button }] of Object.entries(DEVICES)) {
      setVisible(byId(label), false);
      setVisible(byId(button), this.#allowed[kind]);
    }
    setVisible(byId("look"), this.#allowed.mic || this.#allowed.camera || byId("look-note").textContent !== "");
    setVisible(byId("preview"), this.#allowed.mic || this.#allowed.camera);
    byId("preview").classList.toggle("audio-only", !this.#allowed.camera);
    this.#render();
    const closeCount = this.#closeCount;
    for (const kind of ["camera", "mic"]) {
      if (this.#allowed[kind] && session[kind] && closeCount === this.#closeCount) await this.#start(kind);
    }
  }

  // Which devices to publish: only devices that the lobby showed, so that nobody is seen or heard unknowingly.
  selectedDevices() {
    const isSelected = (kind) => this.#allowed[kind] && session[kind] && !this.#failed[kind];
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
    for (const kind of Object.keys(DEVICES)) this.#stop(kind);
    this.#render();
  }

  async #toggle(kind) {
    const on = !this.#tracks[kind];
    session.save({ [kind]: on });
    if (on) await this.#start(kind);
    else this.#stop(kind);
    this.#render();
  }

  async #selectDevice(kind, deviceId) {
    this.#deviceIds[kind] = deviceId;
    this.#stop(kind);
    session.save({ [kind]: true });
    await this.#start(kind);
  }

  async #start(kind) {
    const closeCount = this.#closeCount;
    const deviceId = this.#deviceIds[kind];
    try {
      const track = await DEVICES[kind].createTrack(deviceId ? { deviceId } : {});
      if (closeCount !== this.#closeCount || this.#tracks[kind]) return track.stop();
      this.#tracks[kind] = track;
      this.#failed[kind] = false;
      byId("look-note").textContent = "";
      await this.#renderPicker(kind);
    } catch (error) {
      this.#failed[kind] = true;
      byId("look-note").textContent = describeDeviceError(error);
    }
    this.#render();
  }

  #stop(kind) {
    this.#tracks[kind]?.detach();
    this.#tracks[kind]?.stop();
    delete this.#tracks[kind];
  }

  // Lists the devices; hidden where there is only one.
  async #renderPicker(kind) {
    const { device, picker, label } = DEVICES[kind];
    const devices = (await LiveKit.Room.getLocalDevices(device, false)).filter((each) => each.deviceId);
    const currentId = await this.#tracks[kind]?.getDeviceId(false);
    byId(picker).replaceChildren(...devices.map((each) => new Option(each.label, each.deviceId, false, each.deviceId === currentId)));
    setVisible(byId(label), devices.length > 1);
  }

  #render() {
    for (const [kind, { button, labels, icons }] of Object.entries(DEVICES)) {
      renderToggle(byId(button), Boolean(this.#tracks[kind]), labels, icons);
    }
    const camera = this.#tracks.camera;
    if (camera && camera.attachedElements.length === 0) camera.attach(byId("look-video"));
    setVisible(byId("look-video"), Boolean(camera));
    byId("look-off").textContent = camera ? "" : this.#allowed.camera ? t("lobby.camera-off") : t("lobby.audio-only");
  }
}
