"""What a user of segmentation_models.pytorch would write who knows ONNX Runtime or OpenVINO:
further rivals of predict_folder.py.

python benchmarks/smp_onnx.py PHOTOS OUT CLASSES [--runtime openvino] [--model FILE]

With `--model` the exported network is kept in that file, and a second call needs no PyTorch.
OpenVINO has its own default precision, which is bfloat16 where the processor has it. Both
prepare the network once for each size of photos, which is faster than any size.
"""

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

Network = Callable[[np.ndarray], np.ndarray]


def export(path: Path, classes: int) -> None:
    import segmentation_models_pytorch as smp
    import torch

    model = smp.Unet("tu-tf_efficientnet_lite0", encoder_weights=None, classes=classes).eval()
    torch.onnx.export(
        model,
        (torch.zeros(1, 3, 384, 480),),
        path,
        dynamo=False,
        opset_version=17,
        input_names=["image"],
        dynamic_axes={"image": {2: "height", 3: "width"}},
    )


def onnxruntime_network(path: Path, shape: tuple[int, ...]) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.add_free_dimension_override_by_name("height", shape[2])
    options.add_free_dimension_override_by_name("width", shape[3])
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda image: session.run(None, {"image": image})[0]


def openvino_network(path: Path, shape: tuple[int, ...]) -> Network:
    import openvino

    core = openvino.Core()
    graph = core.read_model(path)
    graph.reshape(list(shape))
    compiled = core.compile_model(graph, "CPU")
    print(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name(), flush=True)
    return lambda image: compiled(image)[0]


NETWORKS = {"onnxruntime": onnxruntime_network, "openvino": openvino_network}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("classes", type=int)
    parser.add_argument("--runtime", choices=list(NETWORKS), default="onnxruntime")
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        path = options.model or Path(folder) / "model.onnx"
        if not path.exists():
            export(path, options.classes)
        prepare = cache(lambda shape: NETWORKS[options.runtime](path, shape))
        for photo in sorted(options.source.glob("*.jpg")):
            rgb = np.asarray(Image.open(photo).convert("RGB"))
            height, width = rgb.shape[:2]
            image = (rgb.transpose(2, 0, 1)[None].astype(np.float32) / 255 - 0.5) / 0.5
            padded = np.pad(image, ((0, 0), (0, 0), (0, -height % 32), (0, -width % 32)))
            logits = prepare(padded.shape)(padded)
            labels = logits[0, :, :height, :width].argmax(0).astype(np.uint8)
            Image.fromarray(labels).save(options.out / f"{photo.stem}.png")


if __name__ == "__main__":
    main()
