"""Training on photos of very different sizes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.models.checkpoint import load_model
from pixelwise.training.picture_sizes import describe_picture_sizes


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """Photos of 40 to 200 pixels a side, each with a disc of a third of it."""
    rng = np.random.default_rng(0)
    root = tmp_path / "discs"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for number, side in enumerate(np.geomspace(40, 200, 60).astype(int)):
        rows, columns = np.mgrid[:side, :side] / side
        labels = np.hypot(rows - rng.uniform(0.35, 0.65), columns - 0.5) < 0.17
        pixels = np.where(labels[..., None], (200, 40, 40), (40, 40, 200)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "images" / f"{number:02}.png")
        Image.fromarray(labels.astype(np.uint8)).save(root / "masks" / f"{number:02}.png")
    (root / "classes.txt").write_text("ground\ndisc\n")
    return root


def test_they_are_seen_at_one_size_in_training_and_prediction(
    discs: Path, tmp_path: Path, quick: dict[str, Any]
) -> None:
    pixelwise.train(discs, tmp_path / "run", epochs=1, **quick)
    _, header = load_model(tmp_path / "run")
    assert header.sizes is not None
    assert header.sizes.varied
    assert header.sizes.framed is True
    side = header.sizes.side
    assert 80 < side < 100  # the middle of 40 to 200
    assert header.sizes.view_size(40, 40) == (side, side)
    assert header.sizes.view_size(100, 400) == (side // 2, 2 * side)
    line = describe_picture_sizes(header.sizes)
    assert f"each seen at about {side} x {side} pixels" in line
    assert json.loads((tmp_path / "run/run.json").read_text())["config"]["one_size"] is True
    predictor = pixelwise.load(tmp_path / "run")
    assert predictor.view_size((200, 200)) == (side, side)


def test_the_option_keeps_their_own_sizes(
    discs: Path, tmp_path: Path, quick: dict[str, Any]
) -> None:
    pixelwise.train(discs, tmp_path / "run", epochs=1, one_size=False, **quick)
    predictor = pixelwise.load(tmp_path / "run")
    assert predictor.view_size((200, 200)) == (200, 200)
