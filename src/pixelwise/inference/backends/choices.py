"""Which runtimes are tried on which kind of processor, and which proved the fastest, remembered in
the user's cache.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pixelwise.errors import OutputError
from pixelwise.hardware import cpu_has_bfloat16, is_x86
from pixelwise.inference.backends.sessions import openvino_has_bfloat16
from pixelwise.io.atomic import write_text
from pixelwise.optional import is_installed

# What is measured on a kind of processor. PyTorch is left out where another runtime was the faster
# one on every processor tried (benchmarks/results/predict_folder.md): its import and the
# measurement would take most of the time of a first command.
TRIED = {
    "bfloat16": ("openvino bfloat16", "openvino float32", "onnxruntime float32"),
    "x86": ("openvino float32", "onnxruntime float32"),
    "other": ("onnxruntime float32", "openvino float32", "torch float32"),
}

# In the order in which they label their first picture, for a few that are not worth measuring.
SOONEST = ("onnxruntime float32", "openvino float32", "openvino bfloat16")


def names_to_try(precision: str | None) -> list[str]:
    """The runtimes to measure here, of one precision or of all; with bfloat16 alone, one in float32
    beside it, to compare with.
    """
    names = [name for name in TRIED[_kind_of_processor(precision)] if _is_here(name)]
    if precision == "bfloat16" and names:
        return [name for name in names if "bfloat16" in name][:1] + _in_float32(names)[:1]
    if precision == "float32":
        names = _in_float32(names)
    if any(not name.startswith("torch") for name in names):
        return names
    # PyTorch is all there is
    has_bfloat16 = precision == "bfloat16" or (precision is None and cpu_has_bfloat16())
    return ["torch float32", *["torch bfloat16"] * has_bfloat16]


def names_that_begin_soon(precision: str | None) -> list[str]:
    """Those to take without a measurement, the first that works."""
    return [name for name in SOONEST if _is_here(name) and name.endswith(precision or "float32")]


def _in_float32(names: Sequence[str]) -> list[str]:
    return [name for name in names if name.endswith("float32")]


def _is_here(name: str) -> bool:
    return is_installed(name.partition(" ")[0])


def _kind_of_processor(precision: str | None) -> str:
    """One of TRIED."""
    if precision == "bfloat16":
        return "bfloat16"
    if precision is None and is_installed("openvino") and openvino_has_bfloat16():
        return "bfloat16"
    return "x86" if is_x86() else "other"


@dataclass(frozen=True)
class Choices:
    """The order of the runtimes for a model on this machine, the fastest first, in JSON files.

    of_network holds for all models of one architecture. Where the weights decide, as those whose
    labels differ in bfloat16, of_model holds it.
    """

    of_model: Path
    of_network: Path

    def load(self) -> list[str]:
        """The names, none where nothing is known; a damaged file counts as none."""
        for path in (self.of_model, self.of_network):
            with suppress(OSError, ValueError, KeyError, TypeError):
                names = json.loads(path.read_text(encoding="utf-8"))["runtimes"]
                return [str(name) for name in names]
        return []

    def save(self, names: Sequence[str], *, for_network: bool) -> None:
        """Keep an order. A cache that cannot be written only costs the next command a
        measurement.
        """
        with suppress(OutputError):
            path = self.of_network if for_network else self.of_model
            write_text(path, json.dumps({"runtimes": list(names)}) + "\n")

    def forget(self) -> None:
        """Measure anew next time."""
        for path in (self.of_model, self.of_network):
            with suppress(OSError):
                path.unlink(missing_ok=True)
