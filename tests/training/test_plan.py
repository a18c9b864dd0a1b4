import shutil
from pathlib import Path
from typing import Any

import pytest

import pixelwise
from pixelwise.errors import DataError
from pixelwise.training.preview import preview
from pixelwise.training.recipes import make_config


@pytest.mark.parametrize(("split", "what"), [("train", "training"), ("val", "validation")])
def test_data_that_is_all_void_is_refused(
    shapes: Path, tmp_path: Path, split: str, what: str, quick: dict[str, Any]
) -> None:

    import numpy as np
    from PIL import Image

    shutil.copytree(shapes, tmp_path / "data")
    for mask in (tmp_path / "data/masks" / split).iterdir():
        Image.fromarray(np.full((64, 96), 255, np.uint8)).save(mask)
    with pytest.raises(DataError, match=f"every {what} pixel is void"):
        pixelwise.train(tmp_path / "data", tmp_path / "run", **quick)


def test_what_is_refused_before_the_first_step_leaves_no_run(
    shapes: Path, tmp_path: Path, quick: dict[str, Any]
) -> None:
    with pytest.raises(
        DataError, match=r"every training image is below 480 x 480: .* --set drop_small=false"
    ):
        pixelwise.train(
            shapes, tmp_path / "run", epochs=1, **{**quick, "crop": (480, 480), "drop_small": True}
        )
    assert not (tmp_path / "run").exists()
    config = make_config("default", **{**quick, "crop": (480, 480), "drop_small": True})
    with pytest.raises(DataError, match="every training image is below"):
        preview(shapes, tmp_path / "run", config=config)
