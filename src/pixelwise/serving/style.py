"""Style transfer for the page's second tab."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from PIL import Image

from pixelwise.io.images import Array
from pixelwise.progress import Progress

T = TypeVar("T")


@dataclass(frozen=True)
class Styler:
    """`pixelwise stylize` with the weights of a file: `network` is vgg19, vgg16 or a timm
    encoder.
    """

    weights: Path
    network: str = "vgg19"
    steps: int = 200

    def __call__(
        self, content: Array, style: Array, side: int, progress: Callable[[float], None]
    ) -> Array:
        """`content` in the style of `style`, all (H, W, 3) uint8, fitted into `side` pixels;
        `progress` gets 0 to 1.
        """
        from pixelwise.style_transfer.stylize_image import stylize

        done = stylize(
            Image.fromarray(content),  # type: ignore[arg-type]  # where nothing is written, anything that can be read
            [(Image.fromarray(style), 1.0)],  # type: ignore[list-item]
            size=(side, side),
            network=self.network,
            weights=str(self.weights),
            steps=self.steps,
            progress=_Told(progress),
        )
        return done.rgb


class _Told(Progress):
    def __init__(self, progress: Callable[[float], None]) -> None:
        self.progress = progress

    def track(
        self, items: Iterable[T], *, what: str, total: int, unit: str = "images", weight: int = 1
    ) -> Iterator[T]:
        for done, item in enumerate(items):
            self.progress(min(1.0, done * weight / total))
            yield item
