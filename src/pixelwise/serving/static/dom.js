// Small things that every page needs of the document.

/** A function that finds the part of that name within `root`. */
export function partsOf(root) {
  return (name) => root.querySelector(`[data-part="${name}"]`);
}

/** A copy of the one element in the template `id`. */
export function cloneTemplate(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** A share of 0 to 1 as text; shares below a tenth keep a digit behind the point. */
export function percent(share) {
  if (share > 0 && share < 0.001) return "<0.1 %";
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

/** Save `blob` as a file called `name`. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
