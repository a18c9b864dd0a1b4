// Overlapping tiles whose logits are averaged, cut and weighted as `pixelwise predict` does it.
const STEP = 32; // by which tiles are made smaller, to share less

/** Starts of tiles that cover `length` pixels, evenly spread. */
function positions(length, tile, overlap) {
  if (length <= tile) return [0];
  const span = length - tile;
  const step = Math.max(1, tile - Math.ceil(tile * overlap));
  const gaps = Math.ceil(span / step);
  return Array.from({ length: gaps + 1 }, (_, place) => Math.floor((place * span) / gaps));
}

/** The side of tiles that cover `length` pixels in as few as tiles of `tile` pixels do. */
function sideOfTiles(length, tile, overlap) {
  if (length <= tile) return length;
  const count = positions(length, tile, overlap).length;
  for (let side = Math.ceil((0.75 * tile) / STEP) * STEP; side < tile; side += STEP) {
    if (positions(length, side, overlap).length === count) return side;
  }
  return tile;
}

/** How tiles lie along one side of a picture. */
class Axis {
  constructor(length, tile, overlap) {
    this.length = length;
    this.side = sideOfTiles(length, tile, overlap);
    this.starts = positions(length, this.side, overlap);
    const reach = Math.ceil(this.side * overlap) + 1;
    /** How much each pixel of a tile counts: less towards edges that others lie over. */
    this.weights = Float32Array.from({ length: this.side }, (_, place) =>
      Math.min(1, (Math.min(place, this.side - 1 - place) + 1) / reach),
    );
    /** The weights of all tiles over each pixel of the picture, added up. */
    this.totals = new Float32Array(length);
    for (const start of this.starts) {
      this.weights.forEach((weight, place) => {
        this.totals[start + place] += weight;
      });
    }
  }
}

export class TilePlan {
  /** `tiles` as the model's metadata has them: { tile: [height, width], overlap }. */
  constructor(height, width, { tile, overlap }) {
    this.rows = new Axis(height, tile[0], overlap);
    this.columns = new Axis(width, tile[1], overlap);
    this.count = this.rows.starts.length * this.columns.starts.length;
  }
}

/**
 * Bands { top, height, logits } of rows that together cover `picture`, from the top; logits are
 * float32, class by class. `run(pixels, height, width)` gives those of RGB bytes that stand channel
 * by channel. Logits of one row of tiles are held.
 */
export async function* streamBands(run, picture, plan) {
  const { rows, columns } = plan;
  if (plan.count === 1) {
    const tile = cutTile(picture, 0, 0, rows.side, columns.side);
    yield { top: 0, height: rows.side, logits: await run(tile, rows.side, columns.side) };
    return;
  }
  let sums = null;
  for (const [row, top] of rows.starts.entries()) {
    for (const left of columns.starts) {
      const tile = cutTile(picture, top, left, rows.side, columns.side);
      const logits = await run(tile, rows.side, columns.side);
      sums ??= new Float32Array((logits.length / columns.side) * columns.length);
      addTile(sums, logits, left, plan);
    }
    const height = (rows.starts[row + 1] ?? rows.length) - top;
    yield { top, height, logits: divideBand(sums, top, height, plan) };
    shiftUp(sums, height, plan);
  }
}

/** Pixels (channel by channel) of a window of a picture. */
function cutTile({ pixels, width }, top, left, tileHeight, tileWidth) {
  const tile = new Uint8Array(3 * tileHeight * tileWidth);
  let place = 0;
  for (let channel = 0; channel < 3; channel++) {
    for (let row = top; row < top + tileHeight; row++) {
      let source = (row * width + left) * 3 + channel;
      for (let column = 0; column < tileWidth; column++, source += 3) tile[place++] = pixels[source];
    }
  }
  return tile;
}

function addTile(sums, logits, left, { rows, columns }) {
  const { side, length, weights } = columns;
  const lines = logits.length / side; // of all classes
  for (let line = 0; line < lines; line++) {
    const down = rows.weights[line % rows.side];
    const source = line * side;
    const target = line * length + left;
    for (let column = 0; column < side; column++) {
      const weight = Math.fround(down * weights[column]);
      sums[target + column] += Math.fround(logits[source + column] * weight);
    }
  }
}

/** The means of the first `height` rows of the sums. */
function divideBand(sums, top, height, { rows, columns }) {
  const width = columns.length;
  const classes = sums.length / (rows.side * width);
  const band = new Float32Array(classes * height * width);
  let place = 0;
  for (let label = 0; label < classes; label++) {
    for (let row = 0; row < height; row++) {
      const source = (label * rows.side + row) * width;
      const down = rows.totals[top + row];
      for (let column = 0; column < width; column++) {
        const total = Math.fround(down * columns.totals[column]);
        band[place++] = sums[source + column] / total;
      }
    }
  }
  return band;
}

/** The next row of tiles begins `height` rows below: what it shares stays, the rest is 0. */
function shiftUp(sums, height, { rows, columns }) {
  const plane = rows.side * columns.length;
  const done = height * columns.length;
  for (let start = 0; start < sums.length; start += plane) {
    sums.copyWithin(start, start + done, start + plane);
    sums.fill(0, start + plane - done, start + plane);
  }
}
