// The size of equal tiles in a box. It knows no elements.

// Returns { columns, width, height } of the largest tiles: `count` of them, `gap` apart, in rows of `columns`.
// `ratios` is [narrowest, widest], as width / height. Sizes are whole px, rounded down: a row that is wider than the
// box by a fraction of a px would wrap.
export function fitTiles({ width, height }, count, gap, [narrowest, widest]) {
  let best = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const cellWidth = cellSize(width, columns, gap);
    const cellHeight = cellSize(height, Math.ceil(count / columns), gap);
    const tile = {
      columns,
      width: Math.floor(Math.min(cellWidth, cellHeight * widest)),
      height: Math.floor(Math.min(cellHeight, cellWidth / narrowest)),
    };
    if (area(tile) > area(best)) best = tile;
  }
  return best;
}

// The tiles of a list that scrolls down, in as many columns as the box has space for; none is narrower than `minWidth`.
export function listTiles({ width }, minWidth, gap, [, widest]) {
  const columns = Math.max(1, Math.floor((width + gap) / (minWidth + gap)));
  const tileWidth = Math.floor(cellSize(width, columns, gap));
  return { columns, width: tileWidth, height: Math.floor(tileWidth / widest) };
}

// The tiles of one row that scrolls sideways.
export function rowTiles({ height }, minWidth, [narrowest]) {
  return { width: Math.floor(Math.max(minWidth, height * narrowest)), height: Math.floor(height) };
}

// Which way the tiles scroll where they do not fit: a box that is too low for two rows has one.
export const scrollsSideways = ({ height }, minWidth, gap, [, widest]) => height < 2 * (minWidth / widest) + gap;

const cellSize = (size, count, gap) => Math.max(0, (size - gap * (count - 1)) / count);
const area = ({ width, height }) => width * height;
