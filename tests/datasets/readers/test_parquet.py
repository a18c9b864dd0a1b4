"""Parquet tables as Hugging Face `datasets` writes them, made with pyarrow."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.readers import parquet as reader
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError, DataError

OPEN = DataOptions(hold_out=False)
MASK = np.array([[0, 1, 2], [0, 0, 1]], np.uint8)


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def picture(values: np.ndarray) -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": "0.png"}


RGB = picture(np.zeros((2, 3, 3), np.uint8))


def table(path: Path, rows: list[dict[str, Any]]) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def test_rows_are_pairs_and_files_are_splits(tmp_path: Path) -> None:
    row = {"image": RGB, "annotation": picture(MASK), "scene": 3}
    table(tmp_path / "data/train-00000-of-00002.parquet", [row] * 20)
    table(tmp_path / "data/train-00001-of-00002.parquet", [row])
    table(tmp_path / "data/validation-00000-of-00001.parquet", [row])
    names = {"0": "sky", "1": "road", "2": "car"}
    (tmp_path / "id2label.json").write_text(json.dumps(names))
    data = open_dataset(tmp_path, OPEN)
    assert (data.format, data.classes.names) == ("parquet", ("sky", "road", "car"))
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {"train": 21, "val": 1}
    np.testing.assert_array_equal(data.read_labels(data.pairs("val")[0].mask), MASK)


def test_pictures_may_lie_beside_the_table_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(RGB["bytes"])
    beside = {"bytes": None, "path": "0.png"}
    table(tmp_path / "train.parquet", [{"image": beside, "mask": picture(MASK)}])
    assert (
        len(open_dataset(tmp_path, DataOptions(format="parquet", hold_out=False)).pairs("train"))
        == 1
    )
    for path in ("../0.png", "1.png"):
        row = {"image": {"bytes": None, "path": path}, "mask": picture(MASK)}
        table(tmp_path / "train.parquet", [row, {"image": RGB, "mask": picture(MASK)}])
        with pytest.raises(DataError, match=r"row 0: names .*, which is not beside the table"):
            open_dataset(tmp_path, DataOptions(format="parquet"))


def test_tables_without_a_pair_of_pictures_are_refused(tmp_path: Path) -> None:
    table(tmp_path / "train.parquet", [{"image": RGB, "label": 3}])
    with pytest.raises(DataError, match="has pictures in the columns image, of which one must be"):
        open_dataset(tmp_path, OPEN)
    table(tmp_path / "train.parquet", [{"image": RGB, "mask": picture(MASK), "label": RGB}])
    with pytest.raises(DataError, match="columns image, mask, label, of which"):
        open_dataset(tmp_path, OPEN)
    table(tmp_path / "train.parquet", [{"image": RGB, "mask": None}, {"image": RGB, "mask": RGB}])
    with pytest.raises(DataError, match="row 0: lacks its image or its mask"):
        open_dataset(tmp_path, OPEN)
    (tmp_path / "train.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        open_dataset(tmp_path, OPEN)


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match=r"pip install 'pixelwise\[parquet\]'"):
        reader.index(tmp_path, OPEN)
