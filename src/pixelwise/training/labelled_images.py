"""Any data set that can be read, as a `torch.utils.data.Dataset` for loops of one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from pixelwise.classes import Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError
from pixelwise.io.channels import ReadingRule
from pixelwise.io.images import read_picture, void_invalid
from pixelwise.training.band_input import find_dataset_channels
from pixelwise.training.recipes import make_config
from pixelwise.training.transforms import as_tensors

Sample = tuple[Tensor, Tensor]


class LabelledImages(Dataset[Any]):
    """The images of a split with their labels, decoded when they are asked for.

    An item is image (channels, H, W) uint8, RGB or the bands that a training would take, and labels
    (H, W) int64, class ids or 255 for void; or what `transform` makes of the two. `classes` are
    names and colours by class id, `names` those of the images.
    """

    def __init__(
        self,
        data: str | Path,
        split: str = "train",
        *,
        transform: Callable[[Tensor, Tensor], Any] | None = None,
        bands: str | None = None,
        options: DataOptions | None = None,
        **reading: Any,
    ) -> None:
        """`data` and `reading`, fields of DataOptions, as `train` takes them: missing splits are
        held out alike. Raises DataError for what cannot be read, and as `train`.
        """
        self._dataset = open_dataset(data, options or DataOptions.of(reading))
        config = make_config("default", **({} if bands is None else {"bands": bands}))
        self._rule = ReadingRule(channels=find_dataset_channels(self._dataset, config))
        self._pairs = self._dataset.pairs(split)
        self._transform = transform
        self.classes: Classes = self._dataset.classes
        self.names = tuple(pair.name for pair in self._pairs)

    @property
    def channels(self) -> int:
        """Of an image."""
        return 3 if self._rule.channels is None else len(self._rule.channels)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> Any:
        """The sample at `index`. Raises ImageError for a file that cannot be read, DataError for a
        mask of another size.
        """
        pair = self._pairs[index]
        picture = read_picture(pair.image, self._rule)
        labels = self._dataset.read_labels(pair.mask)
        if labels.shape != picture.pixels.shape[:2]:
            raise DataError(
                f"{pair.image}: {picture.pixels.shape[:2]} pixels, but its mask has "
                f"{labels.shape} (height, width)"
            )
        image, target = as_tensors(picture.pixels, void_invalid(labels, picture.valid))
        sample = image.contiguous(), target.to(torch.int64)
        return sample if self._transform is None else self._transform(*sample)
