// Questions to the server. Addresses are relative to the page, so that a proxy may add a prefix.
import { decodeBase64, unpack } from "./images.js";

/** What the server offers: models, max_bytes, max_size (the same for people), formats,
 * has_style, examples; and `limits`, a line for people. */
export async function fetchSettings() {
  const response = await fetch(addressOf("page/settings"));
  if (!response.ok) throw new Error(await errorMessage(response));
  const settings = await response.json();
  const limits = `${settings.formats.join(", ")}; at most ${settings.max_size}`;
  return { ...settings, limits };
}

/**
 * Send bytes and give the answer; `onProgress` receives shares of 0 to 1 meanwhile.
 * The server answers with lines of JSON: {progress}, then {answer} or {error: {message}}.
 */
export async function postBytes(path, body, options) {
  try {
    return await readAnswer(path, body, options);
  } catch (error) {
    // fetch knows no other word for a lost connection than TypeError
    if (error instanceof TypeError) throw new Error("the server cannot be reached; try again");
    throw error;
  }
}

/** The labels of a picture as the viewer takes them: `labels`, `confidence` and `mask` as bytes;
 * of classes that overlap `layers` of scores, and `masks`. */
export async function segmentPicture(model, image, options) {
  const path = `page/segment?model=${encodeURIComponent(model)}`;
  const answer = await postBytes(path, image, options);
  if (answer.layers) {
    const layers = await Promise.all(answer.layers.map(unpack));
    return { ...answer, layers, masks: answer.masks.map(decodeBase64) };
  }
  const planes = await Promise.all([unpack(answer.labels), unpack(answer.confidence)]);
  return { ...answer, labels: planes[0], confidence: planes[1], mask: decodeBase64(answer.mask) };
}

async function readAnswer(path, body, { signal, onProgress }) {
  const headers = { "Content-Type": "application/octet-stream" };
  const response = await fetch(addressOf(path), { method: "POST", body, headers, signal });
  if (!response.ok) throw new Error(await errorMessage(response));
  for await (const line of readLines(response)) {
    const { progress, answer, error } = JSON.parse(line);
    if (error) throw new Error(error.message);
    if (answer) return answer;
    onProgress(progress);
  }
  throw new Error("the connection was closed before the answer was complete; try again");
}

function addressOf(path) {
  return new URL(path, document.baseURI);
}

async function errorMessage(response) {
  const body = await response.json().catch(() => null); // a proxy may answer in HTML
  const unknown = `the server answered with status ${response.status}; try again later`;
  return body?.error?.message ?? unknown;
}

async function* readLines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parts = []; // of the line that is still incomplete: it may have megabytes
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const [first, ...rest] = value.split("\n");
    parts.push(first);
    for (const next of rest) {
      yield parts.splice(0).join("");
      parts.push(next);
    }
  }
}
