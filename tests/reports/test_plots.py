from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.reports.plots import draw_augmentation, draw_losses


def pixels_like(path: Path, colour: tuple[int, int, int]) -> int:
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int((np.abs(pixels - colour).sum(-1) < 20).sum())


def test_each_image_stands_above_its_mask(tmp_path: Path) -> None:
    rgb = np.full((20, 30, 3), (10, 200, 30), np.uint8)
    labels = np.full((20, 30), 1, np.uint8)
    classes = Classes(("ground", "cat"), ((0, 0, 0), (220, 20, 60)))
    draw_augmentation([(f"epoch {n}", rgb, labels) for n in range(5)], tmp_path / "a.png", classes)
    assert pixels_like(tmp_path / "a.png", (10, 200, 30)) > 1000
    assert pixels_like(tmp_path / "a.png", (220, 20, 60)) > 1000


def test_a_loss_has_a_line_for_each_part(tmp_path: Path) -> None:
    draw_losses({"content": [3.0, 2.0, 1.0], "style": [9.0, 1.0, 0.1]}, tmp_path / "losses.png")
    for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):  # the first two of the style
        assert pixels_like(tmp_path / "losses.png", colour) > 100
