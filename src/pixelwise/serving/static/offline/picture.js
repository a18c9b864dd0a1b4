// A file as pixels: upright, in sRGB, on white.
const STRIP_PIXELS = 2 ** 22; // that are drawn at once

/** A decoded picture that can be drawn. */
export async function decodePicture(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    throw new Error(
      `${file.name || "the file"} cannot be read: it is no picture, damaged, too large, or of a ` +
        "format that this browser does not know; save it as JPEG or PNG",
    );
  }
}

/** { pixels, height, width } of RGB bytes, pixel by pixel. */
export function readPixels(bitmap) {
  const { height, width } = bitmap;
  const pixels = new Uint8Array(3 * height * width);
  const rows = Math.max(1, Math.min(height, Math.floor(STRIP_PIXELS / width)));
  const context = createContext(rows, width);
  let place = 0;
  for (let top = 0; top < height; top += rows) {
    context.fillStyle = "white";
    context.fillRect(0, 0, width, rows);
    context.drawImage(bitmap, 0, -top);
    const { data } = context.getImageData(0, 0, width, Math.min(rows, height - top));
    for (let source = 0; source < data.length; source += 4) {
      pixels[place++] = data[source];
      pixels[place++] = data[source + 1];
      pixels[place++] = data[source + 2];
    }
  }
  return { pixels, height, width };
}

/** A JPEG of the picture at a size, to be shown. */
export function encodeJpeg(bitmap, height, width) {
  const context = createContext(height, width);
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  return context.canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}

function createContext(height, width) {
  const canvas = new OffscreenCanvas(width, height);
  // in main memory: a graphics card may change the last bit
  return canvas.getContext("2d", { willReadFrequently: true });
}
