// The model that stands in the page, at work in a worker.
import { unpack } from "../images.js";

export class LocalModel {
  #worker;
  #requests = new Map(); // by number: what its answer, its error and its progress go to
  #count = 0;
  #address = ""; // of the picture that is shown

  constructor(worker) {
    this.#worker = worker;
    worker.addEventListener("message", ({ data }) => this.#receive(data));
    worker.addEventListener("error", ({ message }) => {
      for (const { reject } of this.#requests.values()) reject(new Error(message));
    });
  }

  /** The model of this document, ready to label; `partOf(name)` gives the text of its parts. */
  static async start(description, partOf) {
    const unpackPart = (name) => unpack(partOf(name));
    const parts = ["runtime-script", "runtime-wasm", "network"].map(unpackPart);
    const [script, runtime, network] = await Promise.all(parts);
    const type = { type: "text/javascript" };
    const address = URL.createObjectURL(new Blob([script, "\n", partOf("worker")], type));
    const model = new LocalModel(new Worker(address));
    // no blob: where the page is a file, a worker may not import one
    const glue = `data:text/javascript;base64,${partOf("runtime-glue")}`;
    const files = { glue, runtime: runtime.buffer, network };
    await model.#ask({ description, ...files }, {});
    return model;
  }

  /** The labels of a picture as the viewer takes them. */
  async segment(file, { signal, onProgress }) {
    signal.addEventListener("abort", () => this.#worker.postMessage({ request: null }));
    const answer = await this.#ask({ file }, { signal, onProgress });
    URL.revokeObjectURL(this.#address);
    this.#address = URL.createObjectURL(answer.image);
    return { ...answer, image: this.#address };
  }

  #ask(message, { signal, onProgress }) {
    const request = this.#count++;
    return new Promise((resolve, reject) => {
      this.#requests.set(request, { resolve, reject, onProgress });
      signal?.addEventListener("abort", () => {
        this.#requests.delete(request);
        reject(signal.reason);
      });
      this.#worker.postMessage({ request, ...message });
    });
  }

  #receive({ request, answer, error, progress }) {
    const waiting = this.#requests.get(request);
    if (!waiting) return; // given up meanwhile
    if (progress !== undefined) {
      waiting.onProgress(progress);
      return;
    }
    this.#requests.delete(request);
    if (error) waiting.reject(new Error(error));
    else waiting.resolve(answer);
  }
}
