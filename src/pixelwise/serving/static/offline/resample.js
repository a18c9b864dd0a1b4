// Pictures at another size: Pillow's resize(size, BICUBIC, reducing_gap=2.0) in its whole numbers,
// so that the network sees what `pixelwise predict` shows it.
const GAP = 2; // by how much more than needed a picture may stay when it is reduced by whole steps
const REACH = 2; // pixels on either side that a bicubic weight sees
const ONE = 2 ** 22; // weights are whole numbers; this one is 1
const CHANNELS = 3;

/** `picture` ({ pixels, height, width }, RGB bytes pixel by pixel) at another height and width. */
export function resizePicture(picture, height, width) {
  const down = Math.floor(picture.height / height / GAP) || 1;
  const across = Math.floor(picture.width / width / GAP) || 1;
  const reduced = down > 1 || across > 1 ? reducePicture(picture, down, across) : picture;
  const columns = weigh(reduced.width, picture.width / across, width);
  const rows = weigh(reduced.height, picture.height / down, height);
  return weighRows(weighColumns(reduced, columns), rows);
}

/** Each pixel the mean of `down` x `across`, fewer at the right and lower border. */
function reducePicture({ pixels, height, width }, down, across) {
  const newHeight = Math.ceil(height / down);
  const newWidth = Math.ceil(width / across);
  const result = new Uint8Array(newHeight * newWidth * CHANNELS);
  let place = 0;
  for (let top = 0; top < height; top += down) {
    const bottom = Math.min(height, top + down);
    for (let left = 0; left < width; left += across) {
      const right = Math.min(width, left + across);
      const count = (bottom - top) * (right - left);
      const factor = Math.floor(2 ** 24 / count);
      for (let channel = 0; channel < CHANNELS; channel++) {
        let sum = Math.floor(count / 2);
        for (let row = top; row < bottom; row++) {
          for (let column = left; column < right; column++) {
            sum += pixels[(row * width + column) * CHANNELS + channel];
          }
        }
        result[place++] = Math.floor((sum * factor) / 2 ** 24);
      }
    }
  }
  return { pixels: result, height: newHeight, width: newWidth };
}

function bicubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
}

/** For each of `count` pixels the first of `length` that it sees and the weights of those from there
 * on; they lie on `span` of the pixels. Null where nothing changes. */
function weigh(length, span, count) {
  const end = Math.fround(span);
  if (count === length && end === length) return null;
  const step = end / count;
  const scale = Math.max(1, step);
  return Array.from({ length: count }, (_, place) => {
    const centre = (place + 0.5) * step;
    const first = Math.max(0, Math.trunc(centre - REACH * scale + 0.5));
    const last = Math.min(length, Math.trunc(centre + REACH * scale + 0.5));
    const weights = Array.from({ length: last - first }, (_, i) =>
      bicubic((i + first - centre + 0.5) / scale),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const whole = weights.map((weight) => toWhole(weight / total));
    return { first, weights: Int32Array.from(whole) };
  });
}

function toWhole(weight) {
  return Math.trunc(weight * ONE + (weight < 0 ? -0.5 : 0.5));
}

function toByte(sum) {
  return Math.max(0, Math.min(255, Math.floor(sum / ONE)));
}

function weighColumns(picture, columns) {
  if (!columns) return picture;
  const { pixels, height, width } = picture;
  const result = new Uint8Array(height * columns.length * CHANNELS);
  let place = 0;
  for (let row = 0; row < height; row++) {
    for (const { first, weights } of columns) {
      const start = (row * width + first) * CHANNELS;
      for (let channel = 0; channel < CHANNELS; channel++) {
        let sum = ONE / 2;
        for (let i = 0; i < weights.length; i++) {
          sum += pixels[start + i * CHANNELS + channel] * weights[i];
        }
        result[place++] = toByte(sum);
      }
    }
  }
  return { pixels: result, height, width: columns.length };
}

function weighRows(picture, rows) {
  if (!rows) return picture;
  const { pixels, width } = picture;
  const line = width * CHANNELS;
  const result = new Uint8Array(rows.length * line);
  const sums = new Float64Array(line);
  rows.forEach(({ first, weights }, row) => {
    sums.fill(ONE / 2);
    weights.forEach((weight, i) => {
      const start = (first + i) * line;
      for (let place = 0; place < line; place++) sums[place] += pixels[start + place] * weight;
    });
    for (let place = 0; place < line; place++) result[row * line + place] = toByte(sums[place]);
  });
  return { pixels: result, height: rows.length, width };
}
