import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError, ImageError

OPTIONS = DataOptions(hold_out=False)
NAMES = ("background", "cat", "dog")


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def png(mask: list[list[int]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.array(mask, bool)).save(file, format="PNG")
    return file.getvalue()


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


def labelme(root: Path, shapes: list[dict], name: str = "a") -> DataSet:
    picture(root / f"{name}.jpg")
    record = {
        "version": "5",
        "shapes": shapes,
        "imagePath": f"{name}.jpg",
        "imageHeight": 4,
        "imageWidth": 6,
    }
    (root / f"{name}.json").write_text(json.dumps(record))
    return open_dataset(root, OPTIONS)


def test_labelme_shapes_the_later_covers_the_earlier(tmp_path: Path) -> None:
    mask = base64.b64encode(png([[1, 0], [1, 1]])).decode()
    data = labelme(
        tmp_path,
        [
            {"label": "dog", "points": [[0, 0], [2, 2]], "shape_type": "rectangle"},
            {"label": "cat", "points": [[1, 1], [3, 1], [3, 3], [1, 3]], "shape_type": "polygon"},
            {"label": "__ignore__", "points": [[4, 2], [5, 3]], "shape_type": "mask", "mask": mask},
            {"label": "dog", "points": [[4.5, 0.5], [4.5, 1.1]], "shape_type": "circle"},
            {"label": "dog", "points": [[0, 0], [6, 4]], "shape_type": "line"},
        ],
    )
    assert (data.format, data.classes.names) == ("labelme", NAMES)
    assert only(data) == [
        [2, 2, 0, 0, 2, 0],
        [2, 1, 1, 0, 0, 0],
        [0, 1, 1, 0, 255, 0],
        [0, 0, 0, 0, 255, 255],
    ]


def test_labelme_labels_that_are_not_listed_and_masks_that_do_not_fit_are_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\ndog\ncat\n")
    shape = {"label": "dog", "points": [[0, 0], [9, 9]], "shape_type": "mask"}
    data = labelme(tmp_path, [shape | {"mask": base64.b64encode(png([[1]])).decode()}])
    assert data.classes.names == ("_background_", "dog", "cat")
    with pytest.raises(
        ImageError, match=r"a mask of 1 x 1 pixels does not fit its box \(0, 0\) to \(9, 9\)"
    ):
        only(data)
    with pytest.raises(DataError, match=r"labels\.txt: lacks 'cow'"):
        labelme(tmp_path, [shape | {"label": "cow"}])
