// The start page: tabs, and in each what it is for.
import { fetchSettings, segmentPicture } from "./api.js";
import { setUpSegment } from "./segment.js";
import { startPage } from "./start.js";
import { setUpStyle } from "./style.js";
import { setUpTabs } from "./tabs.js";

await startPage(async () => {
  const settings = await fetchSettings();
  if (settings.has_style) {
    document.querySelector("nav").hidden = false; // one tool alone needs no tabs
    setUpTabs(document.querySelector("[role=tablist]"));
    setUpStyle(document.getElementById("style"), settings);
  }
  await setUpSegment(document.getElementById("segment"), settings, segmentPicture);
}, "Load it again.");
