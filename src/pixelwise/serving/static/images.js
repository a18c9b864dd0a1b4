// Pictures on their way into the page: files, paste, drag and drop, examples; and out of answers.
import { cloneTemplate, partsOf } from "./dom.js";

/** Hand each picture that is brought to `panel` to `onImage`, as a File or Blob with a name. */
export function receiveImages(panel, onImage) {
  const find = partsOf(panel);
  find("file").addEventListener("change", ({ target }) => {
    if (target.files.length) onImage(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  });
  document.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (file && !panel.hidden) onImage(file);
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    panel.addEventListener(kind, (event) => {
      event.preventDefault(); // else the browser leaves the page and opens the file
      find("drop").classList.toggle("over", kind === "dragover");
      const [file] = event.dataTransfer.files;
      if (kind === "drop" && file) onImage(file);
    });
  }
}

/** Let a file input offer what the server reads, by media type. */
export function offerFormats(input, formats) {
  input.accept = formats.map((format) => `image/${format.toLowerCase()}`).join(",");
}

/** A button for each example of the server, once all have come; gives a function that shows those
 * of a model. */
export async function listExamples(group, examples, onImage) {
  const buttons = examples.map(async ({ title, address }) => {
    const response = await fetch(address);
    const file = nameBlob(await response.blob(), `${title}.jpg`);
    const button = cloneTemplate("example");
    button.title = title;
    button.addEventListener("click", () => onImage(file));
    const image = button.querySelector("img");
    image.alt = `Example: ${title}`;
    image.src = URL.createObjectURL(file);
    return button;
  });
  const all = await Promise.all(buttons);
  group.append(...all);
  return (model) => {
    all.forEach((button, place) => {
      button.hidden = !examples[place].models.includes(model);
    });
    group.hidden = all.every((button) => button.hidden);
  };
}

/** The blob, with the name that a File has. */
export function nameBlob(blob, name) {
  return Object.assign(blob, { name });
}

/** The name of a file without its ending. */
export function stemOf(file) {
  return (file.name ?? "picture").replace(/\.[^.]*$/, "");
}

/** Show a picture in `image`; resolves once its size is known. */
export async function showImage(image, address) {
  image.src = address;
  await image.decode();
}

/** The bytes of base64 text. */
export function decodeBase64(text) {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i); // of megabytes: quick
  return bytes;
}

/** The bytes of base64 text that gzip has packed. */
export async function unpack(text) {
  const packed = new Blob([decodeBase64(text)]).stream();
  const stream = packed.pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A JPEG's data URL as a blob. */
export function decodeDataUrl(address) {
  return new Blob([decodeBase64(address.split(",")[1])], { type: "image/jpeg" });
}
