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
class StyleTransfer:
    """`pixelwise stylize` with the weights of a file: `network` is vgg19, vgg16 or a timm
    encoder.
    """

    weights: Path
    network: str = "vgg19"
    steps: int = 200

    def __call__(
        self, content: Array, style: Array, side: int, on_progress: Callable[[float], None]
    ) -> Array:
        """`content` in the style of `style`, all (H, W, 3) uint8, fitted into `side` pixels;
        `on_progress` receives 0 to 1.
        """
        from pixelwise.style_transfer.stylize_image import stylize

        stylized = stylize(
            Image.fromarray(content),  # type: ignore[arg-type]  # read like any source
            [(Image.fromarray(style), 1.0)],  # type: ignore[list-item]
            size=(side, side),
            network=self.network,
            weights=str(self.weights),
            steps=self.steps,
            progress=ProgressCallback(on_progress),
        )
        return stylized.rgb


class ProgressCallback(Progress):
    """Passes the share of a job's units that have begun to a function."""

    def __init__(self, on_progress: Callable[[float], None]) -> None:
        self.on_progress = on_progress

    def track(
        self, items: Iterable[T], *, what: str, total: int, unit: str = "images", weight: int = 1
    ) -> Iterator[T]:
        """Pass `items` on, each `weight` of `total` units."""
        for count, item in enumerate(items):
            self.on_progress(min(1.0, count * weight / total))
            yield item
