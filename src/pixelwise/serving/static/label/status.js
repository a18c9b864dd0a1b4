// What is known beside the photo: the list of photos, the score, the model.
import { partsOf, percent } from "../dom.js";

const SHOWN = 400; // rows of the list; more would slow the page down

export class Status {
  #find;
  #onOpen;

  constructor(root, onOpen) {
    this.#find = partsOf(root);
    this.#onOpen = onOpen;
  }

  fill(state, current) {
    this.#fillPhotos(state, current);
    this.#fillScore(state.score);
    this.#fillAccepted(state.accepted);
    this.#find("model-text").textContent = state.model.text ?? "";
    const pause = this.#find("pause");
    pause.hidden = !state.model.can_pause;
    pause.textContent = state.model.paused ? "Go on training" : "Pause training";
    pause.setAttribute("aria-pressed", Boolean(state.model.paused));
  }

  #fillPhotos({ photos }, current) {
    const touched = photos.filter(({ strokes }) => strokes).length;
    const broken = photos.filter(({ error }) => error).length;
    this.#find("count").textContent =
      `${touched} of ${photos.length}${broken ? `, ${broken} cannot be opened` : ""}`;
    const first = Math.max(0, Math.min(current - SHOWN / 2, photos.length - SHOWN));
    const rows = photos.slice(first, first + SHOWN).map((photo, place) => {
      const number = first + place;
      return this.#photoRow(photo, number, number === current);
    });
    const list = this.#find("photos");
    const top = list.scrollTop;
    list.replaceChildren(...rows);
    list.scrollTop = top;
  }

  #photoRow({ name, strokes, accepted, error }, number, isCurrent) {
    const row = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    const text = document.createElement("bdi");
    text.textContent = name;
    const mark = document.createElement("span");
    mark.textContent = error || (accepted ? "accepted" : strokes ? `${strokes} ✎` : "");
    if (error) row.className = "broken";
    if (isCurrent) button.setAttribute("aria-current", "true");
    button.append(text, mark);
    button.addEventListener("click", () => this.#onOpen(number));
    row.append(button);
    return row;
  }

  #fillScore(score) {
    const curve = this.#find("curve");
    this.#find("score").textContent = score ? `mean IoU ${score.mean_iou.toFixed(2)}` : "";
    this.#find("score-text").textContent = score
      ? `on ${score.strokes} strokes, each held back from the model that is asked;
         ${percent(score.right)} of their pixels are right. ${score.more ?? ""}`
      : "A score appears when there are a few strokes of each class.";
    curve.toggleAttribute("hidden", !(score?.curve.length > 1));
    if (score?.curve.length > 1) drawCurve(curve, score.curve, "strokes");
  }

  #fillAccepted({ score, curve, forecast, text }) {
    const figure = this.#find("accepted-curve");
    this.#find("accepted").textContent = score ? `mean IoU ${score.mean_iou.toFixed(2)}` : "";
    this.#find("accepted-text").textContent = text;
    figure.toggleAttribute("hidden", !forecast);
    if (!forecast) return;
    const points = curve.map(({ photos, mean_iou }) => [photos, mean_iou]);
    drawCurve(figure, points, "labelled photos", [forecast.photos, forecast.mean_iou]);
  }
}

/** Score against the number of labels, and where it is expected to go. */
function drawCurve(svg, curve, what, expected = null) {
  const most = (expected ?? curve.at(-1))[0];
  const x = (count) => (6 + (228 * count) / most).toFixed(1);
  const y = (score) => (56 - 52 * score).toFixed(1);
  const make = (kind, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const line = curve.map(([count, score]) => `${x(count)} ${y(score)}`).join("L");
  const [count, score] = curve.at(-1);
  svg.setAttribute("aria-label", `Score from ${curve[0][1].toFixed(2)} to ${score.toFixed(2)} after
    ${count} ${what}${expected ? `, ${expected[1].toFixed(2)} expected after ${expected[0]}` : ""}`);
  const ahead = expected && `M${x(count)} ${y(score)}L${x(expected[0])} ${y(expected[1])}`;
  svg.replaceChildren(
    make("line", { x1: 6, x2: 234, y1: 56, y2: 56 }),
    make("line", { x1: 6, x2: 234, y1: 4, y2: 4 }),
    make("path", { d: `M${line}` }),
    ...(ahead ? [make("path", { d: ahead, class: "ahead" })] : []),
    make("circle", { cx: x(count), cy: y(score), r: 3.5 }),
  );
}
