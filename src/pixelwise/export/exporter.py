"""A model as an ONNX, OpenVINO or smaller file that is run and compared before it is kept."""

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from pixelwise.errors import ConfigError, ModelError
from pixelwise.export.bioimage_description import check_authors
from pixelwise.export.bioimage_package import SUFFIX as BIOIMAGE
from pixelwise.export.bioimage_package import (
    TEST_SIZE,
    BioimageRunner,
    is_bioimage,
    list_unknowns,
    write_bioimage,
)
from pixelwise.export.deepness import (
    SIZE,
    SUFFIX,
    DeepnessRunner,
    ProbabilityRunner,
    check_square,
    is_deepness,
    write_deepness,
)
from pixelwise.export.description import check_description, describe, tiles_of, write_description
from pixelwise.export.model_card import CardFacts, collect_sources
from pixelwise.export.ncnn_file import NCNN_STEP, NcnnRunner, describe_ncnn, write_ncnn
from pixelwise.export.pictures import cut_square, draw_picture, read_pictures, resize
from pixelwise.inference.backends.onnx_file import write_onnx
from pixelwise.inference.backends.onnx_trace import to_onnx
from pixelwise.inference.backends.openvino_file import write_openvino
from pixelwise.inference.backends.sessions import OnnxRunner, OpenVinoRunner
from pixelwise.inference.backends.torch_runner import TorchRunner
from pixelwise.inference.tiling import MIN_TILE
from pixelwise.inference.tta import Logits, Pixels, Runner
from pixelwise.io.atomic import atomic
from pixelwise.io.channels import reading_rule
from pixelwise.io.images import Array
from pixelwise.models.checkpoint import (
    Header,
    check_not_exported,
    load_model,
    model_path,
    save_model,
)
from pixelwise.models.file_kinds import EXPORTED, NCNN, is_exported, is_ncnn
from pixelwise.models.segmenter import Segmenter
from pixelwise.notebook_progress import default_progress
from pixelwise.optional import require_package
from pixelwise.progress import Progress

MAX_GAP = 1e-2
MIN_AGREEMENT = 0.999
HALF_PRECISION = ".safetensors"


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
    unknowns: tuple[str, ...] = ()
    """What a package of BioImage.IO cannot say."""


def export(
    model: str | Path,
    out: str | Path,
    *,
    images: Sequence[str | Path] = (),
    size: tuple[int, int] | None = None,
    facts: CardFacts | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write `model` as the ONNX (.onnx), OpenVINO (.xml and .bin) or, of one size, ncnn file `out`
    (.ncnn.param and .ncnn.bin), or in half the size (.safetensors). Beside the first three a
    NAME.json says what they take and give (`describe`).

    With `size` (height, width) the network takes one picture of that size alone, for readers that
    know no free sizes. A name that ends in .deepness.onnx is for QGIS's plugin Deepness: a square
    of floats in, probabilities out. One that ends in .bioimage.zip is a package of BioImage.IO,
    whose card holds `facts`; the picture in it is the first of `images`, else the drawn scene.

    It is run on `images` (files or folders) beside PyTorch in float32 before. Without `images` some
    of the run's validation images are taken where they still exist, and a drawn scene otherwise.
    Raises ModelError, and keeps nothing, where a logit differs by more than MAX_GAP (weights of
    half the size may differ more) or the labels agree on less than MIN_AGREEMENT of the pixels.
    """
    progress = progress or default_progress()
    path = Path(out)
    if is_deepness(path):
        size = size or SIZE
        check_square(size)
    _check_target(path, Path(model), size)
    segmenter, header = load_model(Path(model))
    sources = collect_sources(model_path(Path(model)), header, facts or CardFacts())
    if is_deepness(path):  # which knows one class a pixel
        header.check_one_class(model)
    if is_bioimage(path):
        check_authors(sources.authors)
    rule = reading_rule(header.reading)
    pictures, source = read_pictures(Path(model), images, rule)
    sample = cut_square(pictures[0] if images else draw_picture(rule), size or TEST_SIZE)
    if size is not None:
        pictures = [resize(picture, size) for picture in pictures]
        source += f", resized to {size[0]} x {size[1]}"
    progress.log(f"comparing on {len(pictures)} image(s): {source}")
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / f"trial{_suffix(path)}"
        if is_bioimage(path):
            write_bioimage(trial, segmenter, sources, sample, size=size)
        else:
            _write_model(trial, segmenter, header, size)
        exported = _load_runner(trial, header)
        reference: Runner = _torch_runner(segmenter)
        if is_deepness(path):
            reference = ProbabilityRunner(reference)
        decide = partial(_decide, thresholds=header.model.thresholds)
        result = _compare(path, (exported, reference), pictures, decide)
        _check_agreement(result)
        if is_described(path):
            description = describe(path, segmenter, header, size)
            write_description(path, describe_ncnn(description) if is_ncnn(path) else description)
        # What is kept is what was compared, to the bit. The weights in a .bin come first.
        beside = (".bin",) if path.suffix in (".xml", ".param") else ()
        for suffix in (*beside, path.suffix):
            with atomic(path.with_suffix(suffix)) as draft:
                shutil.copyfile(trial.with_suffix(suffix), draft)
    return replace(result, unknowns=list_unknowns(sources)) if is_bioimage(path) else result


def _suffix(path: Path) -> str:
    """By which the kind of a file is known."""
    if is_deepness(path):
        return SUFFIX
    return BIOIMAGE if is_bioimage(path) else path.suffix


def _check_target(path: Path, model: Path, size: tuple[int, int] | None) -> None:
    """Raises ModelError for a model that is an export, ConfigError for a name of no such file, for
    the model itself, for a size that cannot be, and where the package that writes it is not
    installed.
    """
    check_not_exported(model)
    if path.suffix not in (*EXPORTED, HALF_PRECISION) and not (is_ncnn(path) or is_bioimage(path)):
        names = ", ".join((*EXPORTED, NCNN, BIOIMAGE, HALF_PRECISION))
        raise ConfigError(f"--out {path}: give a name that ends in {names} or .html for a page")
    if size is not None and path.suffix == HALF_PRECISION:
        raise ConfigError(f"--size goes with .onnx and .xml, and --out is {path}; leave it out")
    if size is not None and min(size) < MIN_TILE:
        raise ConfigError(
            f"size {size[0]} x {size[1]} (height x width): each must be at least {MIN_TILE}"
        )
    if is_described(path):
        check_description(path)
    if is_ncnn(path):
        _check_ncnn(path, size)
    elif path.suffix == ".onnx" or is_bioimage(path):
        require_package("onnx")
    elif path.suffix == ".xml":
        require_package("openvino")
    elif path.resolve() == model_path(model).resolve():
        raise ConfigError(f"--out {path} is the model itself; give another name")


def is_described(path: Path) -> bool:
    """Whether a file has a JSON beside it that says what it takes and gives; what Deepness needs
    stands in its own file.
    """
    return is_ncnn(path) or (is_exported(path) and not is_deepness(path))


def _check_ncnn(path: Path, size: tuple[int, int] | None) -> None:
    if size is None or any(side % NCNN_STEP for side in size):
        raise ConfigError(
            f"--out {path}: ncnn's files take pictures of one size; give it in multiples of "
            f"{NCNN_STEP}, as --size 352 480 (height width)"
        )
    require_package("pnnx")
    require_package("ncnn")


def _check_agreement(result: Exported) -> None:
    max_gap = math.inf if result.path.suffix == HALF_PRECISION else MAX_GAP
    # asked so that a gap of NaN fails too
    if not (result.gap <= max_gap and result.agreement >= MIN_AGREEMENT):
        raise ModelError(
            f"the exported network differs from PyTorch's by up to {result.gap:.2g} in a logit "
            f"(allowed {max_gap}) and agrees on {result.agreement:.4f} of the labels (needed "
            f"{MIN_AGREEMENT}); nothing was written; please report the encoder and decoder"
        )


def _torch_runner(segmenter: Segmenter) -> TorchRunner:
    return TorchRunner(segmenter, device=torch.device("cpu"))


def _load_runner(path: Path, header: Header) -> Runner:
    channels = header.model.channels
    if is_bioimage(path):
        return BioimageRunner(path, reading_rule(header.reading))
    if path.suffix == HALF_PRECISION:
        return _torch_runner(load_model(path)[0])
    if is_deepness(path):
        return DeepnessRunner(path)
    if path.suffix == ".onnx":
        return OnnxRunner(path, channels=channels)
    if path.suffix == ".param":
        return NcnnRunner(path)
    return OpenVinoRunner(path, channels=channels)


def _write_model(
    path: Path, segmenter: Segmenter, header: Header, size: tuple[int, int] | None
) -> None:
    if path.suffix == HALF_PRECISION:
        save_model(path, segmenter, header, half=True)
        return
    if is_deepness(path):
        write_deepness(path, segmenter, header, size or SIZE)
        return
    if path.suffix == ".param" and size is not None:
        write_ncnn(path, segmenter, size)
        return
    onnx_bytes = to_onnx(segmenter, size)
    if path.suffix == ".onnx":
        write_onnx(path, onnx_bytes, header, tiles=tiles_of(size))
    else:
        network = require_package("openvino").Core().read_model(onnx_bytes)
        write_openvino(path, network, header, tiles=tiles_of(size))


def _decide(logits: Logits, thresholds: Sequence[float] | None) -> NDArray[Any]:
    """What is compared: labels (N, H, W), or where classes overlap layers (N, C, H, W)."""
    if thresholds is None:
        labels: NDArray[np.intp] = logits.argmax(1)
        return labels
    above: NDArray[np.bool_] = expit(logits) >= np.array(thresholds)[:, None, None]
    return above


def _compare(
    path: Path,
    runners: tuple[Runner, Runner],
    pictures: Sequence[Array],
    decide: Callable[[Logits], NDArray[Any]],
) -> Exported:
    exported, reference = runners
    gap = 0.0
    agreeing = 0
    pixels = 0
    seconds = 0.0
    torch_seconds = 0.0
    for picture in pictures:
        rgb = _as_batch(picture)
        logits, elapsed = _time_run(exported, rgb)
        expected, torch_elapsed = _time_run(reference, rgb)
        seconds += elapsed
        torch_seconds += torch_elapsed
        largest = np.abs(logits - expected).max()
        gap = float(np.maximum(gap, largest))  # keeps NaN; max does not
        agrees = decide(logits) == decide(expected)
        agreeing += int(agrees.sum())
        pixels += agrees.size
    agreement = agreeing / pixels
    return Exported(path, len(pictures), gap, agreement, seconds, torch_seconds)


def _as_batch(picture: Array) -> Pixels:
    """(1, channels, H, W) of a picture (H, W, channels)."""
    channels_first = picture.transpose(2, 0, 1)
    return np.ascontiguousarray(channels_first)[None]


def _time_run(runner: Runner, rgb: Pixels) -> tuple[Logits, float]:
    runner(rgb)  # the first run of a size pays for its preparation
    start = time.perf_counter()
    logits = runner(rgb)
    return logits, time.perf_counter() - start
