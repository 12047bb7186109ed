// The cameras, microphones and speakers that a participant can select.

import { byId, setVisible, showNote } from "./dom.js";
import { facesUser, LiveKit } from "./livekit.js";
import { session } from "./session.js";
import { t } from "./texts.js";

const PICKERS = {
  mic: { kind: "audioinput", picker: "microphones", label: "pick-microphone" },
  camera: { kind: "videoinput", picker: "cameras", label: "pick-camera" },
  speaker: { kind: "audiooutput", picker: "speakers", label: "pick-speaker" },
};
const SYSTEM_DEVICE_IDS = ["default", "communications"]; // they stand for another device of the list

export const hasMediaDevices = () => Boolean(navigator.mediaDevices?.getUserMedia);

export const kindOf = (device) => PICKERS[device].kind;

// The one set of pickers, which is shown in the lobby and in the call.
class DevicePickers {
  #owner = null;
  #devices = [];

  constructor() {
    for (const [device, { picker }] of Object.entries(PICKERS)) {
      byId(picker).addEventListener("change", () => this.#select(device, byId(picker).value));
    }
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.#follow());
  }

  // Moves the pickers into `parent`. The owner has { isAllowed(device), currentId(device), select(device, id) };
  // `device` is mic, camera or speaker.
  async show(parent, owner) {
    this.#owner = owner;
    parent.append(byId("pickers"));
    await this.render();
  }

  // A picker with less than two devices has nothing to select, and is hidden.
  async render() {
    this.#devices = await listDevices();
    for (const [device, { kind, picker, label }] of Object.entries(PICKERS)) {
      const options = this.#owner.isAllowed(device) ? this.#devices.filter((each) => each.kind === kind) : [];
      const currentId = await this.#owner.currentId(device);
      byId(picker).replaceChildren(...options.map((each) => new Option(each.label, each.deviceId, false, each.deviceId === currentId)));
      setVisible(byId(label), options.length > 1);
    }
    setVisible(byId("no-choice"), Object.values(PICKERS).every(({ label }) => byId(label).hidden));
  }

  async #select(device, id) {
    session.save({ devices: { ...session.devices, [device]: id } });
    await this.#owner.select(device, id);
    await this.render();
  }

  // A device was plugged in or out.
  async #follow() {
    if (!this.#owner) return;
    const before = this.#devices;
    await this.render();
    const added = difference(this.#devices, before).map((device) => t("device.added", { device }));
    const removed = difference(before, this.#devices).map((device) => t("device.removed", { device }));
    if (before.length && added.length + removed.length) showNote([...added, ...removed].join(" "));
  }
}

export const devicePickers = new DevicePickers();

// Only devices that the browser names: before it was allowed to use one of them, it hides their ids.
async function listDevices() {
  if (!hasMediaDevices()) return [];
  const canSelectSpeaker = LiveKit.supportsAudioOutputSelection();
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((each) => each.deviceId && (canSelectSpeaker || each.kind !== "audiooutput"));
}

function difference(devices, others) {
  const ids = new Set([...SYSTEM_DEVICE_IDS, ...others.map((each) => each.deviceId)]);
  return [...new Set(devices.filter((each) => !ids.has(each.deviceId)).map((each) => each.label))];
}

// A phone has a camera on each side.
export async function canFlipCamera() {
  if (!matchMedia("(pointer: coarse)").matches) return false;
  return (await listDevices()).filter((each) => each.kind === "videoinput").length > 1;
}

export async function flipCamera(cameraTrack) {
  await cameraTrack.restartTrack({ facingMode: facesUser(cameraTrack) ? "environment" : "user" });
  session.save({ devices: { ...session.devices, camera: undefined } });
}
