// The labelling page: what belongs together is brought together here.
import { partsOf } from "../dom.js";
import { ClassList } from "./class_list.js";
import { fillKeys, keyAct } from "./keys.js";
import { Layers, UNLABELLED, VOID } from "./layers.js";
import { drop, keep, kept } from "./outbox.js";
import { act, fetchState, nextPhoto, openPhoto } from "./server.js";
import { Stage } from "./stage.js";
import { Status } from "./status.js";
import { newId, Tools } from "./tools.js";
import { View } from "./view.js";

const POLL = 2500; // milliseconds between two looks at score and training
const RETRY = 1500;

const find = partsOf(document);
const overlay = find("overlay");
let state = null;
const photos = []; // the rows of the list, which the server sends when they change
let current = -1;
let queue = Promise.resolve(); // acts reach the server one after the other
let waiting = 0; // acts that it has not answered
let drawn = false;

const view = new View(find("photo"), (moved) => {
  if (moved) layers.refreshSoon();
  redraw();
});
const layers = new Layers(view, redraw);
const tools = new Tools(find("tools"), redraw);
const stage = new Stage(find("stage"), view, tools, { onStroke: send, onChange: redraw });
const classes = new ClassList(document, { onChoose: chooseLabel, onAct: changeClasses });
const status = new Status(document, open);

/** Draw at the next frame. */
function redraw() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(draw);
}

function draw() {
  drawn = false;
  view.draw();
  if (overlay.width !== find("photo").width || overlay.height !== find("photo").height) {
    overlay.width = find("photo").width;
    overlay.height = find("photo").height;
  }
  const context = overlay.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, overlay.width, overlay.height);
  if (!view.photo) return;
  const opacity = find("opacity").value / 100;
  const showsPrediction = find("show-prediction").checked || find("show-confidence").checked;
  context.globalAlpha = opacity;
  if (showsPrediction) layers.prediction.draw(context, view);
  context.globalAlpha = Math.min(1, opacity * 1.6);
  if (find("show-labels").checked) layers.labels.draw(context, view);
  context.globalAlpha = 1;
  tools.draw(context, view, state.classes, stage.pointer);
  if (stage.cross) drawCross(context);
  describe();
}

function drawCross(context) {
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  const [x, y] = view.toScreen(stage.cross);
  for (const [colour, width] of [["#000", 3], ["#fff", 1.4]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(x - 12, y, 24, 0);
    context.strokeRect(x, y - 12, 0, 24);
  }
}

/** What is under the pointer, in words. */
function describe() {
  const nameOf = (key) => state.classes.find((entry) => entry.key === key)?.name;
  if (!stage.pointer || !layers.labels.box) return;
  const [column, row] = stage.pointer;
  const label = layers.labels.at(column, row);
  const predicted = layers.prediction.at(column, row);
  const sure = layers.prediction.at(column, row, 1);
  const parts = [];
  if (label === VOID) parts.push("void");
  else if (label !== null && label !== UNLABELLED) parts.push(`labelled ${nameOf(label)}`);
  if (predicted !== null) {
    parts.push(`predicted ${nameOf(predicted)}, ${Math.round(sure / 2.55)} % sure`);
  }
  parts.push(`column ${Math.floor(column)}, row ${Math.floor(row)}`);
  find("under").textContent = parts.join(" · ");
}

/** Keep a stroke: it stays on the screen until the server has it, however long that takes. */
function send(stroke) {
  const number = current;
  const start = performance.now();
  const { pending } = tools;
  const done = () => {
    const place = pending.indexOf(stroke);
    if (place >= 0) pending.splice(place, 1);
    redraw();
  };
  enqueue(`photos/${number}/strokes`, stroke)
    .then(async (answer) => {
      if (number === current) await showHistory(answer, start);
    })
    .catch((error) => fail(error, stroke.points?.at(-1)))
    .finally(done);
}

/** An act after those before it. Without a connection it is sent again until there is one. */
function enqueue(path, body = {}) {
  waiting += 1;
  const named = { id: newId(), ...body }; // sent twice, it is done once
  const [, number, kind] = path.match(/^photos\/(\d+)\/(\w+)$/) ?? [];
  if (kind) keep({ folder: state.folder, photo: state.photos[number].name, kind, body: named });
  const result = queue.then(() => persist(path, named));
  queue = result.catch(() => {});
  return result.finally(() => {
    waiting -= 1;
  });
}

async function persist(path, body) {
  for (;;) {
    try {
      const answer = await act(path, body);
      if (find("status").dataset.lost) report("");
      drop(body.id);
      return answer;
    } catch (error) {
      if (!(error instanceof TypeError)) { // fetch's word for a lost connection
        if (error.code !== "other_page") drop(body.id); // else it is sent by the page of today
        throw error;
      }
      report("The server cannot be reached: what you paint is kept here and sent when it is back.");
      find("status").dataset.lost = "yes";
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
}

/** Send what the page before this one could not. */
async function sendKept() {
  for (const { photo, kind, body } of kept(state.folder)) {
    const number = state.photos.findIndex(({ name }) => name === photo);
    if (number >= 0) enqueue(`photos/${number}/${kind}`, body).catch(fail);
    else drop(body.id);
  }
  await queue;
}

function report(text) {
  find("status").textContent = text;
  delete find("status").dataset.lost;
}

/** Say what is wrong beside the place, for a while. */
function fail(error, point) {
  const alert = find("alert");
  alert.textContent = error.message;
  alert.hidden = false;
  const [left, top] = point && view.photo ? view.toScreen(point) : [view.width / 2, 16];
  alert.style.left = `${Math.max(8, Math.min(left, view.width - alert.offsetWidth - 8))}px`;
  alert.style.top = `${Math.max(8, Math.min(top + 14, view.height - alert.offsetHeight - 8))}px`;
  clearTimeout(fail.timer);
  fail.timer = setTimeout(() => {
    alert.hidden = true;
  }, 9000);
}

async function showHistory(answer, start) {
  find("undo").disabled = !answer.strokes;
  find("redo").disabled = !answer.redo;
  find("accept").disabled = answer.accepted;
  find("alert").hidden = true;
  const row = state.photos[current];
  Object.assign(row, { strokes: answer.strokes, accepted: answer.accepted });
  status.fill(state, current);
  await layers.refresh(answer.version, start);
}

async function open(number) {
  find("alert").hidden = true;
  try {
    const photo = await openPhoto(number);
    current = number;
    tools.cancel();
    tools.pending = [];
    layers.clear();
    find("empty").hidden = true;
    view.show(photo);
    history.replaceState(null, "", `#${number + 1}`);
    await showHistory(photo);
  } catch (error) {
    current = number;
    view.photo = null;
    layers.clear();
    find("empty").textContent = error.message;
    find("empty").hidden = false;
    find("under").textContent = "";
    for (const name of ["undo", "redo", "accept"]) find(name).disabled = true;
    redraw();
  }
  const name = state.photos[number].name;
  find("photo-name").firstElementChild.textContent = name;
  document.title = `${name} · pixelwise label`;
  status.fill(state, current);
}

function chooseLabel(label) {
  tools.setLabel(label);
  classes.mark(label);
}

async function changeClasses(body) {
  setState(await enqueue("classes", body));
  await layers.refresh(state.version);
}

/** Take in the rows that changed, and have all of them as `photos`. */
function complete(fresh) {
  for (const [number, row] of fresh.photos) photos[number] = row;
  return { ...fresh, photos };
}

function setState(fresh) {
  state = complete(fresh);
  layers.setClasses(state.classes);
  if (tools.label !== VOID && !state.classes.some(({ key }) => key === tools.label)) {
    tools.label = state.classes[0].key;
  }
  classes.fill(state.classes, state.merged, tools.label);
  status.fill(state, current);
}

async function poll() {
  try {
    const fresh = await fetchState(state.revision);
    const changed = fresh.model.version !== state.model.version;
    const isOther = fresh.page !== state.page; // its photos may have other numbers
    const alert = isOther
      ? "The program or its photos are others now: load this page again. What you painted is kept."
      : fresh.alert;
    find("start-alert").textContent = alert;
    find("start-alert").hidden = !alert;
    if (!waiting && !isOther) {
      const before = JSON.stringify([state.classes, state.merged]);
      if (before !== JSON.stringify([fresh.classes, fresh.merged])) setState(fresh);
      else {
        state = complete(fresh);
        status.fill(state, current);
      }
      if (fresh.version > layers.version || changed) await layers.refresh(fresh.version);
    }
  } catch {
    // an act tells when the server is gone
  }
  setTimeout(poll, POLL);
}

const ACTS = {
  async undo() {
    if (find("undo").disabled) return;
    await showHistory(await enqueue(`photos/${current}/undo`));
  },
  async redo() {
    if (find("redo").disabled) return;
    await showHistory(await enqueue(`photos/${current}/redo`));
  },
  async accept() {
    if (find("accept").disabled) return;
    await showHistory(await enqueue(`photos/${current}/strokes`, { tool: "accept" }));
    report("Accepted: the prediction is this photo's mask now, your strokes before it.");
  },
  async next() {
    await queue;
    const { number, reason } = await nextPhoto(find("order").value, current);
    await open(number);
    report(reason);
  },
  following: () => current + 1 < state.photos.length && open(current + 1),
  previous: () => current > 0 && open(current - 1),
  fit: () => view.fit(),
  "zoom-in": () => view.zoom(1.5),
  "zoom-out": () => view.zoom(1 / 1.5),
  smaller: () => tools.resize(1 / 1.25),
  larger: () => tools.resize(1.25),
  help: () => find("keys").showModal(),
  async pause() {
    state.model = await enqueue("training", { paused: !state.model.paused });
    status.fill(state, current);
  },
  tool: (id) => tools.choose(id),
  label: (place) => {
    const entry = place < 0 ? { key: VOID } : state.classes[place];
    if (entry) chooseLabel(entry.key);
  },
  toggle: (part) => find(part).click(),
};

async function perform(name, value) {
  try {
    await ACTS[name](value);
  } catch (error) {
    fail(error);
  }
}

function listen() {
  for (const name of ["undo", "redo", "accept", "next", "following", "previous", "fit", "help"]) {
    find(name).addEventListener("click", () => perform(name));
  }
  for (const name of ["zoom-in", "zoom-out", "pause"]) {
    find(name).addEventListener("click", () => perform(name));
  }
  for (const name of ["opacity", "brightness", "contrast"]) {
    find(name).addEventListener("input", setLook);
  }
  for (const name of ["show-labels", "show-prediction", "show-confidence"]) {
    find(name).addEventListener("change", () => {
      layers.byConfidence = find("show-confidence").checked;
      layers.repaint();
    });
  }
  addEventListener("keydown", (event) => {
    const known = keyAct(event);
    if (!known) return;
    event.preventDefault();
    perform(...known);
  });
  addEventListener("beforeunload", (event) => waiting && event.preventDefault());
}

function setLook() {
  for (const name of ["opacity", "brightness", "contrast"]) {
    find(`${name}-value`).textContent = `${find(name).value} %`;
  }
  const { style } = find("photo");
  style.filter = `brightness(${find("brightness").value}%) contrast(${find("contrast").value}%)`;
  redraw();
}

try {
  fillKeys(find("key-list"));
  setState(await fetchState());
  listen();
  setLook();
  await sendKept();
  const asked = Number(location.hash.slice(1)) - 1;
  if (asked >= 0 && asked < state.photos.length) await open(asked);
  else {
    const { number, reason } = await nextPhoto("suggested", -1).catch(() => ({ number: 0 }));
    await open(number);
    if (reason) report(reason);
  }
  setTimeout(poll, POLL);
} catch (error) {
  find("start-alert").textContent = `The page cannot start: ${error.message}. Load it again.`;
  find("start-alert").hidden = false;
}
document.querySelector("main").setAttribute("aria-busy", "false");
