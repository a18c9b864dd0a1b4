"""The course's own figures beside the corrected ones, after a training by its recipe."""

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
class BookFigures:
    """What the course prints, and the same network counted rightly.

    loss, train_accuracy: over the last epoch's batches. test_accuracy: over random crops of the
    validation images that are no smaller than the crop, `crops` of them, void counted as
    background. pixel_accuracy, mean_iou: over all whole validation images, `images` of them, void
    counted nowhere.
    """

    loss: float
    train_accuracy: float
    test_accuracy: float
    crops: int
    pixel_accuracy: float
    mean_iou: float
    images: int

    def lines(self) -> tuple[str, str]:
        """Two lines for the terminal."""
        return (
            f"as the book counts: loss {self.loss:.3f}, train acc {self.train_accuracy:.3f}, "
            "test acc "
            f"{self.test_accuracy:.3f} (random crops of {self.crops} images, void counted as "
            "background)",
            f"corrected: pixel accuracy {self.pixel_accuracy:.3f}, mean IoU "
            f"{self.mean_iou:.3f} (all {self.images} "
            "validation images whole, void left out)",
        )

    def as_dict(self) -> dict[str, float]:
        """For run.json."""
        return asdict(self)


@torch.no_grad()
def book_figures(
    model: nn.Module, last: Epoch, dataset: DataSet, val: SplitStats, config: TrainConfig
) -> BookFigures:
    """Score `model`, as it is after the epoch `last`, in the course's way and in the right one."""
    assert config.crop is not None
    whole = Augmentation(config.crop, scale=(1.0, 1.0), jitter=0.0, mirror=False)
    crops = TrainingSet(
        val.of_at_least(config.crop).pairs, dataset.read_labels, whole, config.seed, void_as=0
    )
    items = [(0, index) for index in range(len(crops))]
    loader: DataLoader[Batch] = DataLoader(crops, batch_size=config.batch, sampler=items)
    device = next(model.parameters()).device
    model.eval()
    right = total = 0
    for images, labels in loader:
        found = model(images.to(device).float() / 255).argmax(1).cpu()
        right += int((found == labels).sum())
        total += labels.numel()
    return BookFigures(
        last.train_loss,
        last.train_pixel_accuracy,
        right / total if total else float("nan"),
        len(crops),
        last.val_pixel_accuracy,
        last.val_mean_iou,
        len(val.pairs),
    )
