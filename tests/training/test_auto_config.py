from typing import Any

import pytest

from pixelwise.training.auto_config import TrainingContext, choose_open_options, validation_scale
from pixelwise.training.config import TrainConfig


def facts(**given: Any) -> TrainingContext:
    known = {
        "images": 367,
        "median_size": (360, 480),
        "device": "cpu",
        "memory": 16 << 30,
        "cores": 2,
    }
    return TrainingContext(**{**known, **given})


def test_every_open_choice_is_made_with_its_reason() -> None:
    config, reasons = choose_open_options(TrainConfig.from_flat(device="cpu"), facts())
    assert (config.data.crop, config.data.batch) == ((288, 384), 8)
    assert (config.optim.accumulate, config.data.workers) == (1, 1)
    assert config.optim.epochs == 27  # 10,000 samples of 367 images
    assert set(reasons) == {"crop", "scale", "batch", "accumulate", "epochs", "cache", "workers"}
    assert "360 x 480" in reasons["crop"]


def test_what_is_given_stays_and_has_no_reason() -> None:
    given = TrainConfig.from_flat(
        device="cpu",
        crop=(64, 96),
        scale=(0.7, 2.0),
        batch=3,
        accumulate=2,
        minutes=5.0,
        workers=0,
        cache=0,
    )
    config, reasons = choose_open_options(given, facts())
    assert config == given
    assert reasons == {}


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"images": 3}, "batch", 3),
        ({"images": 3}, "epochs", 60),
        ({"images": 10**6}, "epochs", 10),
        ({"median_size": (3000, 4000)}, "crop", (352, 448)),
        ({"median_size": (20, 500)}, "crop", (32, 384)),
        ({"memory": 1 << 30}, "batch", 2),
        ({"memory": 1 << 30}, "accumulate", 4),
        ({"device": "cuda"}, "batch", 16),
        ({}, "scale", (0.8, 1.5)),  # a crop of 288 x 384 holds all of it at 0.8
        ({"iou_at_scale": lambda scales: {0.75: 0.97}}, "scale", (0.5, 2.0)),
        ({"median_size": (320, 320)}, "scale", (0.8, 1.5)),
        ({"median_size": (30, 320)}, "scale", (0.5, 2.0)),  # crops are at least 32 high
        ({"median_size": (825, 550)}, "scale", (0.582, 1.0)),
        ({"median_size": (3000, 4000)}, "scale", (0.25, 1.0)),
        (
            {"median_size": (3000, 4000), "iou_at_scale": lambda scales: {0.75: 0.98, 0.5: 0.97}},
            "scale",
            (0.375, 1.5),
        ),
        (
            {"median_size": (3000, 4000), "iou_at_scale": lambda scales: {0.75: 0.97, 0.5: 0.9}},
            "scale",
            (0.5, 2.0),
        ),
        ({"decoded": 100 << 20, "main_memory": 8 << 30}, "cache", 100),
        ({"decoded": 100 << 30, "main_memory": 8 << 30}, "cache", 1024),
        ({"decoded": 100 << 30, "main_memory": 8 << 30, "processes_here": 4}, "cache", 256),
        ({"processes": 3}, "batch", 6),
        ({"processes": 16}, "batch", 32),
        ({"images": 7, "processes": 2}, "batch", 6),
        ({"memory": 3 << 30, "processes": 2}, "batch", 4),
        ({"memory": 3 << 30, "processes": 2}, "accumulate", 2),
        ({"cores": 1}, "workers", 1),
        ({"cores": 64}, "workers", 8),
    ],
)
def test_choices_follow_the_data_and_the_machine(
    given: dict[str, Any], name: str, value: object
) -> None:
    config, _ = choose_open_options(TrainConfig.from_flat(device="cpu"), facts(**given))
    assert config.flat()[name] == value


def test_a_told_scale_of_prediction_leaves_that_of_training_alone() -> None:
    config, _ = choose_open_options(
        TrainConfig.from_flat(device="cpu", predict_scale=1.0), facts(median_size=(825, 550))
    )
    assert config.augmentation.scale == (0.5, 2.0)


@pytest.mark.parametrize(
    ("given", "scale"),
    [
        ({}, 1.0),
        ({"augment": "light"}, 1.0),
        ({"augment": "medium"}, 1.0),
        ({"augment": "none"}, 1.0),
        ({"scale": (0.5, 1.25)}, 0.75),
        ({"scale": (0.25, 1.0)}, 0.5),
        ({"scale": (0.01, 0.02)}, 0.25),
        ({"scale": (9.0, 9.0)}, 4.0),
        ({"scale": (0.5, 1.25), "predict_scale": 0.6}, 0.6),
    ],
)
def test_a_training_is_validated_in_the_middle_of_its_scales(
    given: dict[str, Any], scale: float
) -> None:
    assert validation_scale(TrainConfig.from_flat(**given)) == scale
