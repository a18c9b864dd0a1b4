// The tab Style: a photo in the style of a painting, where the server has a style network.
import { postBytes } from "./api.js";
import { download, partsOf } from "./dom.js";
import { decodeDataUrl, offerFormats, showImage } from "./images.js";
import { PanelRequest } from "./request.js";

export function setUpStyle(panel, settings) {
  const find = partsOf(panel);
  const request = new PanelRequest(panel, settings);
  const files = {};

  function choose(part, file) {
    files[part] = file;
    const thumb = find(`${part}-shown`);
    URL.revokeObjectURL(thumb.src);
    thumb.src = URL.createObjectURL(file);
    thumb.hidden = false;
    const complete = Boolean(files.content && files.painting);
    find("paint").disabled = !complete;
    request.report(complete ? "" : "Choose the other one too.");
  }

  async function paint() {
    const { content, painting } = files;
    const path = `page/style?split=${content.size}&side=${find("side").value}`;
    const body = new Blob([content, painting]);
    const ask = (options) => postBytes(path, body, options);
    const answer = await request.send(body, "Painting ...", ask);
    if (!answer) return;
    const styled = find("styled");
    await showImage(styled, answer.image);
    find("shown").style.setProperty("--shape", styled.naturalWidth / styled.naturalHeight);
    find("empty").hidden = true;
    find("shown").hidden = false;
    request.report("Done.");
  }

  for (const part of ["content", "painting"]) {
    offerFormats(find(part), settings.formats);
    find(part).addEventListener("change", ({ target }) => {
      if (target.files.length) choose(part, target.files[0]); // none where the choice was cancelled
    });
  }
  find("paint").addEventListener("click", paint);
  find("save-styled").addEventListener("click", () => {
    download(decodeDataUrl(find("styled").src), "styled.jpg");
  });
}
