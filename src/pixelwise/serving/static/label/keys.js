// Keys of the whole page; those of the photo alone are the stage's.
import { TOOLS } from "./tools.js";

const KEYS = {
  "[": ["smaller"],
  "]": ["larger"],
  n: ["next"],
  ".": ["following"],
  ",": ["previous"],
  "+": ["zoom-in"],
  "=": ["zoom-in"],
  "-": ["zoom-out"],
  z: ["fit"],
  l: ["toggle", "show-labels"],
  k: ["toggle", "show-prediction"],
  c: ["toggle", "show-confidence"],
  "?": ["help"],
};

const HELP = [
  ["1 – 9", "choose a class"],
  ["0", "void: counts nowhere"],
  ...TOOLS.map(({ key, name, help }) => [key.toUpperCase(), `${name}: ${help[0].toLowerCase()}${help.slice(1)}`]),
  ["[ ]", "size of the brush"],
  ["Ctrl Z", "undo; with Shift redo"],
  ["N", "next photo"],
  [", .", "photo before and after"],
  ["Shift A", "accept the photo"],
  ["+ − Z", "zoom, fit"],
  ["L K C", "labels, prediction, confidence"],
  ["← → ↑ ↓", "move a cross over the photo; Shift by ten"],
  ["Enter", "use the tool at the cross; again to end"],
  ["Esc", "give a stroke up"],
];

/** What a key asks for, as [act, value]; null for a key of somebody else. */
export function keyAct(event) {
  if (event.target.closest("input[type=text], input[type=color], select, dialog")) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") return [event.shiftKey ? "redo" : "undo"];
    return key === "y" ? ["redo"] : null;
  }
  if (event.altKey) return null;
  if (/^[0-9]$/.test(key)) return ["label", Number(key) - 1];
  if (key === "a" && event.shiftKey) return ["accept"];
  const tool = TOOLS.find((candidate) => candidate.key === key);
  if (tool) return ["tool", tool.id];
  return KEYS[key] ?? null;
}

export function fillKeys(list) {
  for (const [key, meaning] of HELP) {
    const term = document.createElement("dt");
    const shortcut = document.createElement("kbd");
    shortcut.textContent = key;
    term.append(shortcut);
    const text = document.createElement("dd");
    text.textContent = meaning;
    list.append(term, text);
  }
}
