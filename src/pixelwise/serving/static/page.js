// The start page: tabs, and in each what it is for.
import { fetchSettings } from "./api.js";
import { setUpSegment } from "./segment.js";
import { setUpStyle } from "./style.js";
import { setUpTabs } from "./tabs.js";

const main = document.querySelector("main");

try {
  const settings = await fetchSettings();
  if (settings.has_style) {
    document.querySelector("nav").hidden = false; // one tool alone needs no tabs
    setUpTabs(document.querySelector("[role=tablist]"));
    setUpStyle(document.getElementById("style"), settings);
  }
  await setUpSegment(document.getElementById("segment"), settings);
  main.inert = false; // what is chosen before could not be sent yet
} catch (error) {
  const alert = document.getElementById("start-alert");
  alert.textContent = `The page cannot start: ${error.message}. Load it again.`;
  alert.hidden = false;
}
main.setAttribute("aria-busy", "false");
