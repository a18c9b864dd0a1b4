from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.inference import object_masks
from pixelwise.inference.object_masks import map_path
from pixelwise.inference.objects import write_objects
from pixelwise.io.images import write_labels

NAMES = ("background", "cell", "debris")


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    labels = np.zeros((20, 30), np.uint8)
    labels[2:5, 3:9] = labels[10:12, 20:22] = 1
    labels[15:, 1:4] = 2
    write_labels(tmp_path / "a.png", labels, ((0, 0, 0), (255, 0, 0), (0, 255, 0)))
    return tmp_path / "a.png"


def test_more_objects_than_a_png_can_number_have_a_map_of_32_bits(
    mask: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_objects(mask.parent, [mask], NAMES)
    png = np.asarray(Image.open(map_path(mask)))
    monkeypatch.setattr(object_masks, "MAX_IN_PNG", 2)
    monkeypatch.setattr("pixelwise.inference.objects.MAX_IN_PNG", 2)
    lines: list[str] = []
    write_objects(mask.parent, [mask], NAMES, log=lines.append)
    assert not map_path(mask).exists()
    tif = np.asarray(Image.open(map_path(mask, ".tif")))
    assert tif.dtype == np.int32
    np.testing.assert_array_equal(tif, png)
    assert lines == [
        "a.png: 3 objects are more than 16 bits can number; their map is a_objects.tif, of 32 bits"
    ]


def test_the_map_of_few_takes_the_place_of_one_of_many(mask: Path) -> None:
    map_path(mask, ".tif").write_bytes(b"of an earlier call")
    write_objects(mask.parent, [mask], NAMES)
    assert map_path(mask).exists()
    assert not map_path(mask, ".tif").exists()
