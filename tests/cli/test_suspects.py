from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def test_suspects_are_listed_handed_over_and_converted_back(
    pixelwise: Any, model: Path, shapes: Path, tmp_path: Path, refused: Any
) -> None:
    found = pixelwise(
        "suspects",
        model,
        shapes,
        "--out",
        tmp_path / "s",
        "--split",
        "test",
        "--top",
        5,
        "--to",
        "cvat",
    )
    assert found.returncode == 0, found.stderr
    rows = (tmp_path / "s/suspects.csv").read_text().splitlines()
    assert f"{len(rows) - 1:,} regions in" in found.stdout
    assert len(list((tmp_path / "s/crops").iterdir())) == min(5, len(rows) - 1) > 0
    back = pixelwise("convert", tmp_path / "s/cvat", tmp_path / "back", "--to", "folder")
    assert back.returncode == 0, back.stderr
    for mask in (tmp_path / "back/masks/test").iterdir():
        before = np.asarray(Image.open(shapes / "masks/test" / mask.name))
        assert (np.asarray(Image.open(mask)) == before).all()
    refused(
        pixelwise("suspects", model, shapes, "--out", tmp_path / "s", "--to", "cvat"),
        "may hold corrections",
    )
