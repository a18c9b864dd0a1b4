// The stage: pointer, pen, fingers and keys on the photo.

const WHEEL = 0.0016;

export class Stage {
  #element;
  #view;
  #tools;
  #pointers = new Map(); // the fingers, or the mouse, that are down: places on the stage
  #isMoving = false;
  #space = false;
  #onStroke;
  #onChange;
  pointer = null; // column and row of the photo under the pointer
  cross = null; // the keyboard's own pointer

  constructor(element, view, tools, { onStroke, onChange }) {
    this.#element = element;
    this.#view = view;
    this.#tools = tools;
    this.#onStroke = onStroke;
    this.#onChange = onChange;
    const on = (kind, act) => element.addEventListener(kind, act);
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    on("pointerup", (event) => this.#up(event));
    on("pointercancel", (event) => this.#cancel(event));
    on("pointerleave", () => this.#leave());
    on("wheel", (event) => this.#wheel(event));
    on("contextmenu", (event) => event.preventDefault());
    on("keydown", (event) => this.#keyDown(event));
    addEventListener("keyup", (event) => event.code === "Space" && this.#setSpace(false));
    addEventListener("blur", () => this.#setSpace(false));
  }

  #place(event) {
    const box = this.#element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #down(event) {
    if (!this.#view.photo) return;
    this.#element.focus({ preventScroll: true });
    this.#element.setPointerCapture(event.pointerId);
    const place = this.#place(event);
    this.#pointers.set(event.pointerId, place);
    this.cross = null;
    const isMove = this.#space || event.button === 1 || this.#tools.tool === "hand";
    if (this.#pointers.size > 1 || isMove) {
      if (this.#tools.tool !== "polygon") this.#tools.cancel(); // two fingers move and zoom
      this.#isMoving = true;
      return;
    }
    if (event.button > 1 || !this.#view.isInside(...place)) return;
    this.pointer = this.#view.toPhoto(...place);
    this.#send(this.#tools.begin(this.pointer, { alt: event.altKey }));
  }

  #move(event) {
    if (!this.#view.photo) return;
    const place = this.#place(event);
    const before = this.#pointers.get(event.pointerId);
    if (this.#isMoving && before) this.#drag(event.pointerId, before, place);
    if (this.#pointers.has(event.pointerId)) this.#pointers.set(event.pointerId, place);
    this.pointer = this.#view.toPhoto(...place);
    if (!this.#isMoving) {
      // the places between two frames too, for a smooth line
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) {
        this.#tools.move(this.#view.toPhoto(...this.#place(each)));
      }
    }
    this.#onChange();
  }

  #drag(id, before, place) {
    const others = [...this.#pointers].filter(([key]) => key !== id).map(([, value]) => value);
    if (!others.length) {
      this.#view.pan(place[0] - before[0], place[1] - before[1]);
      return;
    }
    const [other] = others;
    const length = ([x, y]) => Math.hypot(x - other[0], y - other[1]);
    const middle = [(place[0] + other[0]) / 2, (place[1] + other[1]) / 2];
    this.#view.pan((place[0] - before[0]) / 2, (place[1] - before[1]) / 2);
    if (length(before) > 1) this.#view.zoom(length(place) / length(before), ...middle);
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    if (this.#isMoving) {
      this.#isMoving = this.#pointers.size > 0;
      return;
    }
    this.#send(this.#tools.end());
  }

  #cancel(event) {
    this.#pointers.delete(event.pointerId);
    this.#isMoving = this.#pointers.size > 0;
    if (this.#tools.tool !== "polygon") this.#tools.cancel();
  }

  #leave() {
    this.pointer = null;
    this.#onChange();
  }

  #wheel(event) {
    event.preventDefault();
    const turn = event.deltaY || event.deltaX; // Shift turns one into the other
    const lines = event.deltaMode === 1 ? 30 : 1;
    if (event.shiftKey || event.altKey) this.#tools.resize(turn > 0 ? 1 / 1.15 : 1.15);
    else this.#view.zoom(Math.exp(-turn * lines * WHEEL), ...this.#place(event));
  }

  #setSpace(isDown) {
    this.#space = isDown;
    this.#element.classList.toggle("moving", isDown || this.#tools.tool === "hand");
  }

  #keyDown(event) {
    if (event.code === "Space") {
      event.preventDefault();
      this.#setSpace(true);
      return;
    }
    const far = event.shiftKey ? 10 : 1;
    const steps = {
      ArrowLeft: [-far, 0],
      ArrowRight: [far, 0],
      ArrowUp: [0, -far],
      ArrowDown: [0, far],
    };
    if (event.ctrlKey || event.metaKey || !this.#view.photo) return;
    if (event.key in steps) this.#moveCross(steps[event.key]);
    else if (event.key === "Enter") this.#useTool(event.altKey);
    else if (event.key === "Escape") this.#tools.cancel();
    else return;
    event.preventDefault();
    this.#onChange();
  }

  #moveCross([right, down]) {
    const view = this.#view;
    const step = 4 / view.scale;
    const [x, y] = this.cross ?? view.toPhoto(view.width / 2, view.height / 2);
    const [height, width] = view.photo.size;
    const inside = (value, most) => Math.min(most - 0.5, Math.max(0.5, value));
    this.cross = [inside(x + right * step, width), inside(y + down * step, height)];
    this.pointer = this.cross;
    this.#tools.move(this.cross);
    const [left, top] = view.toScreen(this.cross); // stays in sight
    const edge = 40;
    view.pan(
      Math.max(0, edge - left) - Math.max(0, left - view.width + edge),
      Math.max(0, edge - top) - Math.max(0, top - view.height + edge),
    );
  }

  /** Enter: the pointer goes down, and with the next Enter up. */
  #useTool(alt) {
    if (!this.cross) this.#moveCross([0, 0]);
    if (this.#tools.tool === "polygon") {
      const last = this.#tools.points.at(-1);
      const again = last && Math.hypot(last[0] - this.cross[0], last[1] - this.cross[1]) < 0.01;
      this.#send(again ? this.#tools.closePolygon() : this.#tools.begin(this.cross, { alt }));
    } else if (this.#tools.isDrawing) this.#send(this.#tools.end());
    else this.#send(this.#tools.begin(this.cross, { alt }));
  }

  #send(stroke) {
    if (stroke) this.#onStroke(stroke);
  }
}
