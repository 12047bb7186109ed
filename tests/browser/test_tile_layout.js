// Draws `most` stand-ins for participants by the page's own module, one after the other, and returns what is wrong.
async ([most, isSharing, minWidth]) => {
  const { Tiles } = await import(new URL("assets/tiles.js", document.baseURI));
  const screen = { isMuted: false, videoTrack: { attach: () => document.createElement("video"), detach() {} } };
  const createParticipant = (number) => ({
    identity: `person-${number}`, name: `Person ${number}`, isMicrophoneEnabled: true, isSpeaking: false,
    attributes: {}, trackPublications: new Map(),
    getTrackPublication: (source) => (isSharing && number === 1 && source === "screen_share" ? screen : undefined),
  });
  const remoteParticipants = new Map();
  const room = { localParticipant: undefined, remoteParticipants };
  const select = () => ({ participants: [...remoteParticipants.values()], hiddenCount: 0, placeholder: "" });
  const tiles = new Tiles(room, select, { minWidth });
  document.body.dataset.view = "call";
  const faults = [];
  for (let count = 1; count <= most; count += 1) {
    remoteParticipants.set(count, createParticipant(count));
    tiles.render();
    await new Promise(requestAnimationFrame);
    for (const fault of findFaults()) faults.push(`${isSharing ? "sharing, " : ""}${count} participants: ${fault}`);
  }
  tiles.clear();
  return faults;

  function findFaults() {
    const rect = (element) => element.getBoundingClientRect();
    const list = document.getElementById("tiles");
    const box = rect(list);
    const stage = rect(document.getElementById("stage"));
    const drawn = [...list.children].map(rect);
    const screens = [...document.querySelectorAll("#screens > *")].map(rect);
    const all = [...drawn, ...screens];
    const isList = list.matches(".list");
    const isRow = list.matches(".row");
    const reachable = { left: box.left, top: box.top, right: isRow ? Infinity : box.right, bottom: isList ? Infinity : box.bottom };
    const gap = parseFloat(getComputedStyle(list).columnGap);
    const [{ width, height }] = drawn;
    const best = largest(box, drawn.length, gap);
    const checks = {
      "the stage is outside the page": isInside(stage, { left: 0, top: 0, right: innerWidth, bottom: innerHeight }),
      "a shared screen is missing": screens.length === Number(isSharing),
      "a shared screen is outside the stage": screens.every((each) => isInside(each, stage)),
      "a tile is outside the stage": isInside(box, stage),
      "a tile is cut off": drawn.every((each) => isInside(each, reachable)),
      "two overlap": all.every((one, index) => all.slice(index + 1).every((other) => !overlap(one, other))),
      "the tiles differ in size": drawn.every((each) => each.width === width && each.height === height),
      "the tiles could be larger": isList || isRow || width * height >= best.width * best.height,
      "the tiles need not scroll": !(isList || isRow) || best.width < minWidth,
    };
    return Object.keys(checks).filter((fault) => !checks[fault]);
  }

  function isInside(one, other) {
    return one.left >= other.left && one.top >= other.top && one.right <= other.right && one.bottom <= other.bottom;
  }

  function overlap(one, other) {
    return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
  }

  // The largest tile of any number of columns, in whole px.
  function largest(box, count, gap) {
    const [narrowest, widest] = innerWidth < innerHeight ? [3 / 4, 4 / 3] : [4 / 3, 16 / 9];
    const sizes = Array.from({ length: count }, (_, index) => {
      const columns = index + 1;
      const rows = Math.ceil(count / columns);
      const cellWidth = (box.width - gap * (columns - 1)) / columns;
      const cellHeight = (box.height - gap * (rows - 1)) / rows;
      return {
        width: Math.floor(Math.min(cellWidth, cellHeight * widest)),
        height: Math.floor(Math.min(cellHeight, cellWidth / narrowest)),
      };
    });
    return sizes.reduce((one, other) => (one.width * one.height > other.width * other.height ? one : other));
  }
}
