"""Pairs of files to batches of tensors, decoded lazily in workers."""

import signal
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
from pixelwise.errors import PixelwiseError
from pixelwise.io.images import Array, read_rgb
from pixelwise.training.image_cache import Decoded
from pixelwise.training.transforms import Augmentation, as_tensors, pasted

T = TypeVar("T")
Batch = tuple[Tensor, Tensor]
ReadLabels = Callable[[Path], Array]

VALIDATION_TILE = 1024
"""Validation images above this many pixels a side are cut, without overlap: memory stays bounded,
counts just add.
"""


@dataclass(frozen=True)
class TrainingSet(Dataset[Batch]):
    """Augmented samples; the item (epoch, index) depends on the seed and on itself alone, not on
    order or worker.

    Void pixels become the class `void_as`; only a comparison with sources that do so has use for
    another than VOID. `paste` is the share of the samples over which classes of another sample are
    laid: half of them, or those of `among` as `pasted` has it. `decoded` keeps pictures, in the
    order of the pairs.
    """

    pairs: tuple[Pair, ...]
    read_labels: ReadLabels
    augment: Augmentation
    seed: int
    void_as: int = VOID
    paste: float = 0.0
    among: Tensor | None = None
    decoded: Decoded | None = None

    def __getitem__(self, item: tuple[int, int]) -> Batch:
        """uint8 image (3, h, w) and labels (h, w) of the crop's size."""
        chance = dice(self.seed, *item)
        image, labels = self._sample(item[1], chance)
        if self.paste and float(torch.rand((), generator=chance)) < self.paste:
            other = int(torch.randint(len(self.pairs), (), generator=chance))
            image, labels = pasted(image, labels, self._sample(other, chance), chance, self.among)
        return image, labels if self.void_as == VOID else labels.masked_fill(
            labels == VOID, self.void_as
        )

    def _sample(self, index: int, chance: torch.Generator) -> Batch:
        pair = self.pairs[index]

        def decode() -> tuple[Array, Array]:
            return read_rgb(pair.image), self.read_labels(pair.mask)

        found = decode() if self.decoded is None else self.decoded.pair(index, decode)
        return self.augment(*as_tensors(*found), chance)

    def __len__(self) -> int:
        return len(self.pairs)


@dataclass(frozen=True)
class WholeImages(Dataset[list[Batch]]):
    """Unchanged images with their labels, as a list of tiles: one where the image is of usual
    size.
    """

    pairs: tuple[Pair, ...]
    read_labels: ReadLabels

    def __getitem__(self, index: int) -> list[Batch]:
        """uint8 images (1, 3, h, w) and labels (1, h, w)."""
        pair = self.pairs[index]
        image, labels = as_tensors(read_rgb(pair.image), self.read_labels(pair.mask))
        side = VALIDATION_TILE
        return [
            (image[None, :, y : y + side, x : x + side], labels[None, y : y + side, x : x + side])
            for y in range(0, labels.shape[0], side)
            for x in range(0, labels.shape[1], side)
        ]

    def __len__(self) -> int:
        return len(self.pairs)


class Epochs(Sampler[tuple[int, int]]):
    """(epoch, index) in an order that depends on the seed and the epoch alone; set `epoch` before
    each round.

    `part` (number, of how many) takes every so-manyth of them, for one of several processes; all
    get the same count.
    """

    def __init__(self, length: int, seed: int, part: tuple[int, int] = (0, 1)) -> None:
        self.length = length
        self.seed = seed
        self.epoch = 0
        self.part = part

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = torch.randperm(self.length, generator=dice(self.seed, self.epoch))
        number, parts = self.part
        return ((self.epoch, int(index)) for index in order[number::parts][: len(self)])

    def __len__(self) -> int:
        return self.length // self.part[1]


def dice(*key: int) -> torch.Generator:
    """A generator of random numbers that depends on `key` alone."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> np.uint64(1)))


def training_loader(
    dataset: TrainingSet, *, batch: int, workers: int, part: tuple[int, int] = (0, 1)
) -> tuple[DataLoader[Batch], Epochs]:
    """Batches (N, 3, h, w), (N, h, w), with the sampler that must be told the epoch. An incomplete
    last batch is left out: its few images come first as likely in another epoch, and one image
    alone breaks batch normalisation.
    """
    sampler = Epochs(len(dataset), dataset.seed, part)
    loader = DataLoader(
        dataset,
        batch_size=min(batch, len(sampler)),
        sampler=sampler,
        drop_last=True,
        num_workers=workers,
        generator=torch.Generator(),  # the loop's own random numbers must not depend on the workers
        persistent_workers=workers > 0,
        worker_init_fn=_ignore_interrupt,
    )
    return loader, sampler


def validation_loader(
    dataset: WholeImages, *, workers: int, part: tuple[int, int] = (0, 1)
) -> DataLoader[list[Batch]]:
    """One list of tiles an image, in the data set's order; with `part` (number, of how many), of
    its share alone.
    """
    return DataLoader(
        dataset,
        batch_size=None,
        sampler=range(part[0], len(dataset), part[1]),
        num_workers=workers,
        generator=torch.Generator(),  # the loop's own random numbers must not depend on the workers
        persistent_workers=workers > 0,
        worker_init_fn=_ignore_interrupt,
    )


def plainly(batches: Iterable[T]) -> Iterator[T]:
    """The batches of a loader; what a worker raises for a user's file, without the traceback that
    comes in its text.
    """
    try:
        yield from batches
    except PixelwiseError as error:
        kind = type(error)
        told = kind(str(error).rpartition(f"{kind.__name__}: ")[2].strip())
    else:
        return
    raise told


@contextmanager
def workers_ended(*loaders: DataLoader[Any]) -> Iterator[None]:
    """The workers of `loaders` end with the block, however it is left.

    They heed no SIGTERM, and a process that still has some at its end, as a traceback holds them,
    would wait for ever.
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
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # these reach the whole group; the main process decides
        signal.signal(number, signal.SIG_IGN)
