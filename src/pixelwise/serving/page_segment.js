// The first tab: a picture goes to the server once; all else happens here.
const abgr = ([red, green, blue], alpha) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;

function heatColours() { // the stops of cividis (Nunez et al. 2018), as in the style sheet
  const stops = [[0, 32, 77], [87, 93, 109], [165, 156, 116], [255, 234, 70]];
  return Uint32Array.from({ length: 256 }, (_, sure) => {
    const place = (sure / 255) * 3, below = Math.min(2, Math.floor(place)), part = place - below;
    return abgr(stops[below].map((low, i) => Math.round(low + part * (stops[below + 1][i] - low))), 0);
  });
}

async function unpacked(text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const layer = find("layer"), pen = layer.getContext("2d"), entries = new Map();
let file = null, shown = null, lit = null;
const heat = heatColours();

async function choose(chosen) {
  if (!chosen) return;
  file = chosen;
  const model = encodeURIComponent(find("model").value);
  const start = performance.now();
  const answer = await ask(`page/segment?model=${model}`, file, `Segmenting ${file.name ?? "the picture"} ...`);
  if (answer) await show(answer, (performance.now() - start) / 1000);
}

async function show(answer, seconds) {
  const [labels, sure] = await Promise.all([unpacked(answer.labels), unpacked(answer.confidence)]);
  const [height, width] = answer.view;
  const counts = new Uint32Array(256 * 256); // pixels by class and confidence
  for (let i = 0; i < labels.length; i++) counts[labels[i] * 256 + sure[i]]++;
  const image = new ImageData(width, height);
  shown = { answer, labels, sure, counts, image, pixels: new Uint32Array(image.data.buffer) };
  Object.assign(layer, { width, height });
  find("photo").src = answer.image;
  await find("photo").decode();
  find("shown").style.setProperty("--pw-shape", width / height);
  find("under").textContent = "Point at the picture to see what a pixel is.";
  listClasses();
  ["empty", "shown", "tune"].forEach((part) => (find(part).hidden = part === "empty"));
  const [high, wide] = answer.size;
  const scaled = high === height ? "" : `, shown as ${height} x ${width}`;
  find("status").textContent = `Done in ${seconds.toFixed(1)} s: ${high} x ${wide} pixels (height x width)${scaled}.`;
  paint();
  find("shown").scrollIntoView({ block: "nearest" });
}

function listClasses() {
  const { counts, answer } = shown, absent = [];
  const pixels = answer.classes.map((_, id) => counts.subarray(id * 256, id * 256 + 256).reduce((a, b) => a + b));
  entries.clear();
  for (const id of pixels.keys()) if (!pixels[id]) absent.push(answer.classes[id].name);
  [...pixels.keys()].filter((id) => pixels[id]).sort((a, b) => pixels[b] - pixels[a]).forEach((id) => entries.set(id, entry(id)));
  const below = document.createElement("li");
  below.innerHTML = "<label><i></i><b>void: below the least confidence</b><span></span></label>";
  below.querySelector("i").style.background = `rgb(${answer.void})`;
  entries.set(255, below);
  find("legend").replaceChildren(...entries.values());
  find("absent").textContent = absent.length ? `Not found: ${absent.join(", ")}.` : "";
}

function entry(id) {
  const { name, colour } = shown.answer.classes[id], item = document.createElement("li");
  item.innerHTML = '<label><input type="checkbox" checked><i></i><b></b><span></span></label>';
  item.querySelector("b").textContent = name;
  item.querySelector("i").style.background = `rgb(${colour})`;
  item.querySelector("input").addEventListener("change", paint);
  for (const come of ["pointerenter", "focusin"]) item.addEventListener(come, () => light(id));
  for (const go of ["pointerleave", "focusout"]) item.addEventListener(go, () => light(null));
  return item;
}

function paint() {
  if (!shown) return;
  const { labels, sure, pixels, image, answer } = shown;
  const least = leastByte(), mapped = find("confidence").checked;
  const alpha = new Uint32Array(256), colours = new Uint32Array(256), empty = abgr(answer.void, 255);
  const ticked = (id) => entries.get(id)?.querySelector("input")?.checked;
  const alone = lit !== null && ticked(lit) !== false; // others step back, but not behind one that is hidden
  answer.classes.forEach(({ colour }, id) => {
    const strength = !ticked(id) ? 0 : alone && lit !== id ? 50 : 255;
    alpha[id] = (strength << 24) >>> 0;
    colours[id] = colour.some(Boolean) ? abgr(colour, strength) : 0; // black is ground: the picture itself stays
  });
  for (let i = 0; i < labels.length; i++) {
    const id = labels[i], certain = sure[i];
    pixels[i] = certain < least ? empty : mapped ? (heat[certain] | alpha[id]) >>> 0 : colours[id];
  }
  pen.putImageData(image, 0, 0);
  tell(least);
}

function tell(least) {
  const { counts, labels, answer } = shown, said = [];
  let below = 0;
  for (const [id, item] of entries) {
    const of = counts.subarray(id * 256, id * 256 + 256);
    const sum = (from, to) => of.subarray(from, to).reduce((a, b) => a + b, 0);
    below += sum(0, least);
    const share = (id === 255 ? below : sum(least, 256)) / labels.length;
    item.querySelector("span").textContent = percent(share);
    item.hidden = id === 255 && !below;
    if (id !== 255) said.push(`${answer.classes[id].name} ${percent(share)}`);
  }
  layer.setAttribute("aria-label", `Classes found: ${said.join(", ")}`);
}

function light(id) {
  if (id === lit) return;
  lit = id;
  entries.forEach((item, other) => item.classList.toggle("pw-lit", other === id));
  paint();
}

function point(event) {
  if (!shown) return;
  const box = layer.getBoundingClientRect();
  const x = Math.floor(((event.clientX - box.left) / box.width) * layer.width);
  const y = Math.floor(((event.clientY - box.top) / box.height) * layer.height);
  const place = y * layer.width + x, id = shown.labels[place], sure = shown.sure[place];
  if (id === undefined) return;
  const name = shown.answer.classes[id]?.name ?? "void";
  find("under").textContent = `${name}, ${percent(sure / 255)} sure (column ${x}, row ${y})`;
  light(sure < leastByte() ? 255 : id);
}

function compare() {
  const share = find("compare").value;
  layer.style.clipPath = `inset(0 0 0 ${share}%)`;
  Object.assign(find("edge").style, { left: `${share}%`, display: share > 0 && share < 100 ? "" : "none" });
  find("compare").setAttribute("aria-valuetext", `${share} % before`);
}

function opacity() {
  layer.style.opacity = find("opacity").value / 100;
  find("opacity-said").textContent = `${find("opacity").value} %`;
}

async function overlay() {
  const canvas = Object.assign(document.createElement("canvas"), { width: layer.width, height: layer.height });
  const brush = canvas.getContext("2d"), start = Math.round((find("compare").value / 100) * layer.width);
  brush.drawImage(find("photo"), 0, 0, layer.width, layer.height);
  brush.globalAlpha = find("opacity").value / 100;
  brush.beginPath();
  brush.rect(start, 0, layer.width, layer.height);
  brush.clip();
  brush.drawImage(layer, 0, 0);
  canvas.toBlob((blob) => save(blob, `${stem()}_overlay.png`));
}

const leastByte = () => Math.round(find("least").value * 2.55);
const stem = () => (file.name ?? "picture").replace(/\.[^.]*$/, "");
const tick = (checked) => {
  entries.forEach((item) => item.querySelector("input") && (item.querySelector("input").checked = checked));
  paint();
};

find("file").addEventListener("change", (event) => {
  choose(event.target.files[0]);
  event.target.value = ""; // so that the same file can be chosen again
});
find("models").hidden = find("model").length < 2;
find("model").addEventListener("change", () => choose(file));
element.querySelectorAll(".pw-examples button").forEach((button) =>
  button.addEventListener("click", () => {
    const blob = new Blob([bytes(button.firstElementChild.src.split(",")[1])]);
    choose(Object.assign(blob, { name: `${button.title}.jpg` }));
  }),
);
document.addEventListener("paste", (event) => {
  if (element.offsetParent && event.clipboardData.files.length) choose(event.clipboardData.files[0]);
});
const drop = element.querySelector(".pw");
for (const kind of ["dragover", "dragleave", "drop"])
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    find("drop").classList.toggle("pw-over", kind === "dragover");
    if (kind === "drop") choose(event.dataTransfer.files[0]);
  });
find("least").addEventListener("input", () => {
  find("least-said").textContent = `${find("least").value} %`;
  paint();
});
for (const part of ["classes", "confidence"])
  find(part).addEventListener("change", () => {
    find("heat").hidden = !find("confidence").checked;
    paint();
  });
find("opacity").addEventListener("input", opacity);
find("compare").addEventListener("input", compare);
find("stage").addEventListener("pointermove", point);
find("stage").addEventListener("pointerleave", () => light(null));
find("all").addEventListener("click", () => tick(true));
find("none").addEventListener("click", () => tick(false));
find("save-mask").addEventListener("click", () => save(new Blob([bytes(shown.answer.mask)], { type: "image/png" }), `${stem()}_mask.png`));
find("save-data").addEventListener("click", () => save(new Blob([shown.answer.data], { type: "application/json" }), `${stem()}.json`));
find("save-overlay").addEventListener("click", overlay);
opacity();
compare();
cameraDialog(choose);

function cameraDialog(choose) {
  const dialog = find("dialog"), video = find("video");
  find("camera").addEventListener("click", async () => {
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      dialog.showModal();
      await video.play();
    } catch {
      Object.assign(find("alert"), { hidden: false, textContent: "no camera can be used here: allow it, or choose a file" });
    }
  });
  find("shoot").addEventListener("click", () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => choose(Object.assign(blob, { name: "camera.jpg" })), "image/jpeg", 0.95);
    dialog.close();
  });
  find("leave").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => video.srcObject?.getTracks().forEach((track) => track.stop()));
}
