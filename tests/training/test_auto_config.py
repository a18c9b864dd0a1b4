from typing import Any

import pytest

from pixelwise.training.auto_config import choose_open_options, validation_scale
from pixelwise.training.config import TrainConfig
from pixelwise.training.training_context import TrainingContext


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
    assert (config.augmentation.augment, config.augmentation.scale) == ("strong", (0.5, 2.0))
    rates = (config.optim.learning_rate, config.optim.encoder_rate, config.optim.warmup)
    assert rates == (3e-3, 0.3, 0.04)
    assert config.optim.validate_every == 1  # of 45 steps
    assert reasons["augment"] == "for about 1238 steps"
    assert not [name for name, value in config.flat().items() if value is None and name in reasons]
    assert "360 x 480" in reasons["crop"]


def test_what_is_given_stays_and_has_no_reason() -> None:
    given = TrainConfig.from_flat(
        device="cpu",
        crop=(64, 96),
        scale=(0.7, 2.0),
        batch=3,
        accumulate=2,
        minutes=5.0,
        augment="light",
        learning_rate=1e-2,
        encoder_rate=0.1,
        warmup=0.0,
        bn_batches=0,
        validate_every=2,
        frozen_stages=1,
        ema=0.9,
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
        ({"images": 3}, "epochs", 300),  # of a step each
        ({"images": 22}, "epochs", 110),
        ({"images": 40}, "epochs", 60),
        ({"images": 10**6}, "epochs", 10),
        ({"median_size": (3000, 4000)}, "crop", (352, 448)),
        ({"median_size": (120, 120)}, "crop", (96, 96)),
        ({"median_size": (20, 500)}, "crop", (32, 384)),
        ({"memory": 1 << 30}, "batch", 2),
        ({"memory": 1 << 30}, "accumulate", 4),
        ({"device": "cuda"}, "batch", 16),
        ({}, "scale", (0.5, 2.0)),  # a crop shows 0.8 of its sides: enough
        ({"median_size": (320, 320)}, "scale", (0.5, 2.0)),
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
        ({"images": 22}, "augment", "slight"),
        ({"images": 22}, "scale", (1.0, 1.0)),
        ({"images": 22}, "learning_rate", 3e-3),
        ({"images": 22}, "warmup", 0.04),
        ({"images": 22, "early_stages": 2}, "frozen_stages", 2),
        ({"early_stages": 2}, "frozen_stages", 0),  # of 1238 steps
        ({"images": 22}, "ema", 0.0),
        ({}, "ema", 0.99),
        ({"images": 10}, "validate_every", 16),
        ({"images": 22}, "validate_every", 8),
        ({"images": 10}, "workers", 0),
        ({"cores": 1}, "workers", 1),
        ({"cores": 64}, "workers", 8),
    ],
)
def test_choices_follow_the_data_and_the_machine(
    given: dict[str, Any], name: str, value: object
) -> None:
    config, _ = choose_open_options(TrainConfig.from_flat(device="cpu"), facts(**given))
    assert config.flat()[name] == value


@pytest.mark.parametrize(
    ("minutes", "augment", "learning_rate", "warmup"),
    [
        (1.0, "slight", 1e-3, 0.19),  # 42 steps
        (2.0, "slight", 3e-3, 0.095),
        (10.0, "slight", 3e-3, 0.04),
        (20.0, "strong", 3e-3, 0.04),
    ],
)
def test_a_training_of_minutes_follows_the_steps_that_fit_into_them(
    minutes: float, augment: str, learning_rate: float, warmup: float
) -> None:
    config, _ = choose_open_options(
        TrainConfig.from_flat(device="cpu", minutes=minutes), facts(step_seconds=lambda _: 1.0)
    )
    options = config.optim
    assert config.augmentation.augment == augment
    assert (options.learning_rate, options.warmup) == (learning_rate, warmup)
    assert options.epochs is None


def test_a_few_given_epochs_are_validated_ten_times_and_thawing_ones_each() -> None:
    few = TrainConfig.from_flat(device="cpu", epochs=25)
    config, _ = choose_open_options(few, facts(images=10))
    assert config.optim.validate_every == 3
    thawing = TrainConfig.from_flat(device="cpu", epochs=25, freeze=5)
    config, _ = choose_open_options(thawing, facts(images=10))
    assert config.optim.validate_every == 1


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
