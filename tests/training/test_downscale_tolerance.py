from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.training.downscale_tolerance import measure_downscaled_masks


def drawn(folder: Path, masks: list[np.ndarray]) -> Path:
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    (folder / "classes.txt").write_text("ground\nthing\n")
    for number, mask in enumerate(masks):
        Image.fromarray(np.stack([mask * 100] * 3, -1)).save(folder / f"images/{number}.png")
        Image.fromarray(mask).save(folder / f"masks/{number}.png")
    return folder


def test_what_is_wide_is_kept_and_lines_are_lost(tmp_path: Path) -> None:
    wide = np.zeros((64, 96), np.uint8)
    lines = np.zeros((64, 96), np.uint8)
    wide[:, 48:] = 1
    lines[:, ::8] = 1
    for name, mask, kept in (("wide", wide, (1.0, 1.0)), ("lines", lines, (1.0, 0.5))):
        data = open_dataset(drawn(tmp_path / name, [mask] * 4))
        found = measure_downscaled_masks(data, data.pairs("train"), (1.0, 0.5))
        assert found[1.0] == 1
        assert found[0.5] == pytest.approx(kept[1], abs=0.1 * (name == "lines"))


def test_it_is_what_resizing_by_the_nearest_pixel_leaves(tmp_path: Path) -> None:
    dice = np.random.default_rng(0)
    masks = [
        np.kron(dice.integers(0, 2, (16, 16)), np.ones((4, 6))).astype(np.uint8) for _ in range(4)
    ]
    data = open_dataset(drawn(tmp_path / "set", masks))
    both = np.zeros((2, 2), int)
    for pair in data.pairs("train"):
        mask = data.read_labels(pair.mask)
        small = Image.fromarray(mask).resize((72, 48), Image.Resampling.NEAREST)
        back = np.asarray(small.resize((96, 64), Image.Resampling.NEAREST))
        both += np.bincount(2 * mask.ravel() + back.ravel(), minlength=4).reshape(2, 2)
    iou = np.diag(both) / (both.sum(0) + both.sum(1) - np.diag(both))
    # of two equally near pixels Pillow takes the other
    assert measure_downscaled_masks(data, data.pairs("train"), (0.75,))[0.75] == pytest.approx(
        iou.mean(), abs=1e-3
    )
    assert iou.mean() < 0.99


def test_void_counts_nowhere(tmp_path: Path) -> None:
    mask = np.zeros((64, 96), np.uint8)
    mask[:, 48:] = 1
    mask[:, ::8] = 255
    data = open_dataset(drawn(tmp_path / "set", [mask] * 4))
    assert measure_downscaled_masks(data, data.pairs("train"), (0.5,))[0.5] == 1
