from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelwise.errors import OutputError
from pixelwise.inference.label_job import LabelJob
from pixelwise.inference.manifest import DONE, FAILED, PART, STOPPED, new_row, read_manifest
from pixelwise.inference.output_folder import OutputFolder
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.io.storage import open_store
from pixelwise.progress import Progress


class Lines(Progress):
    def __init__(self) -> None:
        self.lines = list[str]()

    def log(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for path in paths:
        Image.new("RGB", (4, 3)).save(path)
    return [str(path) for path in paths]


def states(rows: list[dict[str, Any]], images: list[str], out: Path) -> tuple[Any, dict[str, str]]:
    """What a job says of rows, and the states in its manifest, also where it ends early."""
    folder = OutputFolder(open_store(out), images, PredictOptions(), Recipe({"model": "m"}))
    job = LabelJob(dict.fromkeys(images), folder, Lines())
    try:
        result: Any = job.run(iter(rows), ("a", "b"), what="predicting", total=len(rows))
    except OutputError as error:
        result = error
    recorded = read_manifest(open_store(out))
    return result, {Path(image).name: row["state"] for image, row in recorded.items()}


def test_rows_that_come_after_an_image_is_settled_count_for_nothing(
    images: list[str], tmp_path: Path
) -> None:
    a, b, c = images
    rows = [
        new_row(a, 6, PART, "row chunk 1 of 2"),
        new_row(a, 12, DONE, mask="a.tif"),
        new_row(a, 6, PART, "row chunk 2 of 2"),  # workers answer in no order
        new_row(b, 6, FAILED, "b: cannot be read"),
        new_row(b, 6, DONE, mask="b.tif"),
        new_row(c, 6, PART, "row chunk 1 of 2"),
    ]
    result, recorded = states(rows, images, tmp_path / "out")
    assert result.written == (tmp_path / "out/a.tif",)
    assert result.failed == ((Path(b), "b: cannot be read"),)
    assert recorded == {"a.png": DONE, "b.png": FAILED, "c.png": PART}


def test_a_worker_that_cannot_go_on_ends_the_job_and_what_came_before_is_recorded(
    images: list[str], tmp_path: Path
) -> None:
    a, b, _ = images
    rows = [new_row(a, 12, DONE, mask="a.png"), new_row(b, 12, STOPPED, "the disk is full")]
    result, recorded = states(rows, images, tmp_path / "out")
    assert str(result) == "the disk is full (reported by a worker)"
    assert recorded == {"a.png": DONE}


def counts(**pixels: int) -> np.ndarray:
    array = np.zeros(256, np.int64)
    for name, count in pixels.items():
        array[int(name.removeprefix("of_"))] = count
    return array


def test_shares_are_those_of_all_pixels_of_the_new_masks(images: list[str], tmp_path: Path) -> None:
    a, b, c = images
    rows = [
        new_row(a, 300, DONE, mask="a.png", counts=counts(of_0=100, of_1=199, of_255=1)),
        new_row(b, 100, DONE, mask="b.png", counts=counts(of_1=100)),
        new_row(c, 12, FAILED, "c: cannot be read"),
    ]
    result, _ = states(rows, images, tmp_path / "out")
    assert result.shares == "b 75 %, a 25 %, void <1 %"
    assert result.folder == str(tmp_path / "out")


def test_where_one_mask_was_not_counted_no_shares_are_said(
    images: list[str], tmp_path: Path
) -> None:
    a, b, _ = images
    rows = [
        new_row(a, 12, DONE, mask="a.png", counts=counts(of_0=12)),
        new_row(b, 12, DONE, mask="b.png"),
    ]
    result, _ = states(rows, images, tmp_path / "out")
    assert result.shares == ""
