"""Teachers: trained models whose scores a network in training learns beside the masks.

Sources: Hinton, Vinyals, Dean 2015, "Distilling the knowledge in a neural network", section 2, with
a temperature of 1; both see the same augmented sample (Beyer et al. 2022, "Knowledge distillation:
A good teacher is patient and consistent", section 3).
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from pixelwise.classes import VOID, Classes
from pixelwise.errors import ConfigError
from pixelwise.evaluation.class_match import names_for_data
from pixelwise.hardware import choose_device
from pixelwise.models.checkpoint import load_model
from pixelwise.training.config import TrainConfig


@dataclass(frozen=True)
class Teacher:
    """One or several models, whose probabilities are averaged."""

    models: tuple[nn.Module, ...]
    columns: Tensor
    """(K,) the data's id of each class of the models."""
    classes: int
    weight: float
    """Of the soft targets, beside the loss against the masks."""

    @property
    def knows_all(self) -> bool:
        """Whether the models know every class of the data."""
        return len(self.columns) == self.classes

    @torch.no_grad()
    def probabilities(self, images: Tensor) -> Tensor:
        """(N, C, H, W) float32 of images in [0, 1] (N, 3, H, W); 0 for a class that the models do
        not know.
        """
        shares = [model(images).float().softmax(1) for model in self.models]
        mean = torch.stack(shares).mean(0)
        if self.knows_all:
            return mean[:, self.columns.argsort()]
        known = mean.new_zeros(len(mean), self.classes, *mean.shape[2:])
        known[:, self.columns] = mean
        return known

    def loss(self, images: Tensor, logits: Tensor, target: Tensor) -> Tensor:
        """The mean cross-entropy with the models' probabilities, times the weight: over all pixels,
        or where the models lack classes over those whose truth (N, H, W) is void.
        """
        soft = self.probabilities(images)
        losses = -(soft * logits.float().log_softmax(1)).sum(1)  # (N, H, W)
        if self.knows_all:
            return self.weight * losses.mean()
        counted = target == VOID
        return self.weight * (losses * counted).sum() / counted.sum().clamp(min=1)


def load_teacher(config: TrainConfig, classes: Classes, channels: int = 3) -> Teacher | None:
    """The models that the config names as teachers, for images of so many channels and those
    classes; None where it names none. Raises ModelError for what is no model, ConfigError for
    classes that the data lacks, or that differ between the models.
    """
    paths = config.optim.teacher
    if not paths:
        return None
    device = choose_device(config.run.device).type
    models = []
    columns: list[int] | None = None
    for path in paths:
        model, header = load_model(Path(path))
        header.check_one_class(path)
        if model.channels != channels:
            raise ConfigError(
                f"teacher {path} takes {model.channels} channels, and the images have {channels}"
            )
        names = names_for_data(header.classes, classes, model_name=f"the teacher {path}")
        unknown = [name for name in names if name not in classes.names]
        if unknown:
            raise ConfigError(
                f"teacher {path} knows {', '.join(unknown)}, which the data has not; its classes "
                f"must be among the data's: {', '.join(classes.names)}"
            )
        own = [classes.names.index(name) for name in names]
        if columns is not None and own != columns:
            raise ConfigError(
                f"teacher {path} has other classes than {paths[0]}, or in another order; give "
                "teachers of the same classes"
            )
        columns = own
        models.append(model.eval().requires_grad_(False).to(device))
    return Teacher(
        tuple(model.to(memory_format=torch.channels_last) for model in models),
        torch.tensor(columns, device=device),
        len(classes),
        config.optim.teacher_weight,
    )
