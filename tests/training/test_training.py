import itertools
import json
import math
import os
import signal
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
import torch

import pixelwise
from pixelwise.errors import ConfigError, DataError, OutputError, PixelwiseError, TrainingError
from pixelwise.hardware import free_memory
from pixelwise.models.checkpoint import load_model
from pixelwise.models.registry import build_model
from pixelwise.progress import Progress
from pixelwise.training import plan
from pixelwise.training.auto_config import TrainingContext, choose_open_options, validation_scale
from pixelwise.training.config import TrainConfig
from pixelwise.training.history import read_history
from pixelwise.training.losses import Loss, make_loss
from pixelwise.training.optim import gradual_unfreeze, make_optimizer
from pixelwise.training.preview import preview
from pixelwise.training.profiling import OperatorProfile
from pixelwise.training.recipes import make_config
from pixelwise.training.schedule import Budget, rate_factor
from pixelwise.training.session import batches_in_step

QUICK: dict[str, Any] = {
    "encoder": "resnet10t",
    "decoder": "fcn32s",
    "weights": "none",
    "crop": (32, 32),
    "batch": 4,
    "workers": 0,
    "precision": "float32",
}


class Stopper(Progress):
    """Asks to stop, as Ctrl-C does, when the status is said for the `step`th time."""

    def __init__(self, step: int) -> None:
        self.left = step

    def set_postfix(self, text: str) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)


class Listener(Progress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, text: str) -> None:
        self.lines.append(text)


class Broken(Progress):
    def set_postfix(self, text: str) -> None:
        raise RuntimeError("broken")


def hungry(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """A loss that no memory can hold."""
    return logits.sum() + torch.empty(10**15)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return dict(load_model(run)[0].state_dict())


def test_a_run_folder_holds_what_the_contract_names(shapes: Path, tmp_path: Path) -> None:
    listener = Listener()
    run = pixelwise.train(shapes, tmp_path / "run", epochs=2, progress=listener, **QUICK)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {
        "model.safetensors",
        "run.json",
        "history.csv",
        "curves.png",
        "samples.png",
        "report.html",
        "state",
    }
    rows = read_history(tmp_path / "run/history.csv")
    assert [row.epoch for row in rows] == [1, 2]
    assert run.best.val_mean_iou == max(row.val_mean_iou for row in run.history)
    assert all(math.isfinite(row.train_loss) for row in rows)
    _, header = load_model(tmp_path / "run")
    assert header.classes.names == ("background", "circle", "square", "triangle")
    assert any("folder" in line for line in listener.lines)


def test_training_learns(shapes: Path, tmp_path: Path) -> None:
    run = pixelwise.train(
        shapes, tmp_path / "run", epochs=8, **{**QUICK, "crop": (64, 96), "decoder": "unet"}
    )
    assert run.history[-1].train_loss < 0.75 * run.history[0].train_loss


def test_one_seed_gives_one_run_whatever_the_workers(shapes: Path, tmp_path: Path) -> None:
    for name, workers in (("a", 0), ("b", 2)):
        pixelwise.train(shapes, tmp_path / name, epochs=2, **{**QUICK, "workers": workers})
    a = weights(tmp_path / "a")
    b = weights(tmp_path / "b")
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    "more", [{}, {"workers": 1, "loss": "lovasz", "crop": (64, 96), "batch": 12}]
)
def test_a_resumed_run_ends_as_the_uninterrupted_one(
    shapes: Path, tmp_path: Path, more: dict[str, Any]
) -> None:
    """Also where the loss throws dice of its own, as Lovász does on so many pixels, and workers
    read ahead.
    """
    options = {**QUICK, **more}
    step = 5 if not more else 2
    pixelwise.train(shapes, tmp_path / "whole", epochs=3, **options)
    stopped = pixelwise.train(shapes, tmp_path / "cut", epochs=3, progress=Stopper(step), **options)
    assert stopped.stopped
    assert len(stopped.history) == 1
    resumed = pixelwise.train(shapes, tmp_path / "cut", resume=True)
    assert len(resumed.history) == 3
    a = torch.load(tmp_path / "whole/state/last.pt", weights_only=True)["model"]
    b = torch.load(tmp_path / "cut/state/last.pt", weights_only=True)["model"]
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_resumed_run_draws_what_a_killed_process_left_undrawn(
    shapes: Path, tmp_path: Path
) -> None:
    pixelwise.train(shapes, tmp_path / "run", epochs=1, **QUICK)
    pictures = [tmp_path / "run" / name for name in ("samples.png", "curves.png")]
    before = [picture.read_bytes() for picture in pictures]
    pictures[0].unlink()
    pictures[1].write_bytes(b"older")
    os.utime(pictures[1], (0, 0))
    pixelwise.train(shapes, tmp_path / "run", resume=True)
    assert [picture.read_bytes() for picture in pictures] == before


def test_a_resumed_run_reads_its_data_as_before(real_data: Path, tmp_path: Path) -> None:
    for name in ("training", "testing"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for path in sorted((real_data / "portraits" / name).iterdir())[:12]:
            (tmp_path / "data" / name / path.name).symlink_to(path)
    pixelwise.train(tmp_path / "data", tmp_path / "run", epochs=1, matte_threshold=128, **QUICK)
    pixelwise.train(tmp_path / "data", tmp_path / "run", epochs=2, resume=True)
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["reading"]["matte_threshold"] == 128


def test_a_stop_before_the_first_epoch_says_that_there_is_no_model(
    shapes: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="no model yet"):
        pixelwise.train(shapes, tmp_path / "run", epochs=2, progress=Stopper(1), **QUICK)


def test_whatever_breaks_a_training_leaves_no_workers(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="broken") as held:
        pixelwise.train(
            shapes, tmp_path / "run", epochs=1, progress=Broken(), **{**QUICK, "workers": 1}
        )
    left = active_children()
    del held  # which holds every frame, and so the loaders: with workers left no process ends
    assert not left


def test_too_little_memory_is_said_with_the_way_out(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pixelwise.training.session.cross_entropy", hungry)
        with pytest.raises(
            TrainingError, match=r"^cpu has too little .* for validation, .* 1024 .* predict_scale"
        ):
            pixelwise.train(shapes, tmp_path / "validated", epochs=1, **QUICK)
    monkeypatch.setattr(plan, "make_loss", lambda *_, **__: hungry)
    with pytest.raises(
        TrainingError, match=r"^cpu has too little .* 4 samples of 32 x 32 .* smaller --batch"
    ):
        pixelwise.train(shapes, tmp_path / "run", epochs=1, **QUICK)


def test_a_gradient_that_is_no_number_is_stepped_back_from_when_it_is_clipped(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make_loss("cross_entropy")
    calls = itertools.count()

    def steep(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        found = plain(logits, target)
        if next(calls) == 4:  # in the second epoch
            found = found + 0 * (logits.sum() * 0).sqrt()  # 0, its slope infinite
        return found

    monkeypatch.setattr(plan, "make_loss", lambda *_, **__: steep)
    listener = Listener()
    run = pixelwise.train(shapes, tmp_path / "run", epochs=2, clip=1.0, progress=listener, **QUICK)
    assert (
        "epoch 2: the loss became no number; back to the end of epoch 1, rate halved"
        in listener.lines
    )
    assert len(run.history) == 2


@pytest.mark.parametrize("images", [1, 3, 4, 9])
def test_the_operators_are_told_however_few_the_steps(
    images: int, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[str] = []
    with OperatorProfile(told.append, enabled=True) as operators:
        for _ in range(images):
            operators.step()
            torch.ones(64, 64) @ torch.ones(64, 64)
    capsys.readouterr()
    assert not torch.autograd._profiler_enabled()
    expected = {1: 0, 3: 1, 4: 2, 9: 3}[images]
    assert told[:1] == [told[0] for _ in range(expected > 0)]
    assert all(f"operators of {expected} steps" in line for line in told[:1])
    assert any(f"{expected:5} calls  aten::mm" in line for line in told) == (expected > 0)


def test_minutes_end_the_training_in_time(shapes: Path, tmp_path: Path) -> None:
    run = pixelwise.train(shapes, tmp_path / "run", minutes=0.08, **QUICK)
    assert len(run.history) >= 1
    assert run.history[-1].seconds < 0.08 * 60 + 5


def broken_loss(monkeypatch: pytest.MonkeyPatch, broken: Callable[[int], bool]) -> None:
    """Makes the loss of each step no number whose count from 0 is `broken`."""
    calls = itertools.count()

    def make(text: str, **options: Any) -> Loss:
        real = make_loss(text, **options)
        return lambda logits, target: (
            real(logits, target) * (math.nan if broken(next(calls)) else 1)
        )

    monkeypatch.setattr(plan, "make_loss", make)


def test_a_loss_that_stays_no_number_stops_and_keeps_the_best(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_loss(monkeypatch, lambda step: step >= 4)
    with pytest.raises(
        TrainingError, match=r"nan.*best model so far is kept.*smaller learning rate"
    ):
        pixelwise.train(shapes, tmp_path / "run", epochs=3, **QUICK)
    assert load_model(tmp_path / "run")[1].training["epoch"]["epoch"] == 1


def test_a_loss_that_is_no_number_once_steps_back_and_goes_on_at_half_the_rate(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_loss(monkeypatch, lambda step: step == 4)  # the second of epoch 2
    listener = Listener()
    run = pixelwise.train(shapes, tmp_path / "run", epochs=3, progress=listener, **QUICK)
    assert any("back to the end of epoch 1, rate halved" in line for line in listener.lines)
    assert [row.epoch for row in run.history] == [1, 2, 3]
    factor = rate_factor(5 / 9, warmup=TrainConfig().optim.warmup)
    assert run.history[1].learning_rate == pytest.approx(
        0.5 * TrainConfig().optim.learning_rate * factor
    )
    assert all(math.isfinite(float(weight.sum())) for weight in weights(tmp_path / "run").values())


def test_decays_begin_at_the_warm_ups_height_and_end_at_nothing() -> None:
    for decay in ("polynomial", "cosine"):
        factors = [rate_factor(at / 100, warmup=0.1, decay=decay) for at in range(101)]
        assert max(factors) == factors[10] > 0.9
        assert factors[10:] == sorted(factors[10:], reverse=True)
        assert factors[100] == 0
    assert rate_factor(0.5, warmup=0.0, decay="cosine") == pytest.approx(0.5)
    assert rate_factor(0.25, warmup=0.0, decay="cosine") == pytest.approx(
        (1 + math.cos(math.pi / 4)) / 2
    )
    assert rate_factor(0.75, warmup=0.0, decay="constant") == 1


def test_the_kept_weights_are_the_moving_average(shapes: Path, tmp_path: Path) -> None:
    pixelwise.train(shapes, tmp_path / "run", epochs=1, **QUICK)
    state = torch.load(tmp_path / "run/state/last.pt", weights_only=True)
    kept = weights(tmp_path / "run")
    assert all(torch.equal(kept[name], state["average"][name]) for name in kept)
    assert any(not torch.equal(kept[name], state["model"][name]) for name in kept)


def test_two_half_batches_make_the_step_of_one(shapes: Path, tmp_path: Path) -> None:
    """Without batch normalisation, at a constant rate and with every pixel counted."""
    by_hand = {
        "loss": "cross_entropy",
        "ema": 0.0,
        "optimizer": "sgd",
        "decay": "constant",
        "warmup": 0.0,
    }
    options = {
        **QUICK,
        **by_hand,
        "encoder": "vgg11",
        "plain": True,
        "augment": "none",
        "epochs": 1,
    }
    pixelwise.train(shapes, tmp_path / "one", **{**options, "batch": 4})
    pixelwise.train(shapes, tmp_path / "two", **{**options, "batch": 2, "accumulate": 2})
    a = weights(tmp_path / "one")
    b = weights(tmp_path / "two")
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-4, atol=1e-6)


def test_the_last_step_of_an_epoch_may_have_fewer_batches() -> None:
    assert [batches_in_step(number, of=6, size=4) for number in range(1, 7)] == [4, 4, 4, 4, 2, 2]
    assert [batches_in_step(number, of=4, size=2) for number in range(1, 5)] == [2, 2, 2, 2]
    assert [batches_in_step(number, of=2, size=5) for number in (1, 2)] == [2, 2]


def test_the_encoder_thaws_from_its_end() -> None:
    model = build_model("fcn32s", encoder="resnet10t", classes=4, weights="none").train()
    layers = [
        layer for layer in model.encoder.net.modules() if list(layer.parameters(recurse=False))
    ]
    learning = []
    for epoch in (1, 2, 3, 4, 5):
        model.train()
        gradual_unfreeze(model, epoch, freeze=4)
        learning.append(
            [all(p.requires_grad for p in layer.parameters(recurse=False)) for layer in layers]
        )
        assert [layer.training for layer in layers if isinstance(layer, torch.nn.BatchNorm2d)] == [
            on
            for on, layer in zip(learning[-1], layers, strict=True)
            if isinstance(layer, torch.nn.BatchNorm2d)
        ]
    assert not any(learning[0])
    assert all(learning[4])
    assert [sum(row) for row in learning] == [len(layers) * k // 4 for k in range(5)]
    assert all(row == sorted(row) for row in learning)


@pytest.mark.parametrize(
    ("encoder", "given", "rate"),
    [
        ("unet", {}, 1.0),
        ("unet", {"weights": "unet.safetensors"}, 0.3),
        ("unet", {"start": "animals"}, 0.3),
        ("resnet10t", {}, 0.3),
        ("resnet10t", {"weights": "none"}, 1.0),
    ],
)
def test_only_an_encoder_that_has_learned_is_slower(
    encoder: str, given: dict[str, Any], rate: float
) -> None:
    model = build_model("unet", encoder=encoder, classes=2)
    groups = make_optimizer(model, TrainConfig.from_flat(encoder=encoder, **given)).param_groups
    assert [group["peak"] for group in groups] == pytest.approx([0.003 * rate] * 2 + [0.003] * 2)


def test_patience_ends_a_training_that_gets_no_better(shapes: Path, tmp_path: Path) -> None:
    run = pixelwise.train(
        shapes, tmp_path / "run", epochs=30, patience=2, learning_rate=1e-9, **QUICK
    )
    best = max(range(len(run.history)), key=lambda index: run.history[index].val_mean_iou)
    assert len(run.history) - 1 - best == 2
    assert not run.stopped


def test_a_run_folder_that_exists_is_refused(shapes: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(OutputError, match="--resume"):
        pixelwise.train(shapes, tmp_path, **QUICK)


def test_resuming_with_other_data_is_refused(shapes: Path, tmp_path: Path) -> None:
    from pixelwise.datasets.synthetic import write_shapes

    pixelwise.train(shapes, tmp_path / "run", epochs=1, **QUICK)
    write_shapes(tmp_path / "other", train=12, val=4, test=4, size=(64, 96), seed=4)
    with pytest.raises(ConfigError, match="other data"):
        pixelwise.train(tmp_path / "other", tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("batch", 1),
        ("epochs", 0),
        ("minutes", -1.0),
        ("learning_rate", 0.0),
        ("learning_rate", -1.0),
        ("learning_rate", 50.0),
        ("crop", (30, 32)),
        ("precision", "float16"),
        ("seed", -1),
        ("workers", -1),
        ("ema", 1.0),
        ("label_smoothing", -0.1),
        ("augment", "wild"),
        ("class_weights", "some"),
        ("clip", 0.0),
        ("patience", 0),
        ("freeze", -1),
        ("warmup", -0.1),
        ("weight_decay", -1.0),
        ("encoder_rate", -1.0),
        ("devices", 0),
        ("paste", 1.5),
        ("accumulate", 0),
        ("scale", (2.0, 1.0)),
        ("jitter", 1.0),
        ("decay", "linear"),
        ("paste_classes", "all"),
        ("paste_classes", "rare"),
    ],
)
def test_impossible_options_are_named_with_what_is_allowed(option: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"{option} is .*allowed"):
        TrainConfig.from_flat(**{option: value})


def test_epochs_and_minutes_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="choose one"):
        TrainConfig.from_flat(epochs=1, minutes=1.0)


def test_an_unknown_option_is_answered_with_the_nearest(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'epochs'"):
        pixelwise.train(shapes, tmp_path / "run", epoch=1)


@pytest.mark.parametrize("option", [{"epochs": 3}, {"skip_broken": True}])
def test_an_option_beside_a_config_is_sent_there(
    shapes: Path, tmp_path: Path, option: dict[str, object]
) -> None:
    with pytest.raises(
        ConfigError, match=f"'{next(iter(option))}' is given beside a config, which has it"
    ):
        pixelwise.train(shapes, tmp_path / "run", config=TrainConfig(), **option)


@pytest.mark.parametrize(("split", "what"), [("train", "training"), ("val", "validation")])
def test_data_that_is_all_void_is_refused(
    shapes: Path, tmp_path: Path, split: str, what: str
) -> None:
    import shutil

    import numpy as np
    from PIL import Image

    shutil.copytree(shapes, tmp_path / "data")
    for mask in (tmp_path / "data/masks" / split).iterdir():
        Image.fromarray(np.full((64, 96), 255, np.uint8)).save(mask)
    with pytest.raises(DataError, match=f"every {what} pixel is void"):
        pixelwise.train(tmp_path / "data", tmp_path / "run", **QUICK)


def test_a_full_disk_keeps_the_last_good_model(shapes: Path, tmp_path: Path) -> None:
    import resource

    pixelwise.train(shapes, tmp_path / "run", epochs=1, **QUICK)
    before = (tmp_path / "run/model.safetensors").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(PixelwiseError, match="cannot write"):
            pixelwise.train(shapes, tmp_path / "run", epochs=30, resume=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "run/model.safetensors").read_bytes() == before
    assert not list((tmp_path / "run").rglob(".*"))


def test_the_rate_rises_and_then_falls_to_zero() -> None:
    values = [rate_factor(step / 100, warmup=0.1) for step in range(101)]
    assert max(values) == pytest.approx(0.9**0.9, rel=0.02)
    assert values.index(max(values)) == 10
    assert values[0] < 0.02
    assert values[-1] == 0
    assert values[55] == pytest.approx(0.45**0.9)


def test_a_budget_of_steps_knows_its_progress() -> None:
    budget = Budget(10, None)
    assert budget.seconds_left is None
    budget.done = 5
    assert budget.progress == 0.5
    assert not budget.over
    budget.done = 10
    assert budget.over


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
        ({"kept": lambda scales: {0.75: 0.97}}, "scale", (0.5, 2.0)),
        ({"median_size": (320, 320)}, "scale", (0.8, 1.5)),
        ({"median_size": (30, 320)}, "scale", (0.5, 2.0)),  # crops are at least 32 high
        ({"median_size": (825, 550)}, "scale", (0.582, 1.0)),
        ({"median_size": (3000, 4000)}, "scale", (0.25, 1.0)),
        (
            {"median_size": (3000, 4000), "kept": lambda scales: {0.75: 0.98, 0.5: 0.97}},
            "scale",
            (0.375, 1.5),
        ),
        (
            {"median_size": (3000, 4000), "kept": lambda scales: {0.75: 0.97, 0.5: 0.9}},
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


def test_large_images_are_looked_at_smaller_from_training_to_prediction(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        plan,
        "measure_downscaled_masks",
        lambda dataset, pairs, scales: dict.fromkeys(scales, 0.985),
    )
    listener = Listener()
    run = pixelwise.train(
        shapes, tmp_path / "run", epochs=1, progress=listener, **QUICK
    )  # 64 x 96, crops of 32 x 32
    assert any(
        line == "scale 0.5 to 1.0: 0.5 times that of 'strong': crops show 50% to 100% of an "
        "image's sides, and masks keep "
        "0.985 of mean IoU"
        for line in listener.lines
    )
    assert load_model(run.path)[1].model.scale == 0.75
    scores = pixelwise.evaluate(run.path, shapes, split="val").scores
    assert run.history[-1].val_pixel_accuracy == pytest.approx(scores.pixel_accuracy, abs=1e-3)


@pytest.mark.parametrize("version", [1, 2])
def test_the_free_memory_is_that_of_the_container(
    version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pixelwise.hardware.GROUPS", tmp_path)
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    limit, usage, files = (
        names if version == 1 else ("memory.max", "memory.current", "inactive_file")
    )
    folder = tmp_path / "memory" if version == 1 else tmp_path
    folder.mkdir(exist_ok=True)
    everything = free_memory("cpu")
    (folder / usage).write_text(f"{3 << 20}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{files} {1 << 20}\n")
    (folder / limit).write_text("max\n")
    assert free_memory("cpu") == pytest.approx(everything, rel=0.2)
    (folder / limit).write_text(f"{7 << 20}\n")
    assert free_memory("cpu") == 5 << 20
    (folder / limit).write_text(f"{1 << 20}\n")
    assert free_memory("cpu") == 0


def test_a_resumed_run_keeps_its_devices_and_says_what_it_leaves_aside(
    shapes: Path, tmp_path: Path
) -> None:
    pixelwise.train(shapes, tmp_path / "run", epochs=1, **QUICK)
    before = json.loads((tmp_path / "run/run.json").read_text())
    listener = Listener()
    pixelwise.train(
        shapes, tmp_path / "run", epochs=2, resume=True, devices=2, batch=6, progress=listener
    )
    assert any("ignored: batch, devices" in line for line in listener.lines)
    after = json.loads((tmp_path / "run/run.json").read_text())
    assert after["config"]["devices"] == 1
    assert after["config"]["batch"] == 4
    assert (after["reasons"], after["started"]) == (before["reasons"], before["started"])


def test_a_resumed_run_says_of_the_reading_and_the_recipe_that_they_are_left_aside(
    shapes: Path, tmp_path: Path
) -> None:
    pixelwise.train(shapes, tmp_path / "run", epochs=1, **QUICK)
    listener = Listener()
    given: dict[str, Any] = {"recipe": "d2l", "skip_unpaired": True, "epochs": 2, "cache": 1}
    pixelwise.train(shapes, tmp_path / "run", resume=True, progress=listener, **given)
    assert "resumed as it was begun; ignored: recipe, skip_unpaired" in listener.lines
    after = json.loads((tmp_path / "run/run.json").read_text())
    assert (after["config"]["recipe"], after["config"]["cache"]) == ("default", 1), (
        "a cache changes no weights"
    )


def test_without_a_finished_epoch_a_run_is_resumed_with_what_is_given(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(plan, "make_loss", lambda *_, **__: hungry)
        with pytest.raises(TrainingError, match=r"choose a smaller --batch"):
            pixelwise.train(shapes, tmp_path / "run", epochs=1, **{**QUICK, "crop": None})
    listener = Listener()
    pixelwise.train(
        shapes, tmp_path / "run", resume=True, progress=listener, batch=2, crop=(32, 64)
    )
    after = json.loads((tmp_path / "run/run.json").read_text())
    assert (after["config"]["batch"], after["config"]["crop"], after["config"]["decoder"]) == (
        2,
        [32, 64],
        "fcn32s",
    )
    assert "crop" not in after["reasons"]
    assert "cache" in after["reasons"]
    assert not any("ignored" in line for line in listener.lines)


def test_what_is_refused_before_the_first_step_leaves_no_run(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"every training image is below 480 x 480: .* --set drop_small=false"
    ):
        pixelwise.train(
            shapes, tmp_path / "run", epochs=1, **{**QUICK, "crop": (480, 480), "drop_small": True}
        )
    assert not (tmp_path / "run").exists()
    config = make_config("default", **{**QUICK, "crop": (480, 480), "drop_small": True})
    with pytest.raises(DataError, match="every training image is below"):
        preview(shapes, tmp_path / "run", config=config)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("run.json", b"{"),
        ("run.json", b"[]"),
        ("state/last.pt", b"\x80\x02.."),
        ("state/last.pt", b"<html>"),
        ("history.csv", None),
    ],
)
def test_a_damaged_run_folder_is_named(
    shapes: Path, tmp_path: Path, file: str, content: bytes | None
) -> None:
    pixelwise.train(shapes, tmp_path / "run", epochs=1, **QUICK)
    path = tmp_path / "run" / file
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(PixelwiseError, match=r"damaged|cannot be resumed"):
        pixelwise.train(shapes, tmp_path / "run", epochs=2, resume=True)


def test_weights_that_become_no_numbers_never_become_the_state(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step of epoch 2 has a finite loss and spoils the weights: only validation can see
    it.
    """
    steps = itertools.count(1)
    real = torch.optim.AdamW.step

    def spoiling(self: torch.optim.AdamW, *arguments: Any) -> Any:
        result = real(self, *arguments)
        if next(steps) == 6:
            with torch.no_grad():
                self.param_groups[0]["params"][0].fill_(math.nan)
        return result

    monkeypatch.setattr(torch.optim.AdamW, "step", spoiling)
    listener = Listener()
    run = pixelwise.train(shapes, tmp_path / "run", epochs=3, progress=listener, **QUICK)
    assert any("back to the end of epoch 1" in line for line in listener.lines)
    assert all(math.isfinite(row.val_loss) for row in run.history)
