// The settings dialog of the call: microphone, camera and speaker.

import { devicePickers, kindOf } from "./devices.js";
import { byId, showNote } from "./dom.js";
import { describeDeviceError } from "./errors.js";
import { permissions } from "./livekit.js";
import { session } from "./session.js";
import { t } from "./texts.js";

export class CallSettings {
  #room;

  constructor(room) {
    this.#room = room;
    byId("settings-open").onclick = () => this.#open();
    byId("settings-close").onclick = () => this.close();
    byId("settings").onclick = ({ target }) => { if (target === byId("settings")) this.close(); }; // its backdrop
    devicePickers.show(byId("settings-devices"), this);
  }

  close() {
    byId("settings").close();
  }

  // As the owner of the device pickers.
  isAllowed(device) {
    return device === "speaker" || permissions(this.#room)[device];
  }

  currentId(device) {
    return this.#room.getActiveDevice(kindOf(device)) ?? session.devices[device];
  }

  async select(device, id) {
    try {
      await this.#room.switchActiveDevice(kindOf(device), id);
    } catch (error) {
      showNote(device === "speaker" ? t("device.speaker") : describeDeviceError(device, error));
    }
  }

  async #open() {
    await devicePickers.render(); // permissions may have changed
    byId("settings").showModal();
  }
}
