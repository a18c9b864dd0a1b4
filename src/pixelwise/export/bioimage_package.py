"""A model as a package of BioImage.IO: a zip with the network, its description, a test and a card.

Read by ilastik, deepImageJ, bioimageio.core and other tools of microscopy.
"""

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image
from scipy.special import expit, softmax

from pixelwise.export.bioimage_description import (
    COVER,
    README,
    TEST_INPUT,
    TEST_OUTPUT,
    WEIGHTS,
    describe_package,
    licence_id,
)
from pixelwise.export.model_card import UNKNOWN, CardSources, write_card
from pixelwise.inference.backends.onnx_file import write_onnx
from pixelwise.inference.backends.onnx_trace import to_onnx
from pixelwise.inference.tta import Logits, Pixels
from pixelwise.io.channels import ReadingRule, reading_rule
from pixelwise.io.images import Array
from pixelwise.models.checkpoint import Header
from pixelwise.models.segmenter import Segmenter
from pixelwise.optional import require_package
from pixelwise.reports.layer_overlays import paint_layers
from pixelwise.reports.overlays import paint

SUFFIX = ".bioimage.zip"
DESCRIPTION = "rdf.yaml"

TEST_SIZE = (256, 256)
"""Of the picture in the package, where the network takes any size."""

_COVER_SIDE = 320

_USE = """\
A package of [BioImage.IO](https://bioimage.io), for its tools such as ilastik and deepImageJ. It
gives probabilities; {decision}.

## Validation

`bioimageio test PACKAGE` (of bioimageio.core) runs it on the picture inside and compares. On images
with masks, the model that it was made of is scored by `pixelwise evaluate MODEL DATA`."""


def is_bioimage(path: Path) -> bool:
    """Whether a file is named as a package of BioImage.IO."""
    return path.name.lower().endswith(SUFFIX)


def write_bioimage(
    path: Path,
    segmenter: Segmenter,
    sources: CardSources,
    picture: Array,
    *,
    size: tuple[int, int] | None,
) -> None:
    """Write the package with `picture` (H, W, channels), as the network takes it, as its test and
    on its cover; `size` (height, width) is the only one that the network takes, None is any.
    """
    header = sources.header
    with TemporaryDirectory() as folder:
        network = Path(folder) / WEIGHTS
        write_onnx(network, to_onnx(segmenter, size, normalised=True), header)
        weights = network.read_bytes()
    raw = to_raw(_as_batch(picture), reading_rule(header.reading))
    files = {
        WEIGHTS: weights,
        README: _write_readme(sources).encode(),
        TEST_INPUT: _npy(raw),
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    description = describe_package(segmenter, sources, {**hashes, TEST_OUTPUT: ""}, size)
    logits = _BioimageNetwork(weights, description)(raw)
    probabilities = expit(logits) if header.model.multilabel else softmax(logits, axis=1)
    files[TEST_OUTPUT] = _npy(probabilities.astype(np.float32))
    files[COVER] = _draw_cover(picture, probabilities[0], header)
    digest = hashlib.sha256(files[TEST_OUTPUT]).hexdigest()
    description["outputs"][0]["test_tensor"]["sha256"] = digest
    text = yaml.safe_dump(description, sort_keys=False, allow_unicode=True, width=100)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr(DESCRIPTION, text)
        for name, content in files.items():
            package.writestr(name, content)


def list_unknowns(sources: CardSources) -> tuple[str, ...]:
    """What the package cannot say."""
    unknowns = sources.unknowns()
    if not sources.authors:
        unknowns.append("its authors (--author)")
    if sources.licence != UNKNOWN and licence_id(sources.licence) is None:
        unknowns.append(
            f"the licence {sources.licence!r} but in its card: rdf.yaml takes SPDX's names, as "
            "Apache-2.0"
        )
    return tuple(unknowns)


def _write_readme(sources: CardSources) -> str:
    decision = "the class of a pixel is that of the largest"
    if sources.header.model.multilabel:
        decision = "classes overlap, and each has a threshold, in `config.pixelwise` of rdf.yaml"
    return write_card(sources, _USE.format(decision=decision))


def to_raw(pixels: Pixels, rule: ReadingRule) -> NDArray[Any]:
    """(N, channels, H, W) as files hold them, of uint8 as the network sees them: values, of bands
    float32, else of 8 or 16 bits, that become these pixels.
    """
    if rule.channels is None:
        deeper = rule.common_bits - 8
        return pixels if deeper <= 0 else pixels.astype(np.uint16) << deeper
    low = _per_channel(rule.channels.low)
    high = _per_channel(rule.channels.high)
    return np.asarray(low + pixels / 255 * (high - low), np.float32)


def _as_batch(picture: Array) -> Pixels:
    return np.ascontiguousarray(picture.transpose(2, 0, 1))[None]


def _npy(array: NDArray[Any]) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _draw_cover(picture: Array, probabilities: NDArray[Any], header: Header) -> bytes:
    """Two squares side by side, as the collection shows them: the picture, and what it is."""
    channels = reading_rule(header.reading).channels
    rgb = picture if channels is None else channels.to_rgb(picture)
    palette = header.classes.palette
    if header.model.thresholds is None:
        painted = paint(rgb, probabilities.argmax(0).astype(np.uint8), palette)
    else:
        layers = probabilities >= np.array(header.model.thresholds)[:, None, None]
        painted = paint_layers(rgb, layers.astype(np.uint8), palette)
    cover = Image.new("RGB", (2 * _COVER_SIDE, _COVER_SIDE))
    for number, half in enumerate((rgb, painted)):
        square = Image.fromarray(half).resize((_COVER_SIDE, _COVER_SIDE))
        cover.paste(square, (number * _COVER_SIDE, 0))
    file = BytesIO()
    cover.save(file, format="PNG", optimize=True)
    return file.getvalue()


class _BioimageNetwork:
    """The network of a package behind the preprocessing that its description asks for."""

    def __init__(self, weights: bytes, description: dict[str, Any]) -> None:
        self.session = require_package("onnxruntime").InferenceSession(weights)
        self.steps = description["inputs"][0]["preprocessing"]

    def __call__(self, raw: NDArray[Any]) -> Logits:
        """Logits (N, C, H, W) of values as files hold them (N, channels, H, W)."""
        values = raw
        for step in self.steps:
            values = _OPERATIONS[step["id"]](values, **step["kwargs"])
        name = self.session.get_inputs()[0].name
        (logits,) = self.session.run(None, {name: values})
        return np.asarray(logits, np.float32)


class BioimageRunner:
    """Runs a package as its readers do: (N, channels, H, W) uint8 to logits (N, C, H, W)."""

    def __init__(self, path: Path, rule: ReadingRule) -> None:
        with zipfile.ZipFile(path) as package:
            description = yaml.safe_load(package.read(DESCRIPTION))
            self._network = _BioimageNetwork(package.read(WEIGHTS), description)
        self._rule = rule

    def __call__(self, rgb: Pixels) -> Logits:
        """Logits of uint8 pixels, by way of the values that files would hold."""
        return self._network(to_raw(rgb, self._rule))


def _per_channel(values: Sequence[float]) -> NDArray[np.float64]:
    return np.array(values, np.float64)[:, None, None]


def _cast(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    return values.astype(dtype)


def _scale(values: NDArray[Any], gain: Any, offset: Any, axis: str | None = None) -> NDArray[Any]:
    if axis is None:
        scaled: NDArray[Any] = values * gain + offset
        return scaled
    return np.asarray(values * _per_channel(gain) + _per_channel(offset))


def _clip(values: NDArray[Any], min: float, max: float) -> NDArray[Any]:
    return values.clip(min, max)


def _normalise(
    values: NDArray[Any], axis: str, mean: list[float], std: list[float]
) -> NDArray[Any]:
    normalised: NDArray[Any] = (values - _per_channel(mean)) / _per_channel(std)
    return normalised


_OPERATIONS: dict[str, Callable[..., NDArray[Any]]] = {
    "ensure_dtype": _cast,
    "scale_linear": _scale,
    "clip": _clip,
    "fixed_zero_mean_unit_variance": _normalise,
}
"""Those of the specification that are used here."""
