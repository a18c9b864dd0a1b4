// What was found in a picture, as the viewer asks for it: a class a pixel, or layers that overlap.
import { percent } from "./dom.js";
import {
  DIMMED, VOID, abgr, countPixels, cutOut, opacityOf, outline, paintPixels, sumCounts,
} from "./overlay.js";

/** The planes of an answer of `segmentPicture`. */
export function planesOf(answer) {
  return answer.layers ? new LayerPlanes(answer) : new LabelPlanes(answer);
}

/** One class a pixel, and how sure it is. */
class LabelPlanes {
  overlaps = false;
  #answer;
  #counts;

  constructor(answer) {
    this.#answer = answer;
    this.#counts = countPixels(answer.labels, answer.confidence);
  }

  /** Whether a class has a row in the legend. */
  isListed(id) {
    return this.count(id, 0) > 0;
  }

  /** Pixels of a class with at least `least` confidence, 0 to 255. */
  count(id, least) {
    return sumCounts(this.#counts, id, least);
  }

  /** Pixels of a class that are void, as they have less confidence. */
  countVoid(id, least) {
    return sumCounts(this.#counts, id, 0, least);
  }

  paint(pixels, view) {
    const { labels, confidence, classes, view: [, width] } = this.#answer;
    const voidColour = this.#answer.void;
    paintPixels(pixels, { labels, confidence, classes, voidColour, image: { width } }, view);
  }

  cutOut(photo, view) {
    cutOut(photo, this.#answer, view);
  }

  /** The class at a place, and a text about it. */
  describe(place, least) {
    const { labels, confidence, classes } = this.#answer;
    const id = labels[place];
    const sure = percent(confidence[place] / 255);
    const text = `${classes[id]?.name ?? "void"}, ${sure} sure`;
    return { id: confidence[place] < least ? VOID : id, text };
  }
}

/** A layer of scores a class, 0 to 255; a pixel is of each class whose threshold it reaches. */
class LayerPlanes {
  overlaps = true;
  #answer;
  #counts;

  constructor(answer) {
    this.#answer = answer;
    this.#counts = new Uint32Array(256 * answer.classes.length);
    answer.layers.forEach((scores, id) => {
      for (const score of scores) this.#counts[256 * id + score]++;
    });
  }

  isListed() {
    return true; // a lower threshold may show what the model's own leaves out
  }

  count(id, least) {
    return sumCounts(this.#counts, id, this.#threshold(id, least));
  }

  countVoid() {
    return 0;
  }

  paint(pixels, view) {
    const { layers, classes, view: [, width] } = this.#answer;
    const shown = layers.map((_, id) => id).filter(view.isShown);
    const weights = classes.map((_, id) => (opacityOf(id, view) === DIMMED ? 0.1 : 1));
    const thresholds = classes.map((_, id) => this.#threshold(id, view.least));
    for (let i = 0; i < pixels.length; i++) {
      const sum = [0, 0, 0];
      let total = 0;
      let strongest = 0;
      for (const id of shown) {
        if (layers[id][i] < thresholds[id]) continue;
        for (let channel = 0; channel < 3; channel++) {
          sum[channel] += weights[id] * classes[id].colour[channel];
        }
        total += weights[id];
        strongest = Math.max(strongest, weights[id]);
      }
      const alpha = strongest < 1 ? DIMMED : 255;
      pixels[i] = total ? abgr(sum.map((value) => Math.round(value / total)), alpha) : 0;
    }
    for (const id of shown) {
      const inside = (i) => (layers[id][i] < thresholds[id] ? 0 : 1);
      outline(pixels, inside, width, { isShown: () => true });
    }
  }

  cutOut(photo, view) {
    const { layers } = this.#answer;
    const shown = layers.map((_, id) => id).filter(view.isShown);
    for (let i = 0; i < layers[0].length; i++) {
      if (!this.#classesAt(i, view.least).some((id) => shown.includes(id))) photo[4 * i + 3] = 0;
    }
  }

  describe(place, least) {
    const { layers, classes } = this.#answer;
    const ids = this.#classesAt(place, least);
    const texts = ids.map((id) => `${classes[id].name} ${percent(layers[id][place] / 255)}`);
    return { id: ids[0] ?? null, text: texts.join(", ") || "no class" };
  }

  /** The classes of a pixel, the surest first. */
  #classesAt(place, least) {
    const { layers } = this.#answer;
    const ids = layers.map((_, id) => id);
    const there = ids.filter((id) => layers[id][place] >= this.#threshold(id, least));
    return there.sort((first, second) => layers[second][place] - layers[first][place]);
  }

  /** The score from which a pixel is of a class: the model's own where none is asked for. */
  #threshold(id, least) {
    return least || this.#answer.thresholds[id];
  }
}
