from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pixelwise.datasets.sample_photos import sample_photos
from pixelwise.errors import ConfigError
from pixelwise.teaching.photo_figures import (
    cluster_pixels,
    draw_heat,
    draw_kinds,
    load_classifier,
    slide_classifier,
)


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    photo = sample_photos().get("cat")
    if photo is None:
        pytest.skip("scikit-image, which has the photo, is not installed")
    with Image.open(photo) as picture:
        picture.convert("RGB").resize((225, 150)).save(tmp_path / "cat.png")
    return tmp_path / "cat.png"


def test_the_kinds_of_segmentation_are_drawn(cat: Path, tmp_path: Path) -> None:
    regions, objects = draw_kinds(cat, tmp_path / "kinds.png", regions=6)
    assert 2 <= regions <= 6
    assert set(objects) == {"cat"}
    with Image.open(tmp_path / "kinds.png") as picture:
        assert picture.width > 700
    with pytest.raises(ConfigError, match="2 to 255"):
        draw_kinds(cat, tmp_path / "x.png", regions=1)


def test_pixels_of_two_colours_are_two_regions() -> None:
    rgb = np.zeros((20, 30, 3), np.uint8)
    rgb[:, 15:] = 255
    parts = cluster_pixels(rgb, 2)
    assert len(np.unique(parts[:, :15])) == len(np.unique(parts[:, 15:])) == 1
    assert parts[0, 0] != parts[0, -1]


def test_the_mean_of_the_places_is_what_the_classifier_says() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (96, 160, 3), dtype=np.uint8)
    scores = slide_classifier(rgb)
    assert scores.shape == (1000, 3, 5)
    batch = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        whole = load_classifier()((batch - 0.5) / 0.5)[0]
    # pooling and then the last layer is the last layer and then pooling
    assert torch.allclose(scores.mean((1, 2)), whole, atol=1e-4)


def test_a_cat_is_seen_where_it_is(cat: Path, tmp_path: Path) -> None:
    peaks = draw_heat(cat, tmp_path / "heat.png", top=2)
    assert any("cat" in name for name in peaks)
    assert max(peaks.values()) > 0.3
    with pytest.raises(ConfigError, match="1 to 8"):
        draw_heat(cat, tmp_path / "x.png", top=0)
