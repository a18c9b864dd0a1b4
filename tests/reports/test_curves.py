import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import VOID, Classes
from pixelwise.reports.curves import best_epoch, draw_curves
from pixelwise.reports.samples import draw_samples

KEYS = [
    f"{part}_{key}" for part in ("train", "val") for key in ("loss", "pixel_accuracy", "mean_iou")
]


def row(epoch: int, **figures: float) -> dict[str, float]:
    return {"epoch": epoch, **dict.fromkeys(KEYS, 0.5), **figures}


@pytest.mark.parametrize(
    "history",
    [
        [],
        [row(1)],
        [row(1), row(2), row(3)],
        [row(1, train_mean_iou=math.nan), row(2, val_mean_iou=math.nan)],
        [{"epoch": 1, **dict.fromkeys(KEYS, math.nan)}],
        [row(1, train_loss=math.inf), row(2)],
        [{"epoch": 1, "train_loss": 0.3}],
    ],
    ids=["none", "one", "three", "gaps", "all-nan", "infinite", "loss-alone"],
)
def test_any_history_makes_a_png(history: list[dict[str, float]], tmp_path: Path) -> None:
    draw_curves(history, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.format == "PNG"
        assert 0.8 < image.width / image.height < 1  # one below the other, for a phone
    assert list(tmp_path.iterdir()) == [tmp_path / "curves.png"]


def test_the_curves_change_with_the_figures(tmp_path: Path) -> None:
    for name, value in (("a", 0.2), ("b", 0.9)):
        draw_curves([row(1), row(2, val_mean_iou=value)], tmp_path / name)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()


def test_the_best_epoch_has_the_highest_validation_iou_and_nan_never_wins() -> None:
    history = [
        row(1, val_mean_iou=math.nan),
        row(2, val_mean_iou=0.3),
        row(3, val_mean_iou=0.7),
        row(4, val_mean_iou=0.7),
    ]
    best = best_epoch(history)
    assert best is not None
    assert best["epoch"] == 3
    assert best_epoch(history[:1]) is None


def sample(
    height: int, width: int, truth: int, label: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids = [np.full((height, width), value, dtype=np.uint8) for value in (truth, label)]
    return np.full((height, width, 3), 90, dtype=np.uint8), ids[0], ids[1]


@pytest.mark.parametrize("size", [(1, 1), (600, 800), (900, 20), (20, 2000)])
def test_the_grid_keeps_its_width_whatever_the_images(
    size: tuple[int, int], tmp_path: Path
) -> None:
    draw_samples([sample(*size, 0, 1)], tmp_path / "s.png", Classes.named(("a", "b")), ["x"])
    with Image.open(tmp_path / "s.png") as image:
        assert image.format == "PNG"
        assert image.width == 1500
        assert image.height < 800


@pytest.mark.parametrize(("truth", "label", "red"), [(0, 1, True), (1, 1, False), (VOID, 1, False)])
def test_errors_are_red_and_void_is_no_error(
    truth: int, label: int, red: bool, tmp_path: Path
) -> None:
    draw_samples([sample(30, 40, truth, label)], tmp_path / "s.png", Classes.named(("a", "b")), [])
    with Image.open(tmp_path / "s.png") as image:
        found = (np.asarray(image) == (220, 38, 38)).all(axis=2).sum()
    assert (found == 360 * 270) if red else (found == 0)


def test_no_samples_still_make_a_picture(tmp_path: Path) -> None:
    draw_samples([], tmp_path / "s.png", Classes.named(("a", "b")), [])
    assert (tmp_path / "s.png").stat().st_size > 0
