"""What a user of segmentation_models.pytorch would write who knows ONNX Runtime: the second rival of
predict_folder.py.

python benchmarks/smp_onnx.py PHOTOS OUT CLASSES
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime
import segmentation_models_pytorch as smp
import torch
from PIL import Image


def main(source: Path, out: Path, classes: int) -> None:
    model = smp.Unet("tu-tf_efficientnet_lite0", encoder_weights=None, classes=classes).eval()
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        sample = torch.zeros(1, 3, 384, 480)
        torch.onnx.export(
            model,
            (sample,),
            path,
            dynamo=False,
            opset_version=17,
            input_names=["image"],
            dynamic_axes={"image": {2: "height", 3: "width"}},
        )
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for path in sorted(source.glob("*.jpg")):
        rgb = np.asarray(Image.open(path).convert("RGB"))
        height, width = rgb.shape[:2]
        image = (rgb.transpose(2, 0, 1)[None].astype(np.float32) / 255 - 0.5) / 0.5
        padded = np.pad(image, ((0, 0), (0, 0), (0, -height % 32), (0, -width % 32)))
        logits = session.run(None, {"image": padded})[0]
        labels = logits[0, :, :height, :width].argmax(0).astype(np.uint8)
        Image.fromarray(labels).save(out / f"{path.stem}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
