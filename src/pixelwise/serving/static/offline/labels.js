// From logits to labels and confidence, at the picture's own size.

/** Labels, and how sure they are (255 = sure), of a picture of height x width. */
export class LabelReader {
  constructor(height, width) {
    this.height = height;
    this.width = width;
    this.labels = new Uint8Array(height * width);
    this.confidence = new Uint8Array(height * width);
  }

  /** Read logits, class by class, of `count` pixels in a row, of which the first is `start`. */
  read(logits, start, count) {
    for (let pixel = 0; pixel < count; pixel++) {
      let label = 0;
      let top = logits[pixel];
      for (let place = pixel + count, id = 1; place < logits.length; place += count, id++) {
        if (logits[place] > top) {
          top = logits[place];
          label = id;
        }
      }
      let total = 0;
      for (let place = pixel; place < logits.length; place += count) {
        total += Math.exp(logits[place] - top);
      }
      this.labels[start + pixel] = label;
      this.confidence[start + pixel] = Math.round(255 / total);
    }
  }

  /** Read all logits of a picture that the network saw at `viewHeight` x `viewWidth`, interpolated
   * between the centres of pixels. */
  readResized(logits, viewHeight, viewWidth) {
    const classes = logits.length / (viewHeight * viewWidth);
    const rows = sample(viewHeight, this.height);
    const columns = sample(viewWidth, this.width);
    const line = new Float32Array(classes * viewWidth);
    const wide = new Float32Array(classes * this.width);
    for (let row = 0; row < this.height; row++) {
      const share = rows.shares[row];
      for (let label = 0; label < classes; label++) {
        const above = (label * viewHeight + rows.before[row]) * viewWidth;
        const below = (label * viewHeight + rows.after[row]) * viewWidth;
        for (let column = 0; column < viewWidth; column++) {
          const step = logits[below + column] - logits[above + column];
          line[label * viewWidth + column] = logits[above + column] + step * share;
        }
        widen(line.subarray(label * viewWidth, (label + 1) * viewWidth), wide, label, columns);
      }
      this.read(wide, row * this.width, this.width);
    }
  }
}

function widen(line, wide, label, { before, after, shares }) {
  const start = label * shares.length;
  for (let column = 0; column < shares.length; column++) {
    const left = line[before[column]];
    wide[start + column] = left + (line[after[column]] - left) * shares[column];
  }
}

/** Where the centres of `count` pixels lie among those of `length`: the pixels before and after, and
 * the share of the latter. */
function sample(length, count) {
  const before = new Uint32Array(count);
  const after = new Uint32Array(count);
  const shares = new Float32Array(count);
  for (let place = 0; place < count; place++) {
    const centre = ((place + 0.5) * length) / count - 0.5;
    const inside = Math.max(0, Math.min(length - 1, centre));
    before[place] = Math.floor(inside);
    after[place] = Math.min(before[place] + 1, length - 1);
    shares[place] = inside - before[place];
  }
  return { before, after, shares };
}
