// One request at a time of a panel, with its progress bar, its status line and its alert.
import { partsOf, percent } from "./dom.js";

export class PanelRequest {
  #find;
  #limits;
  #running = null; // the newest request: it ends an older one

  constructor(panel, limits) {
    this.#find = partsOf(panel);
    this.#limits = limits;
    this.#find("stop").addEventListener("click", () => this.#stop());
  }

  /**
   * The answer to `ask({ signal, onProgress })` about a body, or null where it failed (which the
   * alert tells) or was given up.
   */
  async send(body, label, ask) {
    this.#running?.abort();
    const control = new AbortController();
    this.#running = control;
    this.#start(label);
    try {
      if (body.size > this.#limits.max_bytes) {
        const allowed = `at most ${this.#limits.max_size} are allowed`;
        throw new Error(`the file is too large: ${allowed}; save it smaller`);
      }
      const onProgress = (share) => this.#advance(label, share);
      return await ask({ signal: control.signal, onProgress });
    } catch (error) {
      if (!control.signal.aborted) this.fail(error);
      return null;
    } finally {
      if (this.#running === control) this.#end();
    }
  }

  /** Show text in the status line. */
  report(text) {
    this.#find("status").textContent = text;
  }

  /** Show an error in the alert. */
  fail(error) {
    const alert = this.#find("alert");
    alert.textContent = error.message;
    alert.hidden = false;
    this.report("");
  }

  #start(label) {
    this.#find("alert").hidden = true;
    this.#find("progress").removeAttribute("value");
    this.#find("progress").hidden = false;
    this.#find("stop").hidden = false;
    this.report(label);
  }

  #advance(label, share) {
    // nothing is done yet: the bar goes on moving instead of standing at its start
    if (share > 0) this.#find("progress").value = share;
    this.report(`${label} ${percent(share)}`);
  }

  #end() {
    this.#running = null;
    this.#find("progress").hidden = true;
    this.#find("stop").hidden = true;
  }

  #stop() {
    this.#running?.abort(); // the work stops at the next tile or step
    this.report("Stopped.");
  }
}
