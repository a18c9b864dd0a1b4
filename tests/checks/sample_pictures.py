"""Small sets of pictures with a truth that is known."""

from pathlib import Path

import numpy as np
from PIL import Image

Array = np.ndarray


def photo(seed: int, side: int = 128) -> Array:
    """A smooth picture of its own."""
    small = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


def object_at(seed: int, side: int = 128) -> Array:
    """A disc of True in False."""
    y, x = np.mgrid[:side, :side]
    return np.hypot(y - 40 - seed % 7 * 5, x - 50 - seed % 5 * 6) < 18 + seed % 4 * 5


def write_set(
    root: Path, masks: list[Array], suffix: str = ".png", images: list[Array] | None = None
) -> Path:
    """A plain folder without splits: images as PNG, masks in the format of `suffix`."""
    for side in ("images", "masks"):
        (root / side).mkdir(parents=True)
    for number, mask in enumerate(masks):
        image = photo(number) if images is None else images[number]
        Image.fromarray(image).save(root / f"images/{number:03}.png")
        Image.fromarray(mask).save(root / f"masks/{number:03}{suffix}")
    return root


def labels_of(folder: Path) -> dict[str, Array]:
    return {path.stem: np.asarray(Image.open(path)) for path in (folder / "masks").rglob("*.png")}
