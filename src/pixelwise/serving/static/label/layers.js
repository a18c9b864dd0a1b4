// The layers over the photo: what is labelled, and what the model says of what is seen.
import { fetchWindow } from "./server.js";

export const UNLABELLED = 254;
export const VOID = 255;
const MARGIN = 120; // screen pixels around what is seen that are fetched too

const abgr = ([red, green, blue], alpha) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;

/** One window of planes of bytes, and its picture. */
class Layer {
  box = null;
  planes = null;
  canvas = document.createElement("canvas");

  clear() {
    this.box = null;
    this.planes = null;
  }

  set(box, planes) {
    this.box = box;
    this.planes = planes;
  }

  paint(colourOf) {
    if (!this.box) return;
    const { height, width } = this.box;
    this.canvas.width = width;
    this.canvas.height = height;
    const image = new ImageData(width, height);
    colourOf(new Uint32Array(image.data.buffer), this.planes);
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }

  draw(context, view) {
    if (!this.box) return;
    view.transform(context, 2 ** this.box.level);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.canvas, this.box.left, this.box.top);
  }

  /** The value of a plane at a pixel of the photo, null outside. */
  at(column, row, plane = 0) {
    if (!this.box) return null;
    const { level, top, left, height, width } = this.box;
    const x = Math.floor(column / 2 ** level) - left;
    const y = Math.floor(row / 2 ** level) - top;
    if (x < 0 || y < 0 || x >= width || y >= height) return null;
    return this.planes[(plane * height + y) * width + x];
  }
}

export class Layers {
  #view;
  #onChange;
  #request = null;
  #timer = 0;
  labels = new Layer();
  prediction = new Layer();
  classes = [];
  version = 0;
  byConfidence = false;
  seconds = 0; // of the last prediction

  constructor(view, onChange) {
    this.#view = view;
    this.#onChange = onChange;
  }

  clear() {
    this.#request?.abort();
    this.labels.clear();
    this.prediction.clear();
  }

  setClasses(classes) {
    this.classes = classes;
    this.repaint();
  }

  /** Fetch what is seen, as of a version of the project; done once the labels are there. */
  async refresh(version, start = performance.now()) {
    clearTimeout(this.#timer);
    if (!this.#view.photo || !this.#view.width) return;
    this.version = Math.max(version, this.version);
    this.#request?.abort();
    const control = new AbortController();
    this.#request = control;
    const box = this.#view.visible(MARGIN);
    if (!box.height || !box.width) return;
    const { number } = this.#view.photo;
    try {
      const labels = await fetchWindow(number, "labels", box, this.version, control.signal);
      this.labels.set(box, labels);
      this.#paintLabels();
      this.#onChange();
      this.#predict(number, box, control.signal, start);
    } catch (error) {
      if (!control.signal.aborted) throw error;
    }
  }

  /** After the view has moved: fetch once it rests. */
  refreshSoon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refresh(this.version).catch(() => {}), 150);
  }

  async #predict(number, box, signal, start) {
    try {
      const planes = await fetchWindow(number, "prediction", box, this.version, signal);
      if (planes) this.prediction.set(box, planes);
      else this.prediction.clear();
      this.#paintPrediction();
      this.seconds = (performance.now() - start) / 1000;
      this.#onChange();
    } catch {
      // a newer window is on its way, or the next act tells what is wrong
    }
  }

  repaint() {
    this.#paintLabels();
    this.#paintPrediction();
    this.#onChange();
  }

  #colours() {
    const colours = new Uint32Array(256);
    for (const { key, colour } of this.classes) colours[key] = abgr(colour, 255);
    return colours;
  }

  #paintLabels() {
    const colours = this.#colours();
    colours[VOID] = abgr([128, 128, 128], 255);
    this.labels.paint((pixels, labels) => {
      for (let i = 0; i < pixels.length; i++) pixels[i] = colours[labels[i]];
    });
  }

  #paintPrediction() {
    const colours = this.#colours();
    this.prediction.paint((pixels, planes) => {
      const count = pixels.length;
      for (let i = 0; i < count; i++) {
        const sure = planes[count + i];
        if (this.byConfidence) pixels[i] = abgr([255 - sure, Math.min(255, sure + 60), 120], 255);
        else pixels[i] = colours[planes[i]];
      }
    });
  }
}
