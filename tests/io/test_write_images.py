from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import voc_colormap
from pixelwise.io.write_images import write_image, write_labels

RGB = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_labels_are_read_back_as_indices_with_the_palette(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 2], [20, 255, 3]], dtype=np.uint8)
    path = tmp_path / "deep/mask.png"
    write_labels(path, labels, voc_colormap(21))
    with Image.open(path) as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), labels)
        assert image.convert("RGB").getpixel((1, 0)) == (128, 0, 0)


def test_a_picture_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    write_image(path, RGB)
    before = path.read_bytes()
    monkeypatch.setattr(
        Image.Image, "save", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        write_image(path, RGB[::-1])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
