// The viewer of a result: once the labels are there, all happens here.
import { download, partsOf } from "./dom.js";
import { showImage, stemOf } from "./images.js";
import { Legend } from "./legend.js";
import { planesOf } from "./planes.js";
import { Zoom } from "./zoom.js";

export class ResultView {
  #find;
  #layer;
  #context;
  #legend;
  #zoom;
  #result = null;
  #file = null; // the picture that is shown or waited for
  #highlighted = null;

  constructor(panel) {
    this.#find = partsOf(panel);
    this.#layer = this.#find("layer");
    this.#context = this.#layer.getContext("2d");
    this.#legend = new Legend(this.#find("legend"), {
      onChange: () => this.#paint(),
      onHighlight: (id) => this.#highlight(id),
    });
    this.#zoom = new Zoom(this.#find);
    this.#listen();
    this.#setOpacity();
    this.#setCompare();
  }

  /** Show a picture as it was chosen, until its result comes; the result before goes. */
  async preview(file) {
    this.#file = file;
    this.#result = null;
    this.#setComplete(false);
    this.#zoom.reset();
    this.#scrollTo("request");
    const photo = this.#find("photo");
    const address = URL.createObjectURL(file);
    try {
      await showImage(photo, address);
      if (photo.src === address) this.#setShape(photo.naturalWidth / photo.naturalHeight);
    } catch {
      // a format that the browser cannot show, such as TIFF; or another picture came meanwhile
      if (photo.src === address) this.#setVisible(false);
    } finally {
      URL.revokeObjectURL(address);
    }
  }

  /** Show what `segmentPicture` gave about `file`, unless another one is waited for. */
  async show(answer, file) {
    if (file !== this.#file) return;
    const [height, width] = answer.view;
    const image = new ImageData(width, height);
    this.#result = {
      planes: planesOf(answer),
      image,
      pixels: new Uint32Array(image.data.buffer),
      classes: answer.classes,
      voidColour: answer.void,
      masks: answer.masks ?? [answer.mask],
      data: answer.data,
    };
    this.#layer.width = width;
    this.#layer.height = height;
    await showImage(this.#find("photo"), answer.image);
    this.#setShape(width / height);
    this.#find("under").textContent = "Point at the picture, or tap it, to see what a pixel is.";
    // of layers each class is as sure as its own score: no one confidence could be shown
    this.#find("modes").hidden = this.#result.planes.overlaps;
    this.#setLeast();
    const absent = this.#legend.fill(this.#result);
    this.#find("absent").textContent = absent.length ? `Not found: ${absent.join(", ")}.` : "";
    this.#setMode(); // which paints
    this.#setComplete(true);
    this.#scrollTo("shown");
  }

  /** Where the columns lie below one another, the part goes to the top of the screen. */
  #scrollTo(part) {
    const block = matchMedia("(max-width: 760px)").matches ? "start" : "nearest";
    this.#find(part).scrollIntoView({ block });
  }

  #setShape(shape) {
    this.#find("shown").style.setProperty("--shape", shape);
    this.#setVisible(true);
  }

  #setVisible(visible) {
    this.#find("empty").hidden = visible;
    this.#find("shown").hidden = !visible;
  }

  /** Whether there is a result over the picture, with its controls. */
  #setComplete(complete) {
    for (const part of ["layer", "edge", "controls", "tune"]) this.#find(part).hidden = !complete;
    if (complete) this.#setCompare(); // the edge has a rule of its own
  }

  #listen() {
    const on = (part, kind, act) => this.#find(part).addEventListener(kind, act);
    on("least", "input", () => {
      this.#setLeast();
      this.#paint();
    });
    for (const part of ["classes", "confidence"]) on(part, "change", () => this.#setMode());
    on("opacity", "input", () => this.#setOpacity());
    on("compare", "input", () => this.#setCompare());
    on("all", "click", () => this.#legend.setAll(true));
    on("none", "click", () => this.#legend.setAll(false));
    for (const kind of ["pointermove", "pointerdown"]) {
      on("stage", kind, (event) => this.#describePixel(event));
    }
    on("stage", "pointerleave", () => this.#highlight(null));
    on("save-mask", "click", () => this.#saveMask());
    on("save-overlay", "click", () => this.#saveOverlay());
    on("save-cutout", "click", () => this.#saveCutout());
    on("save-data", "click", () => this.#saveData());
  }

  #least() {
    return Math.round(this.#find("least").value * 2.55); // percent to a byte
  }

  #setLeast() {
    const value = this.#find("least").value;
    const isOwn = this.#result?.planes.overlaps && value === "0";
    this.#find("least-value").textContent = isOwn ? "each class's own" : `${value} %`;
  }

  #byConfidence() {
    return this.#find("confidence").checked && !this.#result?.planes.overlaps;
  }

  #settings() {
    return {
      least: this.#least(),
      byConfidence: this.#byConfidence(),
      isShown: (id) => this.#legend.isShown(id),
      highlighted: this.#highlighted,
    };
  }

  #paint() {
    if (!this.#result) return;
    this.#result.planes.paint(this.#result.pixels, this.#settings());
    this.#context.putImageData(this.#result.image, 0, 0);
    const shares = this.#legend.update(this.#result, this.#least());
    this.#layer.setAttribute("aria-label", `Classes found: ${shares}`);
  }

  #highlight(id) {
    if (id === this.#highlighted) return;
    this.#highlighted = id;
    this.#legend.mark(id);
    this.#paint();
  }

  #describePixel(event) {
    if (!this.#result) return;
    const { width, height } = this.#layer;
    const box = this.#layer.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * width);
    const row = Math.floor(((event.clientY - box.top) / box.height) * height);
    if (column < 0 || row < 0 || column >= width || row >= height) return;
    const place = row * width + column;
    const { id, text } = this.#result.planes.describe(place, this.#least());
    this.#find("under").textContent = `${text} (column ${column}, row ${row})`;
    this.#highlight(id);
  }

  #setMode() {
    this.#find("heat").hidden = !this.#byConfidence();
    this.#paint();
  }

  #setOpacity() {
    const opacity = this.#find("opacity").value;
    this.#layer.style.opacity = opacity / 100;
    this.#find("opacity-value").textContent = `${opacity} %`;
  }

  #setCompare() {
    const share = this.#find("compare").value;
    const edge = this.#find("edge");
    this.#layer.style.clipPath = `inset(0 0 0 ${share}%)`;
    edge.style.left = `${share}%`;
    edge.hidden = !(share > 0 && share < 100);
    this.#find("compare").setAttribute("aria-valuetext", `${share} % before`);
  }

  #saveMask() {
    const { masks, classes } = this.#result;
    masks.forEach((mask, id) => {
      const name = masks.length > 1 ? classes[id].name : "mask";
      download(new Blob([mask], { type: "image/png" }), `${stemOf(this.#file)}_${name}.png`);
    });
  }

  #saveData() {
    const data = new Blob([this.#result.data], { type: "application/json" });
    download(data, `${stemOf(this.#file)}.json`);
  }

  /** The photo where the ticked classes are, and nothing elsewhere. */
  #saveCutout() {
    const { width, height } = this.#layer;
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    context.drawImage(this.#find("photo"), 0, 0, width, height);
    const image = context.getImageData(0, 0, width, height);
    this.#result.planes.cutOut(image.data, this.#settings());
    context.putImageData(image, 0, 0);
    canvas.toBlob((blob) => download(blob, `${stemOf(this.#file)}_cutout.png`));
  }

  /** As it is seen: opacity, hidden classes, and the part before the slider without the layer. */
  #saveOverlay() {
    const { width, height } = this.#layer;
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    const start = Math.round((this.#find("compare").value / 100) * width);
    context.drawImage(this.#find("photo"), 0, 0, width, height);
    context.globalAlpha = this.#find("opacity").value / 100;
    context.beginPath();
    context.rect(start, 0, width, height);
    context.clip();
    context.drawImage(this.#layer, 0, 0);
    canvas.toBlob((blob) => download(blob, `${stemOf(this.#file)}_overlay.png`));
  }
}
