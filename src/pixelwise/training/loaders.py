"""Pairs of files to batches of tensors, decoded lazily in workers."""

import multiprocessing
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from pixelwise.classes import VOID
from pixelwise.datasets.types import Pair
from pixelwise.errors import PixelwiseError, TrainingError, first_line
from pixelwise.inference.resize import resize_labels, resize_pixels
from pixelwise.inference.view_size import view_size
from pixelwise.io.channels import RGB, ReadingRule
from pixelwise.io.images import Array, read_picture, void_invalid
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.training.image_cache import ImageCache
from pixelwise.training.transforms import Augmentation, as_tensors, classmix

T = TypeVar("T")
Batch = tuple[Tensor, Tensor]
ReadLabels = Callable[[Path], Array]

MAIN_GUARD = (
    'a script has to call pixelwise.train under the line `if __name__ == "__main__":`, as each of '
    "its worker processes reads it anew (on Windows and macOS)"
)

# Validation images above this many pixels a side are cut, without overlap: memory stays bounded,
# and counts just add up.
VALIDATION_TILE = 1024


@dataclass(frozen=True)
class TrainingSet(Dataset[Batch]):
    """Augmented samples; the item (epoch, index) depends only on the seed and itself, not on the
    order or the worker.
    """

    pairs: tuple[Pair, ...]
    read_labels: ReadLabels
    augment: Augmentation
    seed: int
    void_as: int = VOID
    """What void pixels become; another class only for comparison with sources that do so."""
    paste: float = 0.0
    """Share of the samples over which classes of another sample are pasted."""
    candidates: Tensor | None = None
    """Class ids that are pasted, as `classmix` takes them."""
    cache: ImageCache | None = None
    """Decoded pairs, in the order of `pairs`."""
    rule: ReadingRule = RGB
    """How images are read."""
    sizes: PictureSizes | None = None
    """At which size a prediction sees an image: at which samples are cut from it too."""
    views: int = 0
    """Augmented views of each image, which come again after so many epochs; 0 for new ones in each
    epoch."""

    def __getitem__(self, item: tuple[int, int]) -> Batch:
        """uint8 image (channels, h, w) and labels (h, w), or layers (C, h, w), of the crop's
        size.
        """
        epoch, index = item
        if self.views and epoch:
            epoch = 1 + (epoch - 1) % self.views
        rng = seeded_generator(self.seed, epoch, index)
        image, labels = self._sample(index, rng)
        if self.paste and float(torch.rand((), generator=rng)) < self.paste:
            other = int(torch.randint(len(self.pairs), (), generator=rng))
            pasted = self._sample(other, rng)
            image, labels = classmix(image, labels, pasted, rng, self.candidates)
        if self.void_as != VOID:
            labels = labels.masked_fill(labels == VOID, self.void_as)
        return image, labels

    def _sample(self, index: int, rng: torch.Generator) -> Batch:
        pair = self.pairs[index]

        def decode() -> tuple[Array, Array]:
            picture = read_picture(pair.image, self.rule)
            return picture.pixels, void_invalid(self.read_labels(pair.mask), picture.valid)

        pixels, labels = decode() if self.cache is None else self.cache.pair(index, decode)
        height, width = labels.shape[-2:]
        factor = self.sizes.view_factor(height, width) if self.sizes else 1.0
        return self.augment(*as_tensors(pixels, labels), rng, factor)

    def __len__(self) -> int:
        return len(self.pairs)


@dataclass(frozen=True)
class WholeImages(Dataset[list[Batch]]):
    """Unchanged images with their labels, as a list of tiles: one where the image is of usual
    size. One that is larger or smaller by far than those of `sizes` is resized as a prediction does
    it, and its labels with it.
    """

    pairs: tuple[Pair, ...]
    read_labels: ReadLabels
    rule: ReadingRule = RGB
    sizes: PictureSizes | None = None

    def __getitem__(self, index: int) -> list[Batch]:
        """uint8 images (1, channels, h, w) and labels (1, h, w), or layers (1, C, h, w)."""
        pair = self.pairs[index]
        picture = read_picture(pair.image, self.rule)
        pixels = picture.pixels
        mask = void_invalid(self.read_labels(pair.mask), picture.valid)
        size = (mask.shape[-2], mask.shape[-1])
        view = view_size(self.sizes, size, picture)
        if view != size:
            pixels = resize_pixels(pixels, view)
            mask = resize_labels(mask, view)
        image, labels = as_tensors(pixels, mask)
        height, width = labels.shape[-2:]
        side = VALIDATION_TILE
        tiles = []
        for top in range(0, height, side):
            for left in range(0, width, side):
                rows = slice(top, top + side)
                columns = slice(left, left + side)
                tiles.append((image[None, :, rows, columns], labels[None, ..., rows, columns]))
        return tiles

    def __len__(self) -> int:
        return len(self.pairs)


@dataclass(frozen=True)
class FixedBatches:
    """The same `count` batches of training images each time, as they are augmented in epoch 0,
    which is never trained on.
    """

    dataset: TrainingSet
    batch: int
    count: int

    def __iter__(self) -> Iterator[Tensor]:
        """uint8 images (N, channels, h, w)."""
        for number in range(self.count):
            start = number * self.batch
            indices = range(start, start + self.batch)
            images = [self.dataset[0, index % len(self.dataset)][0] for index in indices]
            yield torch.stack(images)


class Epochs(Sampler[tuple[int, int]]):
    """(epoch, index) of a round of `passes` epochs from `epoch` on, each in an order that depends
    only on the seed and itself; set both before each round.

    With `part` (rank, world size) each process takes its share of them, all the same number.
    """

    def __init__(self, length: int, seed: int, part: tuple[int, int] = (0, 1)) -> None:
        self.length = length
        self.seed = seed
        self.epoch = 0
        self.passes = 1
        self.part = part

    def __iter__(self) -> Iterator[tuple[int, int]]:
        rank, world_size = self.part
        for epoch in range(self.epoch, self.epoch + self.passes):
            order = torch.randperm(self.length, generator=seeded_generator(self.seed, epoch))
            # Shares of one length: a process with a batch more would wait for the others forever.
            for index in order[rank::world_size][: self.share]:
                yield epoch, int(index)

    @property
    def share(self) -> int:
        """This process's samples of one epoch."""
        return self.length // self.part[1]

    def __len__(self) -> int:
        return self.passes * self.share


def seeded_generator(*key: int) -> torch.Generator:
    """A generator of random numbers that depends only on `key`."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))


def training_loader(
    dataset: TrainingSet,
    *,
    batch: int,
    workers: int,
    part: tuple[int, int] = (0, 1),
    pin: bool = False,
) -> tuple[DataLoader[Batch], Epochs]:
    """Batches (N, 3, h, w) and (N, h, w), and the sampler whose epoch must be set; with `pin` in
    memory from which a GPU fetches them beside its work.

    An incomplete last batch of a round is left out: its images are as likely to come first in
    another one, and a single image breaks batch normalisation.
    """
    sampler = Epochs(len(dataset), dataset.seed, part)
    loader = DataLoader(
        dataset,
        batch_size=min(batch, sampler.share),
        sampler=sampler,
        drop_last=True,
        num_workers=workers,
        generator=torch.Generator(),  # the loop's own random numbers must not depend on the workers
        persistent_workers=workers > 0,
        worker_init_fn=_ignore_interrupt,
        multiprocessing_context=_start_method(workers),
        pin_memory=pin,
    )
    return loader, sampler


def validation_loader(
    dataset: WholeImages,
    *,
    workers: int,
    part: tuple[int, int] = (0, 1),
    pin: bool = False,
) -> DataLoader[list[Batch]]:
    """A list of tiles for each image, in the data set's order; with `part` (rank, world size), of
    this process's share; `pin` as in `training_loader`.
    """
    return DataLoader(
        dataset,
        batch_size=None,
        sampler=range(part[0], len(dataset), part[1]),
        num_workers=workers,
        generator=torch.Generator(),  # the loop's own random numbers must not depend on the workers
        persistent_workers=workers > 0,
        worker_init_fn=_ignore_interrupt,
        multiprocessing_context=_start_method(workers),
        pin_memory=pin,
    )


def _start_method(workers: int) -> str | None:
    """How workers are started: on Linux by fork, which shares the cache of decoded images and reads
    no script again, and is no longer Python's default from 3.14 on; elsewhere, and where the script
    has chosen another way, as Python does.
    """
    chosen = multiprocessing.get_start_method(allow_none=True)
    forks = sys.platform == "linux" and chosen in (None, "fork")
    return "fork" if workers and forks else None


def stop_in_starting_worker() -> None:
    """End this process where it is a worker that only reads the user's script in order to start: a
    script without a guard trains again in each of them.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(f"pixelwise: {MAIN_GUARD}")


def reraise_clean(batches: Iterable[T]) -> Iterator[T]:
    """The batches of a loader; an error of a worker is raised without the traceback that PyTorch
    puts into its message, and a worker's end as a TrainingError.
    """
    clean_error: PixelwiseError
    try:
        yield from batches
    except PixelwiseError as error:
        kind = type(error)
        clean_error = kind(str(error).rpartition(f"{kind.__name__}: ")[2].strip())
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        clean_error = _worker_error(error)
    else:
        return
    raise clean_error  # outside of the handler: the worker's error is no context of it


def _worker_error(error: RuntimeError) -> TrainingError:
    """What it means that a worker is gone: PyTorch's error names its process alone."""
    if "killed by signal" in str(error):
        advice = "often for want of memory; fewer workers need less, and workers=0 none"
    elif (_start_method(1) or multiprocessing.get_start_method()) == "fork":
        advice = "workers=0 does without them, and shows what is wrong"
    else:
        advice = f"{MAIN_GUARD}; workers=0 does without them"
    return TrainingError(f"a process that reads images has ended ({first_line(error)}): {advice}")


@contextmanager
def shutdown_workers(*loaders: DataLoader[Any]) -> Iterator[None]:
    """End the workers of `loaders` with the block, however it is left.

    They ignore SIGTERM, and a process that still has some when it exits, because a traceback holds
    them, would wait forever.
    """
    try:
        yield
    finally:
        for loader in loaders:
            iterator = loader._iterator
            loader._iterator = None
            if iterator is not None:
                iterator._shutdown_workers()  # type: ignore[attr-defined]


def _ignore_interrupt(_: int) -> None:
    # These reach the whole process group; the main process decides what happens.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
