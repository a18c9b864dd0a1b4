import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import pixelwise
from pixelwise.classes import VOID, Classes
from pixelwise.errors import ConfigError
from pixelwise.training.distillation import Teacher, load_teacher


class Fixed(nn.Module):
    """The same logits (C,) for every pixel."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, images: Tensor) -> Tensor:
        count, _, height, width = images.shape
        return self.logits.reshape(1, -1, 1, 1).expand(count, -1, height, width)


IMAGES = torch.rand(2, 3, 4, 5)
TARGET = torch.zeros(2, 4, 5, dtype=torch.long)


def test_teachers_are_averaged_and_put_in_the_order_of_the_data() -> None:
    sure = math.log(3.0)
    teacher = Teacher((Fixed(sure, 0.0), Fixed(0.0, 0.0)), torch.tensor([1, 0]), 2, 1.0)
    shares = teacher.probabilities(IMAGES)
    assert shares.shape == (2, 2, 4, 5)
    # the models' first class is the data's second: (.75 + .5) / 2
    torch.testing.assert_close(shares[:, 1], torch.full((2, 4, 5), 0.625))
    torch.testing.assert_close(shares.sum(1), torch.ones(2, 4, 5))


def test_the_loss_is_least_where_the_pupil_agrees_and_is_weighted() -> None:
    teacher = Teacher((Fixed(1.0, -1.0, 0.5),), torch.arange(3), 3, 2.0)
    own = Fixed(1.0, -1.0, 0.5)(IMAGES)
    entropy = torch.distributions.Categorical(logits=torch.tensor([1.0, -1.0, 0.5])).entropy()
    least = teacher.loss(IMAGES, own, TARGET)
    torch.testing.assert_close(least, 2 * entropy)
    assert teacher.loss(IMAGES, -own, TARGET) > least


def test_a_teacher_that_lacks_a_class_counts_where_the_truth_is_void() -> None:
    teacher = Teacher((Fixed(2.0, 0.0),), torch.tensor([0, 2]), 3, 1.0)
    shares = teacher.probabilities(IMAGES)
    assert not shares[:, 1].any()
    logits = torch.randn(2, 3, 4, 5, requires_grad=True)
    target = TARGET.clone()
    target[0] = VOID
    teacher.loss(IMAGES, logits, target).backward()
    assert logits.grad is not None
    assert logits.grad[0].abs().sum() > 0
    assert not logits.grad[1].any()
    assert float(teacher.loss(IMAGES, logits, TARGET).detach()) == 0


@pytest.fixture(scope="module")
def names() -> tuple[str, ...]:
    return ("background", "circle", "square", "triangle")


def test_a_model_of_other_classes_is_no_teacher(trained: Path, names: tuple[str, ...]) -> None:
    config = pixelwise.TrainConfig.from_flat(teacher=(str(trained),))
    assert load_teacher(pixelwise.TrainConfig(), Classes.named(names)) is None
    with pytest.raises(ConfigError, match="knows triangle, which the data has not"):
        load_teacher(config, Classes.named(names[:3]))
    teacher = load_teacher(config, Classes.named((*names, "star")))
    assert teacher is not None
    assert not teacher.knows_all
    assert not any(weight.requires_grad for weight in teacher.models[0].parameters())


def test_a_training_follows_its_teacher(
    trained: Path, shapes: Path, tmp_path: Path, quick: dict[str, Any]
) -> None:
    """With the teacher's weight far above the masks', the pupil's labels are the teacher's."""
    options = {**quick, "epochs": 3, "start": str(trained), "learning_rate": 1e-5}
    pixelwise.train(
        shapes, tmp_path / "run", teacher=(str(trained),), teacher_weight=100.0, **options
    )
    pupil = pixelwise.load(tmp_path / "run")
    teacher = pixelwise.load(trained)
    image = next((shapes / "images/val").iterdir())
    same = pupil.predict(image).labels == teacher.predict(image).labels
    assert same.mean() > 0.9
