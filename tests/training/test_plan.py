import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.errors import DataError
from pixelwise.progress import Progress
from pixelwise.training.preview import preview
from pixelwise.training.recipes import make_config


@pytest.mark.parametrize(("split", "what"), [("train", "training"), ("val", "validation")])
def test_data_that_is_all_void_is_refused(
    shapes: Path, tmp_path: Path, split: str, what: str, quick: dict[str, Any]
) -> None:

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


class Lines(Progress):
    def __init__(self) -> None:
        self.lines = list[str]()

    def log(self, text: str) -> None:
        self.lines.append(text)


def test_images_of_12_bits_are_read_by_one_depth_which_the_model_keeps(
    shapes: Path, tmp_path: Path, quick: dict[str, Any]
) -> None:
    """Exposures of one camera, of which some stay below 1024."""
    data = tmp_path / "data"
    shutil.copytree(shapes, data)
    for number, path in enumerate(sorted(data.glob("images/*/*"))):
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L")).astype(np.uint16)
        path.unlink()
        Image.fromarray(grey << (2 if number % 3 else 4)).save(path.with_suffix(".png"))
    (data / "images/train/notes.xyz").touch()
    progress = Lines()
    pixelwise.train(data, tmp_path / "run", epochs=1, progress=progress, **quick)
    lines = [line for line in progress.lines if line.startswith("how the pictures were read")]
    assert lines[0] == (
        "how the pictures were read: 16 of 16 bits with values to 3312 are scaled from 12 bits"
    )
    assert "1 file left aside: .xyz 1" in progress.lines
    predictor = pixelwise.load(tmp_path / "run")
    assert predictor.rule.common_bits == 12
    dark = sorted(data.glob("images/val/*"))[1]
    with Image.open(dark) as image:
        assert np.array_equal(predictor.read(dark).rgb[..., 0], np.asarray(image) >> 4)
