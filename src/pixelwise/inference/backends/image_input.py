"""What a network of a file takes: one picture of uint8 pixels, channels first, of any size or of a
fixed one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pixelwise.errors import ModelError

# Sides of a shape as runtimes give them: a number, or a name or None where the side is free.
Side = int | str | None


@dataclass(frozen=True)
class ImageInput:
    """The input's name, and its height and width where these are fixed."""

    name: str
    height: int | None = None
    width: int | None = None

    @property
    def is_fixed(self) -> bool:
        """Whether pictures of some sizes cannot be given."""
        return self.height is not None or self.width is not None


def read_image_input(
    path: Path, inputs: Sequence[tuple[str, str, Sequence[Side]]], channels: int = 3
) -> ImageInput:
    """The input of the network in `path`, of (name, type, shape) of all its inputs; its pictures
    have so many `channels`.

    Raises ModelError, naming what differs, for one that cannot be given pixels as an export of ours
    takes them: uint8 (N, channels, H, W). Other tools change types, layouts and sizes.
    """
    changed = partial(_changed_error, path, channels)
    if len(inputs) != 1:
        names = ", ".join(name for name, _, _ in inputs)
        raise changed(f"takes {len(inputs)} inputs ({names}), and a picture is one")
    name, kind, shape = inputs[0]
    kind = kind.removeprefix("tensor(").removesuffix(")")
    if kind != "uint8":
        raise changed(f"its input '{name}' is {kind}, and pixels are uint8, 0 to 255")
    sides = [side if isinstance(side, int) and side > 0 else None for side in shape]
    text = " x ".join("any" if side is None else str(side) for side in sides)
    if len(sides) == 4 and sides[3] == channels and sides[1] != channels:
        raise changed(f"its input '{name}' is {text}, with the channels last")
    if len(sides) != 4 or sides[1] not in (channels, None):
        raise changed(f"its input '{name}' is {text}")
    if sides[0] not in (1, None):
        raise changed(
            f"its input '{name}' is {text}: {sides[0]} pictures at once, and one is given"
        )
    return ImageInput(name, sides[2], sides[3])


def _changed_error(path: Path, channels: int, reason: str) -> ModelError:
    return ModelError(
        f"model {path}: {reason}; an export of pixelwise takes images x {channels} x height x "
        "width of uint8: leave the input as it is in the tool that changed it, or export again"
    )
