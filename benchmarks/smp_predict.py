"""What a user of segmentation_models.pytorch would write to label a folder: the rival of
predict_folder.py.
"""

import sys
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from PIL import Image


def main(source: Path, out: Path, classes: int) -> None:
    model = smp.Unet("tu-tf_efficientnet_lite0", encoder_weights=None, classes=classes).eval()
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.jpg")):
        rgb = np.asarray(Image.open(path).convert("RGB"))
        image = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float() / 255
        image = (image - 0.5) / 0.5
        height, width = rgb.shape[:2]
        padded = torch.nn.functional.pad(image, (0, -width % 32, 0, -height % 32))
        with torch.inference_mode():
            labels = model(padded)[0, :, :height, :width].argmax(0).to(torch.uint8).numpy()
        mask = Image.fromarray(labels)
        mask.putpalette(
            [value for label in range(256) for value in (label, label * 7 % 256, label * 31 % 256)]
        )
        mask.save(out / f"{path.stem}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
