"""The classes that a model and a data set share by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.types import Pair
from pixelwise.errors import ImageError, ModelError
from pixelwise.io.images import Array


@dataclass(frozen=True)
class ClassMatch:
    """The classes that model and data set have by the same name, and how each side's ids become ids
    of these: tables (256,) uint8 with void for all others.
    """

    classes: Classes
    from_data: Array
    from_model: Array
    notes: tuple[str, ...]

    def truth(
        self,
        read_labels: Callable[[Path], Array],
        pair: Pair,
        size: tuple[int, ...],
    ) -> Array:
        """True ids (H, W) of a pair in the shared classes. Raises ImageError where they are not of
        the image's size.
        """
        truth = self.from_data[read_labels(pair.mask)]
        if truth.shape != size:
            raise ImageError(
                f"{pair.image}: {size} pixels, but its mask has {truth.shape} (height, width)"
            )
        return truth


def match_classes(model: Classes, data: Classes, *, model_name: str = "model") -> ClassMatch:
    """The classes by name; all else is void. Raises ModelError where no name is in both."""
    shared = tuple(name for name in data.names if name in model.names)
    if not shared:
        raise ModelError(
            f"{model_name} and data share no class name: the model knows "
            f"{', '.join(model.names)}; the data has {', '.join(data.names)}; "
            "rename them in the data's classes.txt"
        )
    # The data's colours: pages show prediction and truth alike.
    palette = tuple(data.palette[data.names.index(name)] for name in shared)
    return ClassMatch(
        Classes(shared, palette),
        from_data=_lookup_table(data.names, shared),
        from_model=_lookup_table(model.names, shared),
        notes=_describe_unshared(model, data),
    )


def _describe_unshared(model: Classes, data: Classes) -> tuple[str, ...]:
    unknown = [name for name in data.names if name not in model.names]
    extra = [name for name in model.names if name not in data.names]
    notes = []
    if unknown:
        notes.append(f"the model does not know {', '.join(unknown)}: their pixels are void")
    if extra:
        notes.append(
            f"the data has no {', '.join(extra)}: pixels predicted so are counted as wrong"
        )
    return tuple(notes)


def _lookup_table(names: tuple[str, ...], shared: tuple[str, ...]) -> Array:
    # one step over an image for all classes: labels of a picture index the table at once
    table = np.full(256, VOID, dtype=np.uint8)
    for label, name in enumerate(names):
        if name in shared:
            table[label] = shared.index(name)
    return table
