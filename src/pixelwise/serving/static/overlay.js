// Labels and confidence to colours: arithmetic on arrays alone, nothing of the document.

export const VOID = 255;
export const DIMMED = 50; // opacity, of 255, of classes beside the highlighted one
const STRIPE = 3; // pixels of a stripe of void
const LIGHT = 0xffffffff; // outlines: one of both lines shows on any photo
const DARK = 0xff1c1614;

/** Pixels by class and confidence: entry 256 * class + confidence. */
export function countPixels(labels, confidence) {
  const counts = new Uint32Array(256 * 256);
  for (let i = 0; i < labels.length; i++) counts[labels[i] * 256 + confidence[i]]++;
  return counts;
}

/** How many pixels of a class have a confidence of `from` up to, but not including, `to`. */
export function sumCounts(counts, id, from = 0, to = 256) {
  return counts.subarray(id * 256 + from, id * 256 + to).reduce((sum, count) => sum + count, 0);
}

/** A pixel as ImageData holds it on little-endian machines. */
export function abgr([red, green, blue], alpha) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Transparent colours of cividis (Nunez et al. 2018) by confidence; the stops are page.css's. */
function confidenceColours() {
  const stops = [[0, 32, 77], [87, 93, 109], [165, 156, 116], [255, 234, 70]];
  return Uint32Array.from({ length: 256 }, (_, confidence) => {
    const place = (confidence / 255) * 3;
    const below = Math.min(2, Math.floor(place));
    const share = place - below;
    const mix = (low, i) => Math.round(low + share * (stops[below + 1][i] - low));
    return abgr(stops[below].map(mix), 0);
  });
}

const CONFIDENCE_COLOURS = confidenceColours();

/**
 * Paint every pixel.
 * result: labels, confidence, classes, voidColour, image. view: least (confidence, 0 to 255),
 * byConfidence, isShown(id), highlighted (a class or null).
 */
export function paintPixels(pixels, result, view) {
  const { labels, confidence, classes, voidColour } = result;
  const alphas = new Uint32Array(256);
  const colours = new Uint32Array(256);
  classes.forEach(({ colour }, id) => {
    const alpha = opacityOf(id, view);
    alphas[id] = (alpha << 24) >>> 0;
    // a black class is the background: the picture itself stays
    colours[id] = colour.some(Boolean) ? abgr(colour, alpha) : 0;
  });
  const width = result.image.width;
  const empty = abgr(voidColour, 255);
  const shown = (i) => (confidence[i] < view.least ? VOID : labels[i]);
  for (let i = 0; i < labels.length; i++) {
    const id = shown(i);
    // void is hatched, as in overlays
    const striped = Math.floor((Math.floor(i / width) + (i % width)) / STRIPE) % 2;
    if (id === VOID) pixels[i] = striped ? empty : 0;
    else if (!view.byConfidence) pixels[i] = colours[id];
    else pixels[i] = (CONFIDENCE_COLOURS[confidence[i]] | alphas[id]) >>> 0;
  }
  if (!view.byConfidence) outline(pixels, shown, width, view);
}

/** Make `photo` (RGBA bytes) transparent wherever no shown class is; the background never is one. */
export function cutOut(photo, { labels, confidence, classes }, view) {
  const isKept = classes.map(({ colour }, id) => colour.some(Boolean) && view.isShown(id));
  for (let i = 0; i < labels.length; i++) {
    if (!isKept[labels[i]] || confidence[i] < view.least) photo[4 * i + 3] = 0;
  }
}

/** A light line within each region, on the side of the higher id, and a dark one beside it. */
export function outline(pixels, shown, width, view) {
  const isShown = Array.from({ length: 256 }, (_, id) => view.isShown(id));
  const mark = (i, j) => {
    const first = shown(i);
    const second = shown(j);
    if (first === second || first === VOID || second === VOID) return;
    if (!isShown[first] && !isShown[second]) return;
    pixels[first > second ? i : j] = LIGHT;
    pixels[first > second ? j : i] = DARK;
  };
  for (let i = 0; i < pixels.length; i++) {
    if ((i + 1) % width) mark(i, i + 1);
    if (i + width < pixels.length) mark(i, i + width);
  }
}

/** Opacity of a class, of 255. */
export function opacityOf(id, { isShown, highlighted }) {
  if (!isShown(id)) return 0;
  // no class steps back behind one that is hidden itself
  const dimmed = highlighted !== null && highlighted !== id && isShown(highlighted);
  return dimmed ? DIMMED : 255;
}
