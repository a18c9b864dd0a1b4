// Questions to the server. Addresses are relative to the page, so that a proxy may add a prefix.

/** What the server offers: models, max_bytes, max_size (the same for people), formats,
 * has_style, examples. */
export async function fetchSettings() {
  const response = await fetch(addressOf("page/settings"));
  if (!response.ok) throw new Error(await errorMessage(response));
  return response.json();
}

/**
 * Send bytes and give the answer; `onProgress` receives shares of 0 to 1 meanwhile.
 * The server answers with lines of JSON: {progress}, then {answer} or {error: {message}}.
 */
export async function postBytes(path, body, { signal, onProgress }) {
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
