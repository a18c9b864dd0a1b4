"""One stray pixel without a classes file stops every command that learns, scores or converts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

PALETTE = np.array([(0, 0, 0), (30, 30, 200), (200, 30, 30)], np.uint8)
MESSAGES = {
    "ids": "1 pixels of value 7 at row 20, column 3",
    "colours": "1 pixels of value (12, 200, 70) at row 20, column 3",
}


@pytest.fixture(params=MESSAGES)
def stray_set(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """Twelve pairs of ids 0 to 2, or of three colours, with one stray pixel; and what is told."""
    root = tmp_path / "set"
    for side in ("images", "masks"):
        (root / side).mkdir(parents=True)
    for number in range(12):
        labels = np.zeros((64, 64), np.uint8)
        labels[10 : 30 + number, 8:30] = 1
        labels[34:60, 20 + number : 55] = 2
        in_colours = request.param == "colours"
        pixels = PALETTE[labels] if in_colours else labels
        if number == 5:
            pixels[20, 3] = (12, 200, 70) if in_colours else 7
        Image.fromarray(pixels).save(root / f"masks/{number:02}.png")
        noise = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(noise).save(root / f"images/{number:02}.png")
    return root, MESSAGES[request.param]


def test_convert_stops_at_a_stray_value(
    pixelwise: Any, stray_set: tuple[Path, str], tmp_path: Path, refused: Any
) -> None:
    root, message = stray_set
    finished = pixelwise("convert", root, tmp_path / "copy", "--to", "coco")
    refused(finished, "masks/05.png", message, "pixelwise check --fix")
    assert not (tmp_path / "copy").exists()


def test_evaluate_stops_at_a_stray_value(
    pixelwise: Any, stray_set: tuple[Path, str], model: Path, refused: Any
) -> None:
    root, message = stray_set
    refused(pixelwise("evaluate", model, root), "masks/05.png", message, "declare the class")


def test_train_stops_at_a_stray_value(
    pixelwise: Any, stray_set: tuple[Path, str], tmp_path: Path, refused: Any
) -> None:
    root, message = stray_set
    refused(pixelwise("train", root, "--out", tmp_path / "run"), "masks/05.png", message)
