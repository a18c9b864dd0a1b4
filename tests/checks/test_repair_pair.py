"""One pair of a repaired copy."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sample_pictures import labels_of, object_at, photo, write_set

from pixelwise.checks.check_dataset import check
from pixelwise.errors import DataError


def test_an_image_that_fails_while_it_is_mended_leaves_no_mask_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_set(tmp_path / "set", [object_at(number).astype(np.uint8) for number in range(8)])
    Image.fromarray(photo(3)).convert("CMYK").save(root / "images/003.jpg")
    (root / "images/003.png").unlink()

    def gone(path: Path) -> None:
        raise DataError(f"{path}: cannot be read")

    monkeypatch.setattr("pixelwise.checks.repair_pair.read_rgb", gone)
    _, done = check(root, fix=tmp_path / "repaired")
    assert done
    assert (done.written, done.left_out) == (7, 1)
    assert "003" not in labels_of(tmp_path / "repaired")
    assert not list((tmp_path / "repaired/images").rglob("003.*"))
