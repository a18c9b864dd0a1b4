// Labels pictures beside the page, which stays quick: onnxruntime-web's script stands above this one.
import { LabelReader } from "./labels.js";
import { encodeMask } from "./palette_png.js";
import { decodePicture, encodeJpeg, readPixels } from "./picture.js";
import { resizePicture } from "./resample.js";
import { TilePlan, streamBands } from "./tiles.js";
import { sizeNote, viewSize } from "./view_size.js";

// Larger pictures are shown smaller, so that a browser repaints them at once.
const MAX_VIEW_PIXELS = 4_000_000;

let session = null;
let model = null; // its name, classes, palette, input, tiles and sizes
let current = null; // the request that counts: another one, or none, ends it

class GivenUp extends Error {}

async function start({ description, glue, runtime, network }) {
  const { wasm } = ort.env;
  wasm.numThreads = 1; // more need headers that a file has not
  wasm.wasmBinary = runtime;
  wasm.wasmPaths = { mjs: glue };
  model = description;
  session = await ort.InferenceSession.create(network, { executionProviders: ["wasm"] });
}

async function segment(request, file) {
  const bitmap = await decodePicture(file);
  const picture = readPixels(bitmap);
  const { height, width } = picture;
  const view = viewSize(height, width, model.sizes, file.type);
  const reader = await label(request, picture, view);
  const step = Math.max(1, Math.ceil(Math.sqrt((height * width) / MAX_VIEW_PIXELS)));
  const shown = [Math.ceil(height / step), Math.ceil(width / step)];
  const palette = Array.from({ length: 256 }, (_, id) => model.palette[id] ?? model.void);
  const notes = sizeNote(height, width, model.sizes, view);
  return {
    size: [height, width],
    view: shown,
    notes,
    classes: model.classes.map((name, id) => ({ name, colour: model.palette[id] })),
    void: model.void,
    image: await encodeJpeg(bitmap, ...shown),
    labels: thin(reader.labels, width, step),
    confidence: thin(reader.confidence, width, step),
    mask: await encodeMask(reader.labels, height, width, palette),
    data: JSON.stringify(describe(reader, notes)),
  };
}

/** The labels of a picture by way of its `view`, [height, width] at which the network sees it. */
async function label(request, picture, [viewHeight, viewWidth]) {
  const { height, width } = picture;
  const reader = new LabelReader(height, width);
  const isResized = viewHeight !== height || viewWidth !== width;
  const seen = isResized ? resizePicture(picture, viewHeight, viewWidth) : picture;
  const plan = new TilePlan(viewHeight, viewWidth, model.tiles);
  const area = viewHeight * viewWidth;
  const whole = isResized ? new Float32Array(model.classes.length * area) : null;
  for await (const { top, height: rows, logits } of streamBands(runner(request, plan), seen, plan)) {
    const count = rows * viewWidth;
    if (!whole) reader.read(logits, top * width, count);
    for (let id = 0; whole && id < model.classes.length; id++) {
      whole.set(logits.subarray(id * count, (id + 1) * count), id * area + top * viewWidth);
    }
  }
  if (whole) reader.readResized(whole, viewHeight, viewWidth);
  return reader;
}

/** Runs tiles, tells the page how many, and stops where the page wants another picture. */
function runner(request, plan) {
  let done = 0;
  return async (pixels, height, width) => {
    postMessage({ request, progress: done / plan.count });
    await new Promise((resume) => setTimeout(resume)); // the page's messages come in between
    if (current !== request) throw new GivenUp();
    const tensor = new ort.Tensor("uint8", pixels, [1, 3, height, width]);
    const { logits } = await session.run({ [model.input]: tensor });
    done++;
    return logits.data;
  };
}

/** Every `step`th label of every `step`th row. */
function thin(plane, width, step) {
  if (step === 1) return plane;
  const columns = Math.ceil(width / step);
  const thinned = new Uint8Array(columns * Math.ceil(plane.length / width / step));
  for (let place = 0; place < thinned.length; place++) {
    const row = Math.floor(place / columns);
    thinned[place] = plane[(row * width + (place % columns)) * step];
  }
  return thinned;
}

/** What the server's JSON says of a picture. */
function describe({ labels, height, width }, notes) {
  const counts = new Uint32Array(256);
  for (const label of labels) counts[label]++;
  const classes = model.classes.map((name, id) => {
    const share = counts[id] / labels.length;
    return { id, name, colour: model.palette[id], pixels: counts[id], share };
  });
  const present = classes.filter(({ pixels }) => pixels);
  return { model: model.name, height, width, classes: present, notes };
}

function explain(error) {
  const text = String(error?.message ?? error);
  if (error instanceof RangeError || /memory|bad_alloc|allocat/i.test(text)) {
    return "too little memory for this picture: save it smaller, or close other pages";
  }
  return text;
}

addEventListener("message", async ({ data }) => {
  const { request, file } = data;
  current = request;
  try {
    if (data.description) await start(data);
    const answer = file && (await segment(request, file));
    if (request !== null) postMessage({ request, answer: answer ?? true });
  } catch (error) {
    if (!(error instanceof GivenUp)) postMessage({ request, error: explain(error) });
  }
});
