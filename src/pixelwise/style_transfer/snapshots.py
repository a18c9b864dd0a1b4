"""Images of a style transfer's steps, a film of them, and the curves of the losses."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pixelwise.errors import ConfigError
from pixelwise.io.atomic import atomic
from pixelwise.io.images import Array, write_image
from pixelwise.reports.figures import draw_losses
from pixelwise.style_transfer.optimization import Step

_FILM_SECONDS = 4


@dataclass(frozen=True)
class Snapshots:
    """Which steps' images are written, and where."""

    folder: Path
    """Gets the images, the curves and a film."""

    every: int = 25
    """Steps between two images."""

    def __post_init__(self) -> None:
        if self.every < 1:
            raise ConfigError(f"every is {self.every}: allowed is 1 or more")


class Film:
    """The images of one style transfer, in order."""

    def __init__(self, snapshots: Snapshots) -> None:
        self.snapshots = snapshots
        self._frames: list[Array] = []

    def takes(self, step: Step) -> bool:
        """Whether this step's image is wanted."""
        return step.number % self.snapshots.every == 0 or step.number == 1

    def add(self, step: Step, rgb: Array) -> None:
        """Write the image of a step."""
        self._frames.append(rgb)
        write_image(self.snapshots.folder / f"step_{step.number:04d}.jpg", rgb)

    def finish(self, rgb: Array, history: list[Step]) -> None:
        """Write the curves, and the film, which ends with the result `rgb`."""
        folder = self.snapshots.folder
        losses = {
            "content": [step.losses.content for step in history],
            "style": [step.losses.style for step in history],
            "total variation": [step.losses.smooth for step in history],
        }
        draw_losses(losses, folder / "curves.png")
        size = (rgb.shape[1], rgb.shape[0])
        frames = [Image.fromarray(frame).resize(size) for frame in [*self._frames, rgb]]
        milliseconds = _FILM_SECONDS * 1000 // len(frames)
        with atomic(folder / "way.webp") as draft:
            frames[0].save(
                draft,
                save_all=True,
                append_images=frames[1:],
                duration=milliseconds,
                loop=0,
                quality=85,
            )
