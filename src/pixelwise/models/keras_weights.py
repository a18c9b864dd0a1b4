"""Weights of Keras's ResNet-V2, out of the HDF5 files that Keras writes.

Three layouts are read, all of which hold arrays by name and nothing that runs: `.h5` of Keras 1 to
3 has layers by their names (also below the name of a model that holds them), `.weights.h5` of Keras
3 by their kind and number, and `.keras` is a zip archive with such a file in it.

Source: https://keras.io/api/applications/resnet and https://keras.io/api/models/model_saving_apis.
"""

import hashlib
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pixelwise.errors import WeightsError
from pixelwise.models.file_kinds import name_kind
from pixelwise.models.keras_resnet import KERAS_RESNETS
from pixelwise.optional import require_package

SUFFIXES = (".h5", ".hdf5", ".keras")

# Keras's own name of each tensor and PyTorch's, in the order in which Keras 3 numbers them.
_CONVOLUTION = {"kernel": "weight", "bias": "bias"}
_NORMALISATION = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

# Where the state of an optimiser stands, which is no part of the network.
_OPTIMISER = ("optimizer", "optimizer_weights")

# Names that a message lists of each kind.
_NAMED = 3

# As Keras 3 names the layers of a kind: the first without a number, the second with a 1.
_NUMBERED = re.compile(r"(conv2d|batch_normalization)(?:_(\d+))?/vars/(\d+)$")


@dataclass(frozen=True)
class Published:
    """A file of ImageNet weights that Keras downloads, without a top."""

    file: str
    md5: str


PUBLISHED = {
    "keras_resnet50v2": Published(
        "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "fac2f116257151a9d068a22e544a4917",
    ),
    "keras_resnet101v2": Published(
        "resnet101v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "c0ed64b8031c3730f411d2eb4eea35b5",
    ),
    "keras_resnet152v2": Published(
        "resnet152v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "ed17cf2e0169df9d443503ef94b23b33",
    ),
}

# Of the published weights: those of https://github.com/facebook/fb.resnet.torch, as Keras's
# documents say.
LICENCE = "bsd-3-clause"


def is_keras_file(weights: str) -> bool:
    """Whether `weights` is named as a file of Keras."""
    return weights.lower().endswith(SUFFIXES)


def find_published(encoder: str) -> Path:
    """The published weights of one of KERAS_RESNETS where Keras keeps its downloads.

    Raises WeightsError where they are not there; nothing is downloaded.
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    path = home / "models" / PUBLISHED[encoder].file
    if not path.is_file():
        raise WeightsError(
            f"weights of encoder '{encoder}' are not at {path}, where Keras keeps them once it has "
            f"downloaded them; give that file as --weights FILE, or start untrained with "
            "--weights none"
        )
    return path


def is_published(path: Path) -> bool:
    """Whether the file is, byte for byte, one that Keras publishes."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest() in {published.md5 for published in PUBLISHED.values()}


def read_keras_state(path: Path, net: nn.Module, encoder: str) -> dict[str, Tensor]:
    """All tensors of `net`, a KerasResNetV2, by their names there; `encoder` is what messages call
    it.

    Raises WeightsError for a file that is damaged, that lacks one of them or that holds more, and
    ConfigError where h5py is missing.
    """
    with _open(path) as file:
        arrays = _list_arrays(file)
        places = _list_places(net)
        named = _name_arrays(arrays, places)
        if _list_faults(named, places):
            raise _misfit_error(path, encoder, arrays, places)
        return {place.target: _to_tensor(named[name]) for name, place in places.items()}


@dataclass(frozen=True)
class _Place:
    """Where a tensor of Keras goes."""

    target: str
    """Its name in the state dict."""

    shape: tuple[int, ...]
    """As Keras has it."""


def _list_places(net: nn.Module) -> dict[str, _Place]:
    """The places by Keras's names, `layer/tensor`, in the order of its layers."""
    places = {}
    for path, module in net.named_modules():
        names = _NORMALISATION if isinstance(module, nn.BatchNorm2d) else _CONVOLUTION
        for keras_name, own_name in names.items():
            tensor = getattr(module, own_name, None)
            if isinstance(tensor, Tensor):
                layer = path.replace(".", "_")
                shape = tuple(tensor.shape)
                if tensor.ndim == 4:
                    shape = (*shape[2:], shape[1], shape[0])
                places[f"{layer}/{keras_name}"] = _Place(f"{path}.{own_name}", shape)
    return places


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """The open HDF5 file; what h5py raises in the block becomes a WeightsError."""
    h5py = require_package("h5py")
    try:
        kind = name_kind(path)
        if kind.startswith("an HDF5"):
            with h5py.File(path, "r") as file:
                yield file
        elif kind == "a zip archive" or path.suffix.lower() == ".keras":
            with zipfile.ZipFile(path) as archive, tempfile.TemporaryFile() as copy:
                with archive.open("model.weights.h5") as member:
                    shutil.copyfileobj(member, copy)
                with h5py.File(copy, "r") as file:
                    yield file
        else:
            kind = kind or "neither HDF5 nor a zip archive"
            raise WeightsError(f"weights {path}: {kind}, not a file of Keras; get it again")
    except (OSError, RuntimeError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"weights {path}: cut short or damaged ({error}); download or copy it again"
        ) from error


def _list_arrays(file: Any) -> dict[str, Any]:
    """Arrays by their path in the file, without those of an optimiser."""
    arrays = {}

    def note(path: str, item: Any) -> None:
        if hasattr(item, "shape") and path.partition("/")[0] not in _OPTIMISER:
            arrays[path] = item

    file.visititems(note)  # follows no links to other files
    return arrays


def _name_arrays(arrays: dict[str, Any], places: dict[str, _Place]) -> dict[str, Any]:
    """The arrays as `layer/tensor`; those without a place keep their path."""
    layers = list(dict.fromkeys(name.partition("/")[0] for name in places))
    named = {}
    for path, array in arrays.items():
        numbered = _NUMBERED.search(path)
        name = _name_by_number(numbered, layers) if numbered else _name_by_layer(path, layers)
        # a name that is taken already is another model's
        has_place = name in places and name not in named
        named[name if has_place else path] = array
    return named


def _name_by_number(match: re.Match[str], layers: Sequence[str]) -> str:
    number = int(match[2] or 0)
    tensor = int(match[3])
    is_convolution = match[1] == "conv2d"
    ending = "_conv" if is_convolution else "_bn"
    alike = [layer for layer in layers if layer.endswith(ending)]
    tensors = list(_CONVOLUTION if is_convolution else _NORMALISATION)
    if number >= len(alike) or tensor >= len(tensors):
        return ""
    return f"{alike[number]}/{tensors[tensor]}"


def _name_by_layer(path: str, layers: Sequence[str]) -> str:
    # `conv1_conv/conv1_conv/kernel:0`, with the name of a model before or of a graph between
    *groups, tensor = path.split("/")
    for group in reversed(groups):
        if group in layers:
            return f"{group}/{tensor.partition(':')[0]}"
    return ""


def _list_faults(named: dict[str, Any], places: dict[str, _Place]) -> list[str]:
    """What does not fit, each kind with its first names; empty where all does."""
    missing = [name for name in places if name not in named]
    surplus = [name for name in named if name not in places]
    misshapen = []
    for name, place in places.items():
        array = named.get(name)
        if array is not None and (array.shape != place.shape or array.dtype.kind != "f"):
            seen = f"{list(array.shape)} of {array.dtype}"
            misshapen.append(f"{name} (needs {list(place.shape)} of floats, has {seen})")
    faults = []
    for names, what in (
        (missing, "missing"),
        (surplus, "without a place"),
        (misshapen, "of another shape or kind"),
    ):
        if names:
            faults.append(f"{len(names)} tensors {what}, {_list_first(names)}")
    return faults


def _list_first(names: Sequence[str]) -> str:
    text = ", ".join(names[:_NAMED])
    return text if len(names) <= _NAMED else f"first {text}"


def _misfit_error(
    path: Path, encoder: str, arrays: dict[str, Any], places: dict[str, _Place]
) -> WeightsError:
    """Why the file does not fit: a top, another depth, or what is missing and left over."""
    top = _find_top(arrays)
    body = {name: array for name, array in arrays.items() if not name.startswith(f"{top}/")}
    start = f"weights {path}"
    if not _list_faults(_name_arrays(body, places), places):
        return WeightsError(
            f"{start}: with a top ({top}); give the file without one, as of include_top=False "
            f"({PUBLISHED[encoder].file})"
        )
    for other, build in KERAS_RESNETS.items():
        with torch.device("meta"):
            others = _list_places(build())
        if not _list_faults(_name_arrays(body, others), others):
            return WeightsError(f"{start}: of {other}, not of {encoder}; choose that encoder")
    faults = "; ".join(_list_faults(_name_arrays(arrays, places), places))
    return WeightsError(
        f"{start} do not fit encoder '{encoder}' of {len(places)} tensors: {faults}; give the "
        f"weights of this very network alone, as {PUBLISHED[encoder].file} has them"
    )


def _find_top(arrays: dict[str, Any]) -> str:
    """The path of the layer that classifies whole images, the one with a matrix; none is empty."""
    for path, array in arrays.items():
        if len(array.shape) == 2:
            return path.rpartition("/")[0].removesuffix("/vars")
    return ""


def _to_tensor(array: Any) -> Tensor:
    tensor = torch.from_numpy(np.asarray(array, np.float32))
    # Keras has (height, width, inputs, outputs)
    return tensor.permute(3, 2, 0, 1).contiguous() if tensor.ndim == 4 else tensor
