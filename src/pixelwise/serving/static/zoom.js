// Zoom and pan: wheel, pinch, drag, double click, buttons and keys move photo and layers together.

const STEP = 1.5; // of a key or a button
const CLOSER = 3; // of a double click
const WHEEL = 0.0016;
const LARGEST_PIXEL = 24; // screen pixels of a pixel of the picture
const COARSE_PIXEL = 3; // from this size on pixels are shown as squares
const NUDGE = 0.1; // of the stage's side, by an arrow key

export class Zoom {
  #stage;
  #content;
  #photo;
  #pointers = new Map(); // the fingers, or the mouse, that are down: places on the stage
  #scale = 1;
  #x = 0; // the content's upper left corner, in widths and heights of the stage
  #y = 0;

  /** `find` gives the parts `stage`, `content` (which is moved), `photo` and the three buttons. */
  constructor(find) {
    this.#stage = find("stage");
    this.#content = find("content");
    this.#photo = find("photo");
    const on = (kind, act) => this.#stage.addEventListener(kind, act, { passive: false });
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      on(kind, ({ pointerId }) => this.#pointers.delete(pointerId));
    }
    on("wheel", (event) => this.#wheel(event));
    on("dblclick", (event) => this.#toggle(event));
    // else the browser scrolls the page with two fingers; one finger scrolls until it can pan
    on("touchmove", (event) => {
      if (event.touches.length > 1 || this.#scale > 1) event.preventDefault();
    });
    document.addEventListener("keydown", (event) => this.#key(event));
    find("zoom-in").addEventListener("click", () => this.#zoom(STEP));
    find("zoom-out").addEventListener("click", () => this.#zoom(1 / STEP));
    find("fit").addEventListener("click", () => this.reset());
  }

  /** Show the whole picture. */
  reset() {
    this.#scale = 1;
    this.#apply();
  }

  #place({ clientX, clientY }) {
    const { left, top, width, height } = this.#stage.getBoundingClientRect();
    return [(clientX - left) / width, (clientY - top) / height];
  }

  /** Zoom so that the picture stays where it is under a place of the stage. */
  #zoom(factor, [left, top] = [0.5, 0.5]) {
    const { width } = this.#stage.getBoundingClientRect();
    const most = Math.max(CLOSER, (LARGEST_PIXEL * this.#photo.naturalWidth) / width);
    const scale = Math.min(most, Math.max(1, this.#scale * factor));
    this.#x = left - ((left - this.#x) * scale) / this.#scale;
    this.#y = top - ((top - this.#y) * scale) / this.#scale;
    this.#scale = scale;
    this.#apply();
  }

  #pan(right, down) {
    this.#x += right;
    this.#y += down;
    this.#apply();
  }

  #apply() {
    const scale = this.#scale;
    const inside = (start) => Math.min(0, Math.max(1 - scale, start)); // no gap at a border
    this.#x = inside(this.#x);
    this.#y = inside(this.#y);
    const shift = `${100 * this.#x}%, ${100 * this.#y}%`;
    this.#content.style.transform = scale > 1 ? `translate(${shift}) scale(${scale})` : "";
    this.#stage.style.setProperty("--zoom", scale);
    this.#stage.classList.toggle("zoomed", scale > 1);
    const { width } = this.#content.getBoundingClientRect();
    this.#stage.classList.toggle("coarse", width > COARSE_PIXEL * this.#photo.naturalWidth);
  }

  #down(event) {
    if (event.button > 0) return;
    this.#pointers.set(event.pointerId, this.#place(event));
    // a mouse goes on panning outside; at the whole picture nothing is to be kept from others
    if (this.#scale > 1) this.#stage.setPointerCapture(event.pointerId);
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const place = this.#place(event);
    this.#pointers.set(event.pointerId, place);
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) {
      if (this.#scale > 1) this.#pan(place[0] - before[0], place[1] - before[1]);
      return;
    }
    const { width, height } = this.#stage.getBoundingClientRect();
    const length = ([x, y]) => Math.hypot((x - other[0]) * width, (y - other[1]) * height);
    const middle = [(before[0] + other[0]) / 2, (before[1] + other[1]) / 2];
    // first larger: the whole picture cannot be panned
    if (length(before) > 1) this.#zoom(length(place) / length(before), middle);
    this.#pan((place[0] - before[0]) / 2, (place[1] - before[1]) / 2);
  }

  #wheel(event) {
    const lines = event.deltaMode === 1 ? 30 : 1;
    const factor = Math.exp(-event.deltaY * lines * WHEEL);
    if (factor <= 1 && this.#scale === 1 && !event.ctrlKey) return; // the page scrolls on
    event.preventDefault();
    this.#zoom(factor, this.#place(event));
  }

  #toggle(event) {
    if (this.#scale > 1) this.reset();
    else this.#zoom(CLOSER, this.#place(event));
  }

  #key(event) {
    const isElsewhere = event.target.closest("select, dialog") || !this.#stage.checkVisibility();
    if (event.ctrlKey || event.metaKey || event.altKey || isElsewhere) return;
    const arrows = {
      ArrowLeft: [NUDGE, 0],
      ArrowRight: [-NUDGE, 0],
      ArrowUp: [0, NUDGE],
      ArrowDown: [0, -NUDGE],
    };
    if (event.key === "+" || event.key === "=") this.#zoom(STEP);
    else if (event.key === "-") this.#zoom(1 / STEP);
    else if (event.key === "0") this.reset();
    else if (event.key in arrows && event.target === this.#stage && this.#scale > 1) {
      this.#pan(...arrows[event.key]);
    } else return;
    event.preventDefault();
  }
}
