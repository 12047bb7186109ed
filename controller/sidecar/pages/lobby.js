// The look at camera and microphone before joining: only what the room and our role will let us publish.

import { byId, setToggle, show } from "./dom.js";
import { describeDeviceError } from "./errors.js";
import { LiveKit } from "./livekit.js";
import { session } from "./session.js";

const KINDS = {
  mic: {
    device: "audioinput", picker: "microphones", label: "pick-microphone", button: "look-mic",
    names: ["Mute the microphone", "Turn the microphone on"], icons: ["mic", "mic-off"],
    make: (options) => LiveKit.createLocalAudioTrack(options),
  },
  camera: {
    device: "videoinput", picker: "cameras", label: "pick-camera", button: "look-camera",
    names: ["Turn the camera off", "Turn the camera on"], icons: ["camera", "camera-off"],
    make: (options) => LiveKit.createLocalVideoTrack(options),
  },
};

export class Lobby {
  #may = { mic: false, camera: false };
  #tracks = {};
  #chosen = {};
  #failed = {};
  #visit = 0;

  constructor() {
    for (const [kind, { button, picker }] of Object.entries(KINDS)) {
      byId(button).addEventListener("click", () => this.#toggle(kind));
      byId(picker).addEventListener("change", () => this.#pick(kind, byId(picker).value));
    }
  }

  async open(may) {
    this.close();
    this.#failed = {};
    const possible = Boolean(navigator.mediaDevices?.getUserMedia);
    byId("look-note").textContent = !possible && (may.mic || may.camera) ? describeDeviceError("INSECURE") : "";
    this.#may = { mic: may.mic && possible, camera: may.camera && possible };
    for (const [kind, { label, button }] of Object.entries(KINDS)) {
      show(byId(label), false);
      show(byId(button), this.#may[kind]);
    }
    show(byId("look"), this.#may.mic || this.#may.camera || byId("look-note").textContent !== "");
    show(byId("preview"), this.#may.mic || this.#may.camera);
    byId("preview").classList.toggle("voices", !this.#may.camera);
    this.#draw();
    const visit = this.#visit;
    for (const kind of ["camera", "mic"]) {
      if (this.#may[kind] && session[kind] && visit === this.#visit) await this.#start(kind);
    }
  }

  // What is to be published: nothing that the lobby did not show, so that nobody is on the air unasked.
  wishes() {
    const wished = (kind) => this.#may[kind] && session[kind] && !this.#failed[kind];
    return { mic: wished("mic"), camera: wished("camera") };
  }

  // The tracks that run, for the call to publish; they are no longer ours to stop.
  take() {
    const tracks = this.#tracks;
    this.#tracks = {};
    this.close();
    return tracks;
  }

  close() {
    this.#visit += 1;
    for (const kind of Object.keys(KINDS)) this.#stop(kind);
    this.#draw();
  }

  async #toggle(kind) {
    const on = !this.#tracks[kind];
    session.keep({ [kind]: on });
    if (on) await this.#start(kind);
    else this.#stop(kind);
    this.#draw();
  }

  async #pick(kind, deviceId) {
    this.#chosen[kind] = deviceId;
    this.#stop(kind);
    session.keep({ [kind]: true });
    await this.#start(kind);
  }

  async #start(kind) {
    const visit = this.#visit;
    const deviceId = this.#chosen[kind];
    try {
      const track = await KINDS[kind].make(deviceId ? { deviceId } : {});
      if (visit !== this.#visit || this.#tracks[kind]) return track.stop();
      this.#tracks[kind] = track;
      this.#failed[kind] = false;
      byId("look-note").textContent = "";
      await this.#list(kind);
    } catch (error) {
      this.#failed[kind] = true;
      byId("look-note").textContent = describeDeviceError(error);
    }
    this.#draw();
  }

  #stop(kind) {
    this.#tracks[kind]?.detach();
    this.#tracks[kind]?.stop();
    delete this.#tracks[kind];
  }

  // What there is to choose from; nothing is shown where there is no choice.
  async #list(kind) {
    const { device, picker, label } = KINDS[kind];
    const devices = (await LiveKit.Room.getLocalDevices(device, false)).filter((each) => each.deviceId);
    const now = await this.#tracks[kind]?.getDeviceId(false);
    byId(picker).replaceChildren(...devices.map((each) => new Option(each.label, each.deviceId, false, each.deviceId === now)));
    show(byId(label), devices.length > 1);
  }

  #draw() {
    for (const [kind, { button, names, icons }] of Object.entries(KINDS)) {
      setToggle(byId(button), Boolean(this.#tracks[kind]), names, icons);
    }
    const video = this.#tracks.camera;
    if (video && video.attachedElements.length === 0) video.attach(byId("look-video"));
    show(byId("look-video"), Boolean(video));
    byId("look-off").textContent = video ? "" : this.#may.camera ? "Your camera is off" : "This room is for voices only";
  }
}
