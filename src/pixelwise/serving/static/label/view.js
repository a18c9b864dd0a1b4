// Where the photo lies on the screen, and its tiles: only those that are seen are loaded.
import { tileAddress } from "./server.js";

const MAX_TILES = 200;
const MAX_SCALE = 40;

export class View {
  #canvas;
  #context;
  #tiles = new Map(); // by address, in the order of their last use
  #onChange;
  photo = null;
  scale = 1; // screen pixels (CSS) of a pixel of the photo
  x = 0; // the photo's column and row at the upper left corner of the stage
  y = 0;

  constructor(canvas, onChange) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#onChange = onChange;
    new ResizeObserver(() => this.#resize()).observe(canvas);
  }

  get width() {
    return this.#canvas.clientWidth;
  }

  get height() {
    return this.#canvas.clientHeight;
  }

  /** Show another photo, whole. */
  show(photo) {
    this.photo = photo;
    this.#tiles.clear();
    this.fit();
  }

  fit() {
    if (!this.photo || !this.width) return;
    const [height, width] = this.photo.size;
    this.scale = Math.min(this.width / width, this.height / height, MAX_SCALE);
    this.x = (width - this.width / this.scale) / 2;
    this.y = (height - this.height / this.scale) / 2;
    this.#changed();
  }

  /** Zoom so that the photo stays where it is under a place of the stage. */
  zoom(factor, left = this.width / 2, top = this.height / 2) {
    if (!this.photo) return;
    const least = Math.min(this.width / this.photo.size[1], this.height / this.photo.size[0], 1) / 2;
    const scale = Math.min(MAX_SCALE, Math.max(least, this.scale * factor));
    this.x += left / this.scale - left / scale;
    this.y += top / this.scale - top / scale;
    this.scale = scale;
    this.#changed();
  }

  /** Move the photo by screen pixels. */
  pan(right, down) {
    this.x -= right / this.scale;
    this.y -= down / this.scale;
    this.#changed();
  }

  /** Column and row of the photo at a place of the stage, cut to the photo. */
  toPhoto(left, top) {
    const [height, width] = this.photo.size;
    const inside = (value, most) => Math.min(most, Math.max(0, value));
    return [inside(this.x + left / this.scale, width), inside(this.y + top / this.scale, height)];
  }

  isInside(left, top) {
    if (!this.photo) return false;
    const column = this.x + left / this.scale;
    const row = this.y + top / this.scale;
    return column >= 0 && row >= 0 && column < this.photo.size[1] && row < this.photo.size[0];
  }

  toScreen([column, row]) {
    return [(column - this.x) * this.scale, (row - this.y) * this.scale];
  }

  /** The level whose pixels are as large as the screen's, and what of it is seen (with a margin). */
  visible(margin = 0) {
    const shown = this.scale * devicePixelRatio;
    const last = this.photo.levels.length - 1;
    const level = Math.min(last, Math.max(0, Math.floor(Math.log2(1 / shown) + 0.01)));
    const step = 2 ** level;
    const [rows, columns] = this.photo.levels[level];
    const extra = margin / this.scale;
    const cut = (value, most) => Math.min(most, Math.max(0, value));
    const top = cut(Math.floor((this.y - extra) / step), rows);
    const left = cut(Math.floor((this.x - extra) / step), columns);
    const bottom = cut(Math.ceil((this.y + this.height / this.scale + extra) / step), rows);
    const right = cut(Math.ceil((this.x + this.width / this.scale + extra) / step), columns);
    return { level, top, left, height: bottom - top, width: right - left };
  }

  /** Set a context so that it draws in pixels of the photo. */
  transform(context, step = 1) {
    const scale = this.scale * devicePixelRatio;
    context.setTransform(scale * step, 0, 0, scale * step, -this.x * scale, -this.y * scale);
  }

  draw() {
    const context = this.#context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    if (!this.photo) return;
    context.imageSmoothingEnabled = this.scale * devicePixelRatio < 2;
    const { level } = this.visible();
    // coarse tiles lie below until the fine ones are there
    this.#drawLevel(this.photo.levels.length - 1);
    if (level < this.photo.levels.length - 1) this.#drawLevel(level);
  }

  #drawLevel(level) {
    const { tile, levels, number } = this.photo;
    const step = 2 ** level;
    const [rows, columns] = levels[level];
    const side = tile * step;
    const first = [Math.max(0, Math.floor(this.y / side)), Math.max(0, Math.floor(this.x / side))];
    const last = [
      Math.min(Math.ceil(rows / tile), Math.ceil((this.y + this.height / this.scale) / side)),
      Math.min(Math.ceil(columns / tile), Math.ceil((this.x + this.width / this.scale) / side)),
    ];
    this.transform(this.#context, step);
    for (let row = first[0]; row < last[0]; row++) {
      for (let column = first[1]; column < last[1]; column++) {
        const image = this.#tile(tileAddress(number, level, row, column));
        if (image.complete && image.naturalWidth) {
          this.#context.drawImage(image, column * tile, row * tile);
        }
      }
    }
  }

  #tile(address) {
    let image = this.#tiles.get(address);
    if (!image) {
      image = new Image();
      image.src = address;
      image.addEventListener("load", () => this.#onChange(false));
    }
    this.#tiles.delete(address);
    this.#tiles.set(address, image);
    if (this.#tiles.size > MAX_TILES) this.#tiles.delete(this.#tiles.keys().next().value);
    return image;
  }

  #resize() {
    const canvas = this.#canvas;
    const first = !canvas.dataset.sized;
    canvas.dataset.sized = "yes";
    canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
    canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
    if (first) this.fit();
    else this.#changed();
  }

  #changed() {
    this.#onChange(true);
  }
}
