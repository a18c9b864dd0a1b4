// At which size the network sees a picture, as its model's header says.

// Formats whose pixels may stand for a length; some browsers read them.
const MEASURED = ["image/tiff", "image/jp2", "image/jpx"];

/** [height, width] at which a picture of media type `type` is seen; `sizes` as in the header. */
export function viewSize(height, width, sizes, type) {
  if (!sizes || !(sizes.framed ?? !MEASURED.includes(type))) return [height, width];
  const side = Math.sqrt(height * width);
  const isUsual = sizes.smallest <= side && side <= sizes.largest;
  if (isUsual && !sizes.varied) return [height, width];
  const factor = sizes.side / side;
  return [height, width].map((length) => Math.max(1, roundHalfToEven(length * factor)));
}

/** What is said of a picture that is seen at another size than its own because it is unusual. */
export function sizeNote(height, width, sizes, view) {
  const side = Math.sqrt(height * width);
  const isUsual = !sizes || (sizes.smallest <= side && side <= sizes.largest);
  if (isUsual || (view[0] === height && view[1] === width)) return [];
  const size = side > sizes.side ? "larger" : "smaller";
  return [`much ${size} than the training's pictures, and seen at the training's size`];
}

/** As Python rounds. */
function roundHalfToEven(number) {
  const nearest = Math.round(number);
  return nearest - number === 0.5 && nearest % 2 ? nearest - 1 : nearest;
}
