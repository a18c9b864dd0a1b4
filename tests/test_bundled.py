"""The models that come with the package."""

import zlib
from pathlib import Path

import matplotlib
import numpy as np

import pixelwise
from pixelwise.datasets.sample_photos import sample_photos
from pixelwise.models.checkpoint import BUNDLED, bundled, read_header
from pixelwise.progress import Progress
from pixelwise.teaching.demo_run import _label_photographs

ANIMALS = ("background", "cat", "cow", "dog", "horse", "person", "sheep")
PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"


def test_animals_comes_along_small_and_with_a_card() -> None:
    assert "animals" in bundled()
    assert len(zlib.compress(bundled()["animals"].read_bytes())) <= 10e6  # as the wheel holds it
    assert read_header(Path("animals")).classes.names == ANIMALS
    card = (BUNDLED / "animals.md").read_text(encoding="utf-8")
    assert all(
        f"## {title}" in card for title in ("Data", "Training", "Scores", "Limits", "Licence")
    )


def test_it_finds_the_person_in_a_photograph() -> None:
    """Her face is at the middle, the sky beside her hat at the upper right."""
    labels = pixelwise.load("animals").predict(PHOTOGRAPH).labels
    assert labels.shape == (600, 512)
    assert np.bincount(labels[150:300, 190:330].ravel(), minlength=7).argmax() == ANIMALS.index(
        "person"
    )
    assert (labels[20:120, 420:500] == ANIMALS.index("background")).all()


def test_it_knows_animals_it_was_not_trained_on(real_data: Path) -> None:
    """The dog on the left and the cat on the right of the course's photograph."""
    labels = pixelwise.load("animals").predict(real_data / "style/catdog.jpg").labels
    assert np.bincount(labels[100:300, 130:300].ravel(), minlength=7).argmax() == ANIMALS.index(
        "dog"
    )
    assert np.bincount(labels[220:400, 470:600].ravel(), minlength=7).argmax() == ANIMALS.index(
        "cat"
    )


def test_the_demo_begins_with_photographs(tmp_path: Path) -> None:
    overlays = _label_photographs(tmp_path / "photographs", Progress())
    names = [overlay.name for overlay in overlays]
    assert names == [f"{photo.stem}_overlay.jpg" for photo in sample_photos().values()]
    assert "grace_hopper_overlay.jpg" in names
    assert all(overlay.is_file() for overlay in overlays)
