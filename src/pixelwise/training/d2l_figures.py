"""The figures of "Dive into Deep Learning" beside the corrected ones, after a training by its
recipe.
"""

import math
from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader

from pixelwise.datasets.scan import SplitStats
from pixelwise.datasets.types import DataSet
from pixelwise.training.config import TrainConfig
from pixelwise.training.history import Epoch
from pixelwise.training.loaders import Batch, TrainingSet
from pixelwise.training.transforms import Augmentation


@dataclass(frozen=True)
class D2lFigures:
    """What the book prints, and the same network scored correctly."""

    loss: float
    """Mean over the last epoch's batches."""
    train_accuracy: float
    """Over the last epoch's batches."""
    test_accuracy: float
    """Over random crops of the validation images that are no smaller than the crop; void counts as
    background.
    """
    crops: int
    """Images behind `test_accuracy`."""
    pixel_accuracy: float
    """Over all whole validation images; void counts nowhere."""
    mean_iou: float
    """As `pixel_accuracy`."""
    images: int
    """Images behind `pixel_accuracy` and `mean_iou`."""

    def lines(self) -> tuple[str, str]:
        """Two lines for the terminal."""
        return (
            f"as the book counts: loss {self.loss:.3f}, train acc {self.train_accuracy:.3f}, "
            f"test acc {self.test_accuracy:.3f} "
            f"(random crops of {self.crops} images, void counted as background)",
            f"corrected: pixel accuracy {self.pixel_accuracy:.3f}, mean IoU {self.mean_iou:.3f} "
            f"(all {self.images} validation images whole, void left out)",
        )

    def as_dict(self) -> dict[str, float]:
        """For run.json."""
        return asdict(self)


@torch.no_grad()
def measure_d2l_figures(
    model: nn.Module,
    last: Epoch,
    dataset: DataSet,
    val: SplitStats,
    config: TrainConfig,
) -> D2lFigures:
    """Score `model`, as it is after the epoch `last`, in the book's way and correctly."""
    assert config.data.crop is not None
    whole = Augmentation(config.data.crop, scale=(1.0, 1.0), jitter=0.0, mirror=False)
    crops = TrainingSet(
        val.of_at_least(config.data.crop).pairs,
        dataset.read_labels,
        whole,
        config.run.seed,
        void_as=0,
    )
    items = [(0, index) for index in range(len(crops))]
    loader: DataLoader[Batch] = DataLoader(crops, batch_size=config.data.batch, sampler=items)
    return D2lFigures(
        last.train_loss,
        last.train_pixel_accuracy,
        _pixel_accuracy(model, loader),
        len(crops),
        last.val_pixel_accuracy,
        last.val_mean_iou,
        len(val.pairs),
    )


def _pixel_accuracy(model: nn.Module, loader: DataLoader[Batch]) -> float:
    """Share of all pixels, void among them; not a number where there are none."""
    device = next(model.parameters()).device
    model.eval()
    correct = 0
    total = 0
    for images, labels in loader:
        logits = model(images.to(device).float() / 255)  # (N, C, h, w)
        predicted = logits.argmax(1).cpu()
        correct += int((predicted == labels).sum())
        total += labels.numel()
    return correct / total if total else math.nan
