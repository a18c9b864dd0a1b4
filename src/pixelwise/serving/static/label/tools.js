// The tools: what is pointed at becomes a stroke, which is shown until the server has it.
import { UNLABELLED, VOID } from "./layers.js";

const ICONS = {
  brush: "M4 20c4 0 5-2 5-4a3 3 0 0 1 3-3l8-9-9 8a3 3 0 0 1-3 3c-2 0-4 1-4 5z",
  smart: "M5 19l9-9m1-5v4m-2-2h4m2 5v3m-1.500-1.500h3M7 4v3M5.500 5.500h3",
  polygon: "M5 18L4 8l9-4 7 7-4 8z",
  fill: "M10 3l8 8-7 7-7-7 6-6m9 9c1.500 2 2 3 2 4a2 2 0 0 1-4 0c0-1 .500-2 2-4z",
  take: "M4 4h16v16H4zM8 12l3 3 5-6",
  eraser: "M8 20h12M5 14l8-9 6 6-8 9H9z",
  hand: "M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3",
};

export const TOOLS = [
  { id: "brush", name: "Brush", key: "b", help: "Paint the chosen class" },
  { id: "smart", name: "Smart", key: "s", help: "Paint within the predicted region where you start" },
  { id: "polygon", name: "Polygon", key: "p", help: "Corners one by one; the first again, or Enter twice, ends it" },
  { id: "fill", name: "Fill", key: "f", help: "Fill the predicted region; with Alt the labelled one" },
  { id: "take", name: "Take", key: "r", help: "Take over the prediction in a rectangle" },
  { id: "eraser", name: "Eraser", key: "e", help: "Take labels away" },
  { id: "hand", name: "Move", key: "h", help: "Move the photo" },
];

const MIN_RADIUS = 0.5;
const MAX_RADIUS = 500;

export class Tools {
  #group;
  #size;
  #onChange;
  tool = "brush";
  label = 0;
  radius = 8;
  points = []; // of the stroke that is being drawn, in pixels of the photo
  pending = []; // strokes that the server does not have yet

  constructor(group, onChange) {
    this.#group = group;
    this.#onChange = onChange;
    for (const { id, name, key, help } of TOOLS) group.append(makeButton(id, name, key, help));
    group.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.choose(button.dataset.tool);
    });
    group.addEventListener("keydown", (event) => this.#move(event));
    this.#size = this.#addSize();
    this.choose("brush");
  }

  get isDrawing() {
    return this.points.length > 0;
  }

  choose(tool) {
    this.tool = tool;
    this.points = [];
    for (const button of this.#group.querySelectorAll("button")) {
      const chosen = button.dataset.tool === tool;
      button.setAttribute("aria-checked", chosen);
      button.tabIndex = chosen ? 0 : -1;
    }
    this.#onChange();
  }

  setLabel(label) {
    this.label = label;
    if (["eraser", "hand", "take"].includes(this.tool)) this.choose("brush");
    this.#onChange();
  }

  resize(factor) {
    const radius = Math.min(MAX_RADIUS, Math.max(MIN_RADIUS, this.radius * factor));
    this.radius = Math.round(radius * 2) / 2 || MIN_RADIUS;
    // a small brush grows by a half at least
    if (this.radius === Math.round(radius / factor * 2) / 2) {
      this.radius = Math.max(MIN_RADIUS, this.radius + (factor > 1 ? 0.5 : -0.5));
    }
    this.#size.value = Math.round(40 * Math.log2(this.radius * 2));
    this.#onChange();
  }

  cancel() {
    this.points = [];
    this.#onChange();
  }

  /** The pointer goes down; returns a stroke where that is all. */
  begin(point, { alt }) {
    if (this.tool === "fill") return this.#finish([point], { of: alt ? "labels" : "prediction" });
    if (this.tool === "polygon") return this.#addCorner(point);
    this.points = [point];
    this.#onChange();
    return null;
  }

  move(point) {
    if (!this.isDrawing) return;
    if (this.tool === "polygon") return;
    if (this.tool === "take") this.points = [this.points[0], point];
    else if (distance(this.points.at(-1), point) >= Math.max(0.5, this.radius / 6)) {
      this.points.push(point);
    }
    this.#onChange();
  }

  /** The pointer goes up; returns the stroke. */
  end() {
    if (!this.isDrawing || this.tool === "polygon") return null;
    const points = this.points;
    this.points = [];
    if (this.tool === "take" && points.length < 2) return null;
    return this.#finish(points);
  }

  closePolygon() {
    const points = this.points;
    this.points = [];
    this.#onChange();
    return points.length > 2 ? this.#finish(points) : null;
  }

  #addCorner(point) {
    const near = 8 / this.screenScale;
    if (this.points.length > 2 && distance(this.points[0], point) < near) return this.closePolygon();
    this.points.push(point);
    this.#onChange();
    return null;
  }

  #finish(points, more = {}) {
    const erases = this.tool === "eraser";
    const stroke = {
      id: newId(),
      tool: erases ? "brush" : this.tool,
      label: erases ? UNLABELLED : this.label,
      radius: ["brush", "smart", "eraser"].includes(this.tool) ? this.radius : 0,
      points: points.map(([x, y]) => [Math.round(x * 100) / 100, Math.round(y * 100) / 100]),
      ...more,
    };
    this.pending.push(stroke);
    return stroke;
  }

  screenScale = 1;

  /** Draw what is being drawn, what is on its way, and the size of the brush at the pointer. */
  draw(context, view, classes, pointer) {
    this.screenScale = view.scale;
    const colourOf = (label) => {
      const known = classes.find(({ key }) => key === label);
      return known ? `rgb(${known.colour.join(" ")})` : label === VOID ? "#888" : "#fff";
    };
    view.transform(context);
    for (const stroke of this.pending) drawStroke(context, stroke, colourOf(stroke.label), view);
    if (this.isDrawing) {
      const label = this.tool === "eraser" ? UNLABELLED : this.label;
      const stroke = { tool: this.tool, radius: this.radius, points: this.points };
      drawStroke(context, stroke, colourOf(label), view, pointer);
    }
    if (pointer && ["brush", "smart", "eraser"].includes(this.tool)) {
      const radius = Math.max(this.radius, 0.75);
      outline(context, view, () => context.arc(pointer[0], pointer[1], radius, 0, 7));
    }
  }

  #addSize() {
    const label = document.createElement("label");
    label.className = "size";
    const input = document.createElement("input");
    Object.assign(input, { type: "range", min: 0, max: 400, value: 160 });
    input.dataset.part = "size";
    label.append("Size", input);
    input.addEventListener("input", () => {
      this.radius = Math.round(2 ** (input.value / 40)) / 2;
      this.#onChange();
    });
    this.#group.append(label);
    return input;
  }

  #move(event) {
    const steps = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
    if (!(event.key in steps) || event.target.tagName !== "BUTTON") return;
    event.preventDefault();
    const place = TOOLS.findIndex(({ id }) => id === this.tool) + steps[event.key];
    this.choose(TOOLS.at(place % TOOLS.length).id);
    this.#group.querySelector("[aria-checked=true]").focus();
  }
}

/** A name for an act. Random UUIDs are for secure pages alone, of which localhost is one. */
export const newId = () => crypto.randomUUID?.() ?? `${Date.now()}${Math.random()}`;

const distance = ([x, y], [otherX, otherY]) => Math.hypot(x - otherX, y - otherY);

function makeButton(id, name, key, help) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.tool = id;
  button.setAttribute("role", "radio");
  button.setAttribute("aria-keyshortcuts", key.toUpperCase());
  button.title = `${help} (${key.toUpperCase()})`;
  const icon = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[id]);
  icon.append(path);
  button.append(icon, name);
  return button;
}

function drawStroke(context, { tool, radius, points }, colour, view, pointer) {
  context.globalAlpha = 0.75;
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineCap = "round";
  context.lineJoin = "round";
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x, y));
  if (tool === "take" && points.length === 2) {
    const [[x, y], [endX, endY]] = points;
    outline(context, view, () => context.rect(x, y, endX - x, endY - y));
  } else if (tool === "polygon") {
    if (pointer) context.lineTo(...pointer);
    context.globalAlpha = 0.4;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 2 / view.scale;
    context.stroke();
    for (const [x, y] of points) outline(context, view, () => context.arc(x, y, 4 / view.scale, 0, 7));
  } else {
    context.lineWidth = 2 * Math.max(radius, 0.75);
    context.lineTo(points.at(-1)[0] + 0.001, points.at(-1)[1]);
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** A line that is seen on any ground. */
function outline(context, view, trace) {
  for (const [colour, width] of [["#000", 3], ["#fff", 1.4]]) {
    context.beginPath();
    trace();
    context.strokeStyle = colour;
    context.lineWidth = width / view.scale;
    context.stroke();
  }
}
