// What the server knows and keeps: every act is on its disk when its answer comes.

let page = ""; // the version of the page and the project, which each act names

async function explain(response) {
  const body = await response.json().catch(() => null);
  const message = body?.error?.message ?? `the server answers ${response.status}`;
  return Object.assign(new Error(message), { code: body?.error?.code });
}

async function ask(path, options) {
  const response = await fetch(`label/${path}`, options);
  if (!response.ok) throw await explain(response);
  return response;
}

/** The state; its `photos` are [number, row] of those that changed after a revision. */
export async function fetchState(since = -1) {
  const state = await (await ask(`state?since=${since}`)).json();
  page ||= state.page;
  return state;
}

export async function openPhoto(number) {
  return (await ask(`photos/${number}`)).json();
}

export async function nextPhoto(order, after) {
  return (await ask(`next?order=${order}&after=${after}`)).json();
}

/** Post an act. Where the server cannot be reached a TypeError is thrown, as fetch does. */
export async function act(path, body = {}) {
  const response = await ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...body, page }),
  });
  return response.json();
}

export const tileAddress = (number, level, row, column) =>
  `label/photos/${number}/tiles/${level}/${row}/${column}`;

/** The bytes of a window of a layer ("labels" or "prediction"), null where there is none yet. */
export async function fetchWindow(number, layer, box, version, signal) {
  const query = new URLSearchParams({ ...box, version });
  const response = await ask(`photos/${number}/${layer}?${query}`, { signal });
  return response.status === 204 ? null : new Uint8Array(await response.arrayBuffer());
}
