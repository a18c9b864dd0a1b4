"""Findings about images and sizes."""

from pathlib import Path

import numpy as np
import pytest
from sample_pictures import write_set

from pixelwise.checks.check_dataset import check
from pixelwise.errors import OutputError


@pytest.mark.parametrize("classes", ["", "void\n"])
def test_pictures_of_noise_in_the_masks_folder_are_called_photographs(
    tmp_path: Path, classes: str
) -> None:
    rng = np.random.default_rng(0)
    root = write_set(
        tmp_path / "set", [rng.integers(0, 255, (128, 128, 3), np.uint8) for _ in range(12)]
    )
    if classes:
        (root / "classes.txt").write_text(classes)
    found, _ = check(root, report=tmp_path / "page.html", json_file=tmp_path / "found.json")
    photos = next(finding for finding in found.findings if finding.id == "mask-is-photo")
    assert photos.places == 12
    assert "encodings-mixed" not in found.findings.ids()
    with pytest.raises(OutputError, match="no pair can be repaired"):
        check(root, fix=tmp_path / "repaired")
