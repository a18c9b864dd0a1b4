// The second tab, where there is a style network.
if (find("style")) {
  const files = {};
  for (const part of ["content", "painting"])
    find(part).addEventListener("change", (event) => {
      if (!event.target.files.length) return; // the choice was broken off
      files[part] = event.target.files[0];
      const thumb = find(`${part}-shown`);
      URL.revokeObjectURL(thumb.src);
      Object.assign(thumb, { src: URL.createObjectURL(files[part]), hidden: false });
      find("paint").disabled = !(files.content && files.painting);
      find("status").textContent = find("paint").disabled ? "Choose the other one too." : "";
    });
  find("paint").addEventListener("click", async () => {
    const body = new Blob([files.content, files.painting]);
    const answer = await ask(`page/style?split=${files.content.size}&side=${find("side").value}`, body, "Painting ...");
    if (!answer) return;
    find("made").src = answer.image;
    await find("made").decode();
    find("shown").style.setProperty("--pw-shape", find("made").naturalWidth / find("made").naturalHeight);
    ["empty", "shown"].forEach((part) => (find(part).hidden = part === "empty"));
    find("status").textContent = "Done.";
  });
  find("save-made").addEventListener("click", () => save(new Blob([bytes(find("made").src.split(",")[1])], { type: "image/jpeg" }), "styled.jpg"));
}
