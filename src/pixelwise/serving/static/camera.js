// The dialog that takes a picture with the camera.
import { partsOf } from "./dom.js";
import { nameBlob } from "./images.js";

const UNAVAILABLE = "no camera can be used here: allow it, or choose a file";

/** Open the panel's dialog by its button; `onImage` receives a JPEG, `onError` what went wrong. */
export function setUpCamera(panel, onImage, onError) {
  const find = partsOf(panel);
  const dialog = find("dialog");
  const video = find("video");

  find("camera").addEventListener("click", async () => {
    try {
      const wanted = { video: { facingMode: "environment" } };
      video.srcObject = await navigator.mediaDevices.getUserMedia(wanted);
      dialog.showModal();
      await video.play();
    } catch {
      onError(new Error(UNAVAILABLE));
    }
  });
  find("shoot").addEventListener("click", () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => onImage(nameBlob(blob, "camera.jpg")), "image/jpeg", 0.95);
    dialog.close();
  });
  find("leave").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    video.srcObject?.getTracks().forEach((track) => track.stop());
  });
}
