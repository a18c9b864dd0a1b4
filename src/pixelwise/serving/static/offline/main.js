// The page without a server: model and runtime stand in it, and no picture leaves it.
import { setUpSegment } from "../segment.js";
import { startPage } from "../start.js";
import { LocalModel } from "./local_model.js";

const FORMATS = ["JPEG", "PNG", "WebP", "AVIF", "GIF", "BMP"];

// An empty module of WebAssembly whose one function uses SIMD: i32x4.splat, then i32x4.extract_lane.
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 10, 11, 1, 9, 0, 65, 0, 253, 17,
  253, 27, 0, 11,
];

function checkBrowser() {
  const runs = typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array(SIMD));
  if (runs && typeof OffscreenCanvas === "function" && typeof CompressionStream === "function") return;
  throw new Error(`this browser ${runs ? "is too old" : "runs no WebAssembly with SIMD"}`);
}

await startPage(async () => {
  checkBrowser();
  const panel = document.getElementById("segment");
  const textOf = (name) => document.getElementById(name).textContent;
  const description = JSON.parse(textOf("description"));
  const status = panel.querySelector("[data-part=status]");
  status.textContent = "Loading the model ...";
  const model = await LocalModel.start(description, textOf);
  status.textContent = "";
  const settings = {
    models: [description.name],
    max_bytes: Infinity,
    formats: FORMATS,
    limits: `${FORMATS.join(", ")}; the picture stays on this machine`,
    examples: [],
  };
  const segment = (_, image, options) => model.segment(image, options);
  await setUpSegment(panel, settings, segment);
}, "Open it in a current Chrome, Edge, Firefox or Safari.");
