// The classes: choose, add, rename, recolour, merge.
import { partsOf } from "../dom.js";
import { VOID } from "./layers.js";

export class ClassList {
  #find;
  #classes = [];
  #edited = null;
  #onChoose;
  #onAct;

  /** onAct(body) sends a change and resolves when it is made. */
  constructor(root, { onChoose, onAct }) {
    this.#find = partsOf(root);
    this.#onChoose = onChoose;
    this.#onAct = onAct;
    this.#find("add-form").addEventListener("submit", (event) => this.#add(event));
    this.#find("class-dialog").addEventListener("close", () => this.#save());
  }

  fill(classes, merged, label) {
    this.#classes = classes;
    const rows = classes.map((entry, place) => this.#row(entry, place));
    rows.push(this.#voidRow());
    this.#find("merged").replaceChildren(...merged.map((entry) => this.#mergedRow(entry)));
    this.#find("classes").replaceChildren(...rows);
    this.mark(label);
  }

  mark(label) {
    for (const row of this.#find("classes").children) {
      const chosen = Number(row.dataset.label) === label;
      row.classList.toggle("chosen", chosen);
      row.querySelector(".pick").setAttribute("aria-pressed", chosen);
    }
  }

  #row(entry, place) {
    const row = makeRow(entry.key, entry.name, place < 9 ? String(place + 1) : "");
    row.querySelector("i").style.background = `rgb(${entry.colour.join(" ")})`;
    row.querySelector(".pick").addEventListener("click", () => this.#onChoose(entry.key));
    const edit = document.createElement("button");
    edit.type = "button";
    edit.className = "edit";
    edit.textContent = "✎";
    edit.setAttribute("aria-label", `Change ${entry.name}`);
    edit.addEventListener("click", () => this.#open(entry));
    row.append(edit);
    return row;
  }

  #voidRow() {
    const row = makeRow(VOID, "void", "0");
    row.classList.add("void");
    row.title = "Counts in no training and no score";
    row.querySelector(".pick").addEventListener("click", () => this.#onChoose(VOID));
    return row;
  }

  /** A class that became another one, and how to have it back. */
  #mergedRow({ key, name }) {
    const row = document.createElement("li");
    const text = document.createElement("bdi");
    text.textContent = name;
    const part = document.createElement("button");
    part.type = "button";
    part.className = "small";
    part.textContent = "Undo merge";
    part.setAttribute("aria-label", `Undo the merge of ${name}`);
    part.addEventListener("click", () => this.#send({ act: "part", key }));
    row.append(text, part);
    return row;
  }

  #open(entry) {
    this.#edited = entry;
    this.#find("class-name").value = entry.name;
    this.#find("class-colour").value = `#${entry.colour.map(hex).join("")}`;
    const others = this.#classes.filter(({ key }) => key !== entry.key);
    const options = others.map(({ key, name }) => new Option(name, key));
    this.#find("class-merge").replaceChildren(new Option("Keep it", ""), ...options);
    this.#find("class-dialog").returnValue = "cancel";
    this.#find("class-dialog").showModal();
  }

  async #save() {
    if (this.#find("class-dialog").returnValue !== "save") return;
    const { key } = this.#edited;
    const into = this.#find("class-merge").value;
    const colour = this.#find("class-colour").value.match(/\w\w/g).map((part) => parseInt(part, 16));
    const change = { act: "change", key, name: this.#find("class-name").value, colour };
    await this.#send(into === "" ? change : { act: "merge", key, into: Number(into) });
  }

  async #add(event) {
    event.preventDefault();
    const input = this.#find("add-name");
    if (await this.#send({ act: "add", name: input.value })) input.value = "";
  }

  async #send(body) {
    const alert = this.#find("class-alert");
    alert.hidden = true;
    try {
      await this.#onAct(body);
      return true;
    } catch (error) {
      alert.textContent = error instanceof TypeError ? "the server cannot be reached" : error.message;
      alert.hidden = false;
      return false;
    }
  }
}

const hex = (value) => value.toString(16).padStart(2, "0");

function makeRow(label, name, key) {
  const row = document.createElement("li");
  row.dataset.label = label;
  const pick = document.createElement("button");
  pick.type = "button";
  pick.className = "pick";
  const text = document.createElement("bdi"); // a name may run from right to left
  text.textContent = name;
  pick.append(document.createElement("i"), text);
  if (key) {
    const shortcut = document.createElement("kbd");
    shortcut.textContent = key;
    pick.append(shortcut);
    pick.setAttribute("aria-keyshortcuts", key);
  }
  row.append(pick);
  return row;
}
