// The list of classes: what is shown, which share it has, and which class the pointer is on.
import { cloneTemplate, percent } from "./dom.js";
import { VOID } from "./overlay.js";

export class Legend {
  #list;
  #rows = new Map(); // by class id, the most frequent first, void last
  #onChange;
  #onHighlight;

  /** `onChange` is called after a box was ticked, `onHighlight` with a class id or null. */
  constructor(list, { onChange, onHighlight }) {
    this.#list = list;
    this.#onChange = onChange;
    this.#onHighlight = onHighlight;
  }

  /** Fill the list; gives the names of classes that do not occur. */
  fill({ classes, planes, voidColour }) {
    const pixels = classes.map((_, id) => planes.count(id, 0));
    const present = [...pixels.keys()].filter((id) => planes.isListed(id));
    present.sort((first, second) => pixels[second] - pixels[first]);
    this.#rows.clear();
    for (const id of present) this.#rows.set(id, this.#createRow(id, classes[id]));
    const row = cloneTemplate("void-row");
    const swatch = row.querySelector("i");
    swatch.className = "void";
    swatch.style.setProperty("--of", `rgb(${voidColour})`);
    this.#rows.set(VOID, row);
    this.#list.replaceChildren(...this.#rows.values());
    return classes.filter((_, id) => !pixels[id]).map(({ name }) => name);
  }

  /** Write the shares of pixels of at least `least` confidence; gives them as one text. */
  update({ classes, planes, pixels }, least) {
    const texts = [];
    let belowLeast = 0;
    for (const [id, row] of this.#rows) {
      if (id === VOID) continue;
      belowLeast += planes.countVoid(id, least);
      const share = percent(planes.count(id, least) / pixels.length);
      row.querySelector("span").textContent = share;
      texts.push(`${classes[id].name} ${share}`);
    }
    const row = this.#rows.get(VOID);
    row.querySelector("span").textContent = percent(belowLeast / pixels.length);
    row.hidden = !belowLeast;
    return texts.join(", ");
  }

  /** Whether a class is ticked; void always is. */
  isShown(id) {
    return this.#rows.get(id)?.querySelector("input")?.checked ?? true;
  }

  /** Tick all classes, or none. */
  setAll(checked) {
    for (const row of this.#rows.values()) {
      const box = row.querySelector("input");
      if (box) box.checked = checked;
    }
    this.#onChange();
  }

  /** Mark the row of a class, or none. */
  mark(highlighted) {
    this.#rows.forEach((row, id) => row.classList.toggle("lit", id === highlighted));
  }

  #createRow(id, { name, colour }) {
    const row = cloneTemplate("class-row");
    row.querySelector("b").textContent = name;
    const swatch = row.querySelector("i");
    swatch.className = colour.some(Boolean) ? "" : "bare"; // the background is unpainted
    swatch.style.setProperty("--of", `rgb(${colour})`);
    row.querySelector("input").addEventListener("change", this.#onChange);
    for (const kind of ["pointerenter", "focusin"]) {
      row.addEventListener(kind, () => this.#onHighlight(id));
    }
    for (const kind of ["pointerleave", "focusout"]) {
      row.addEventListener(kind, () => this.#onHighlight(null));
    }
    return row;
  }
}
