// The dialogs of the call: settings, and help.

import { devicePickers, kindOf } from "./devices.js";
import { Dialog } from "./dialog.js";
import { byId, showNote } from "./dom.js";
import { describeDeviceError } from "./errors.js";
import { permissions } from "./livekit.js";
import { setUpScreenModes } from "./screen-modes.js";
import { session } from "./session.js";
import { t } from "./texts.js";

export class CallSettings {
  #room;
  #settings = new Dialog("settings", () => devicePickers.render()); // permissions may have changed
  #help = new Dialog("help", () => this.#settings.close());

  constructor(room) {
    this.#room = room;
    setUpScreenModes(() => this.#settings.close());
    devicePickers.show(byId("settings-devices"), this);
  }

  close() {
    this.#settings.close();
    this.#help.close();
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
}
