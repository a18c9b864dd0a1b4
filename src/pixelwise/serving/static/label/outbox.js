// Acts on photos that the server has not answered outlive a reload of the page.

const KEY = "pixelwise-label-acts";

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? [];
  } catch {
    return [];
  }
}

function write(acts) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(acts));
  } catch {
    // no room, or none allowed: the page itself still has them
  }
}

/** Keep an act ({ folder, photo, kind, body }, named by body.id) until it is dropped. */
export function keep(act) {
  write([...read().filter(({ body }) => body.id !== act.body.id), act]);
}

export function drop(id) {
  write(read().filter(({ body }) => body.id !== id));
}

/** The acts on a project that wait, in order. */
export const kept = (folder) => read().filter((act) => act.folder === folder);
