import base64
import io
import json
import zlib
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


def supervisely(root: Path, objects: list[dict]) -> DataSet:
    picture(root / "ds/img/a.jpg")
    (root / "ds/ann").mkdir(exist_ok=True)
    record = {"size": {"height": 4, "width": 6}, "objects": objects}
    (root / "ds/ann/a.jpg.json").write_text(json.dumps(record))
    classes = [{"title": "cat", "color": "#FF0000"}, {"title": "dog"}]
    (root / "meta.json").write_text(json.dumps({"classes": classes}))
    return open_dataset(root, OPTIONS)


def test_supervisely_bitmaps_and_polygons_with_holes(tmp_path: Path) -> None:
    data = base64.b64encode(zlib.compress(png([[1, 0], [1, 1]]))).decode()
    ring = {
        "exterior": [[0, 0], [3, 0], [3, 3], [0, 3]],
        "interior": [[[1, 1], [2, 1], [2, 2], [1, 2]]],
    }
    result = supervisely(
        tmp_path,
        [
            {"classTitle": "cat", "geometryType": "polygon", "points": ring},
            {
                "classTitle": "dog",
                "geometryType": "bitmap",
                "bitmap": {"data": data, "origin": [4, 3]},
            },
        ],
    )
    assert (result.format, result.classes.names, result.classes.palette[1]) == (
        "supervisely",
        NAMES,
        (255, 0, 0),
    )
    assert only(result) == [
        [1, 1, 1, 0, 0, 0],
        [1, 0, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 0, 2, 0],
    ]
    ((pair,),) = result.splits.values()
    assert result.read_labels.rasterize(pair.mask).clipped == 1


def test_supervisely_bitmaps_that_cannot_be_unpacked_and_unknown_classes_are_refused(
    tmp_path: Path,
) -> None:
    broken = {"data": base64.b64encode(b"no").decode(), "origin": [0, 0]}
    with pytest.raises(ImageError, match="a bitmap that cannot be unpacked"):
        only(
            supervisely(
                tmp_path, [{"classTitle": "cat", "geometryType": "bitmap", "bitmap": broken}]
            )
        )
    with pytest.raises(DataError, match=r"class 'cow' is not in meta\.json"):
        supervisely(tmp_path, [{"classTitle": "cow", "geometryType": "point"}])
