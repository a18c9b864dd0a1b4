// Gradio runs this, with what follows, once for each tab, with the tab's `element`.
const find = (part) => element.querySelector(`[data-part="${part}"]`);
const percent = (share) => {
  if (share > 0 && share < 0.001) return "<0.1 %";
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
};
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const save = (blob, name) => {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};

let running = null; // the newest question; an older one is given up

async function ask(path, body, busy) {
  running?.abort();
  const control = (running = new AbortController());
  const bar = find("progress");
  find("alert").hidden = true;
  bar.hidden = false;
  bar.removeAttribute("value");
  find("status").textContent = busy;
  try {
    const most = Number(element.querySelector("[data-most]").dataset.most);
    if (body.size > most) throw new Error(`the file is too large: at most ${most} bytes are allowed`);
    const headers = { "Content-Type": "application/octet-stream" };
    const url = new URL(path, document.baseURI);
    const response = await fetch(url, { method: "POST", body, headers, signal: control.signal });
    if (!response.ok) {
      const said = await response.json().catch(() => null);
      throw new Error(said?.error?.message ?? `the server answered with status ${response.status}; try again later`);
    }
    let text = "";
    for await (const part of parts(response)) {
      text += part;
      if (!part.includes("\n")) continue;
      const lines = text.split("\n");
      text = lines.pop();
      for (const line of lines.map((line) => JSON.parse(line))) {
        if (line.error) throw new Error(line.error.message);
        if (line.answer) return line.answer;
        bar.value = line.progress;
        find("status").textContent = `${busy} ${percent(line.progress)}`;
      }
    }
    throw new Error("the server broke off; try again");
  } catch (error) {
    if (control.signal.aborted) return null;
    find("status").textContent = "";
    const lost = error instanceof TypeError ? "the server cannot be reached; try again" : error.message;
    Object.assign(find("alert"), { hidden: false, textContent: lost });
    return null;
  } finally {
    if (running === control) bar.hidden = true;
  }
}

async function* parts(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let got; !(got = await reader.read()).done; ) yield got.value;
}
