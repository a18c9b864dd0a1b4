"""A model as an ONNX, OpenVINO or smaller file that was run and compared before it is kept."""

import json
import math
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pixelwise.datasets.registry import open_dataset
from pixelwise.datasets.synthetic import draw_scene
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError, ModelError, PixelwiseError
from pixelwise.inference.backends.onnx_file import write_onnx
from pixelwise.inference.backends.onnx_trace import to_onnx
from pixelwise.inference.backends.openvino_file import write_openvino
from pixelwise.inference.backends.sessions import OnnxRunner, OpenVinoRunner
from pixelwise.inference.backends.torch_runner import TorchRunner
from pixelwise.inference.load import EXPORTED
from pixelwise.inference.sources import find_images
from pixelwise.inference.tiling import OVERLAP, TILE
from pixelwise.inference.tta import Logits, Runner
from pixelwise.io.atomic import atomic
from pixelwise.io.images import Array, read_rgb
from pixelwise.models.checkpoint import Header, load_model, model_path, save_model
from pixelwise.models.segmenter import Segmenter
from pixelwise.optional import require_package
from pixelwise.progress import Progress

SAMPLES = 5
LARGEST_GAP = 1e-2
LEAST_AGREEMENT = 0.999
_HALF = ".safetensors"

TILES = {"tile": TILE, "overlap": OVERLAP, "weights": "linear"}
"""How `predict` cuts large pictures, for programs that run an exported network by themselves."""


@dataclass(frozen=True)
class Exported:
    """How the file compares with PyTorch in float32 over `images` images: the largest difference of
    a logit, the share of pixels with the same label, and the seconds that each took for all of
    them.
    """

    path: Path
    images: int
    gap: float
    agreement: float
    seconds: float
    torch_seconds: float


def export(
    model: str | Path,
    out: str | Path,
    *,
    images: Sequence[str | Path] = (),
    progress: Progress | None = None,
) -> Exported:
    """Write `model` as the ONNX (.onnx) or OpenVINO (.xml and .bin) file `out`, or in half the size
    (.safetensors).

    It is run on `images` (files or folders) beside PyTorch in float32 before.

    Without `images` some of the run's validation images are taken where they are still there, and a
    drawn scene otherwise. Raises ModelError, and keeps nothing, where a logit differs by more than
    LARGEST_GAP (weights of half the size may differ more) or the labels agree on less than
    LEAST_AGREEMENT of the pixels.
    """
    progress = progress or Progress()
    path = Path(out)
    if path.suffix not in (*EXPORTED, _HALF):
        raise ConfigError(
            f"--out {path}: give a name that ends in {', '.join(EXPORTED)} or {_HALF}"
        )
    if path.suffix == _HALF:
        if path.resolve() == model_path(Path(model)).resolve():
            raise ConfigError(f"--out {path} is the model itself; give another name")
    else:
        require_package("onnx" if path.suffix == ".onnx" else "openvino")
    segmenter, header = load_model(Path(model))
    pictures, whence = _pictures(Path(model), images)
    progress.log(f"comparing on {len(pictures)} image(s): {whence}")
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / f"trial{path.suffix}"
        _write(trial, segmenter, header)
        found = _runner(trial)
        allowed = math.inf if path.suffix == _HALF else LARGEST_GAP
        result = _compared(path, found, _on_torch(segmenter), pictures)
        if not (
            result.gap <= allowed and result.agreement >= LEAST_AGREEMENT
        ):  # also where it is NaN
            raise ModelError(
                f"the exported network differs from PyTorch's by up to {result.gap:.2g} in a "
                "logit (allowed "
                f"{allowed}) and agrees on {result.agreement:.4f} of the labels (needed "
                f"{LEAST_AGREEMENT}); "
                "nothing was written; please report the encoder and decoder"
            )
        for ending in (
            (".bin", ".xml") if path.suffix == ".xml" else (path.suffix,)
        ):  # what was compared, to the bit
            with atomic(path.with_suffix(ending)) as draft:
                shutil.copyfile(trial.with_suffix(ending), draft)
    return result


def _on_torch(segmenter: Segmenter) -> TorchRunner:
    return TorchRunner(segmenter, device=torch.device("cpu"))


def _runner(path: Path) -> Runner:
    if path.suffix == _HALF:
        return _on_torch(load_model(path)[0])
    return OnnxRunner(path) if path.suffix == ".onnx" else OpenVinoRunner(path)


def _write(path: Path, segmenter: Segmenter, header: Header) -> None:
    if path.suffix == _HALF:
        save_model(path, segmenter, header, half=True)
        return
    network = to_onnx(segmenter)
    if path.suffix == ".onnx":
        write_onnx(path, network, header, tiles=TILES)
    else:
        write_openvino(
            path, require_package("openvino").Core().read_model(network), header, tiles=TILES
        )


def _compared(path: Path, found: Runner, wanted: TorchRunner, pictures: list[Array]) -> Exported:
    gap = 0.0
    same = 0
    total = 0
    seconds = [0.0, 0.0]
    for picture in pictures:
        rgb = np.ascontiguousarray(picture.transpose(2, 0, 1))[None]
        logits = list[Logits]()
        runners = list[Runner]([found, wanted])
        for index, runner in enumerate(runners):
            runner(rgb)  # the first run of a size pays for its preparation
            start = time.perf_counter()
            logits.append(runner(rgb))
            seconds[index] += time.perf_counter() - start
        gap = float(
            np.maximum(gap, np.abs(logits[0] - logits[1]).max())
        )  # keeps NaN, as max does not
        same += int((logits[0].argmax(1) == logits[1].argmax(1)).sum())
        total += rgb.shape[-2] * rgb.shape[-1]
    return Exported(path, len(pictures), gap, same / total, seconds[0], seconds[1])


def _pictures(model: Path, images: Sequence[str | Path]) -> tuple[list[Array], str]:
    if images:
        found = find_images(images)[:SAMPLES]
        return [read_rgb(path) for path in found], ", ".join(path.name for path in found)
    record = model / "run.json"
    if record.is_file():
        try:
            raw = json.loads(record.read_text(encoding="utf-8"))
            pairs = open_dataset(raw["data"]["root"], DataOptions(**raw["reading"])).pairs("val")
            return [
                read_rgb(pair.image) for pair in pairs[:SAMPLES]
            ], "of the run's validation data"
        except (PixelwiseError, KeyError, ValueError, TypeError):
            pass  # the data has moved on; the scene will do
    scene, _ = draw_scene(np.random.default_rng(0), (240, 320), 20, reach=96)
    return [scene], "a drawn scene, as no real ones are at hand; give some with --images"
