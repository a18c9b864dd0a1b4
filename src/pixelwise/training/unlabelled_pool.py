"""A pool of images without masks: none that the data set holds itself, in a drawn order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.datasets.perceptual_hash import Prints, find_near_copy, hash_appearance, hash_content
from pixelwise.datasets.types import ALL, DataSet
from pixelwise.errors import ImageError, PixelwiseError
from pixelwise.inference.predictor import Predictor
from pixelwise.io.channels import TO_SHOW
from pixelwise.io.images import Array, Picture, read_rgb
from pixelwise.progress import Progress


@dataclass(frozen=True)
class KnownImages:
    """Finger prints of a data set's own images, of all splits."""

    contents: frozenset[bytes]
    prints: Prints
    thumbs: tuple[bytes, ...]

    def holds(self, rgb: Array) -> bool:
        """Whether (H, W, 3) uint8 is one of them, or a near copy: recoded, resized, brightened."""
        if hash_content(rgb) in self.contents:
            return True
        print_, thumb = hash_appearance(Image.fromarray(rgb).convert("L"))
        return find_near_copy(print_, thumb, self.prints, self.thumbs)


def find_known_images(dataset: DataSet, progress: Progress) -> KnownImages:
    """The prints of every image of `dataset`; one that cannot be read is left out."""
    paths = {pair.image for pair in dataset.pairs(ALL)}
    if dataset.whole is not None:
        paths.add(dataset.whole.image)
    contents = set()
    prints = []
    thumbs = []
    for path in progress.track(sorted(paths), what="known images", total=len(paths)):
        try:
            rgb = read_rgb(path, TO_SHOW)
        except ImageError:
            continue  # it is left out of the training too, or has been refused
        contents.add(hash_content(rgb))
        print_, thumb = hash_appearance(Image.fromarray(rgb).convert("L"))
        prints.append(print_)
        thumbs.append(thumb)
    return KnownImages(frozenset(contents), np.array(prints, np.uint64), tuple(thumbs))


def draw_order(images: Sequence[Path], seed: int) -> list[Path]:
    """The images in an order that depends on their names and the seed alone."""
    rng = np.random.default_rng(seed)
    ordered = sorted(images)
    return [ordered[index] for index in rng.permutation(len(ordered))]


def read_pool(
    images: Sequence[Path], known: KnownImages, predictor: Predictor, left_out: dict[str, str]
) -> Iterator[tuple[Path, Picture]]:
    """Each image that can be read and is not known, decoded; of the others the reason goes to
    `left_out`.
    """
    for path in images:
        try:
            picture = predictor.read(path)
        except PixelwiseError as error:
            left_out[str(path)] = str(error)
            continue
        if known.holds(picture.rgb):
            left_out[str(path)] = "an image of the data set, or a near copy of one"
            continue
        yield path, picture
