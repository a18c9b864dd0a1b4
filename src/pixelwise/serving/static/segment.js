// The tab Segment: a picture is labelled once, by the server or in the page itself.
import { setUpCamera } from "./camera.js";
import { partsOf } from "./dom.js";
import { listExamples, offerFormats, receiveImages } from "./images.js";
import { PanelRequest } from "./request.js";
import { ResultView } from "./result.js";

/** `segmentPicture(model, image, { signal, onProgress })` gives the labels of a picture. */
export async function setUpSegment(panel, settings, segmentPicture) {
  const find = partsOf(panel);
  const request = new PanelRequest(panel, settings);
  const view = new ResultView(panel);
  const models = find("model");
  let file = null; // the last one: another model labels it again

  async function segment(image) {
    file = image;
    view.preview(image);
    const start = performance.now();
    const label = `Segmenting ${image.name ?? "the picture"} ...`;
    const ask = (options) => segmentPicture(models.value, image, options);
    const answer = await request.send(image, label, ask);
    if (!answer) return;
    await view.show(answer, image);
    request.report(summarize(answer, (performance.now() - start) / 1000));
  }

  find("limits").textContent = settings.limits;
  offerFormats(find("file"), settings.formats);
  models.append(...settings.models.map((name) => new Option(name)));
  find("models").hidden = settings.models.length < 2;
  receiveImages(panel, segment);
  setUpCamera(panel, segment, (error) => request.fail(error));
  const showExamples = await listExamples(find("examples"), settings.examples, segment);
  showExamples(models.value);
  models.addEventListener("change", () => {
    showExamples(models.value);
    if (file) segment(file);
  });
}

function summarize({ size, view, notes }, seconds) {
  const scaled = size[0] === view[0] ? "" : `, shown as ${view[0]} x ${view[1]}`;
  const pixels = `${size[0]} x ${size[1]} pixels (height x width)`;
  const reading = notes.map((note) => ` The picture was ${note}.`).join("");
  return `Done in ${seconds.toFixed(1)} s: ${pixels}${scaled}.${reading}`;
}
