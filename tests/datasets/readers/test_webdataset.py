"""Shards of WebDataset, made with tarfile."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError

OPEN = DataOptions(hold_out=False)
MASK = np.array([[0, 1, 2], [0, 0, 255]], np.uint8)


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def picture(values: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind)
    return file.getvalue()


def shard(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name in names:
            if name.endswith("jpg"):
                data = picture(np.zeros((2, 3, 3), np.uint8), "JPEG")
            else:
                data = picture(MASK, "PNG") if name.endswith("png") else b"7"
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def test_samples_are_pairs_by_their_names_and_shards_are_splits(tmp_path: Path) -> None:
    shard(tmp_path / "train-000000.tar", "a/1.jpg", "a/1.seg.png", "a/1.cls", "2.jpg", "2.png")
    shard(tmp_path / "val-000000.tar.gz", "../../3.jpg", "../../3.mask.png")
    data = open_dataset(tmp_path, OPEN)
    assert data.format == "webdataset"
    names = {split: [pair.name for pair in pairs] for split, pairs in data.splits.items()}
    assert names == {
        "train": ["train-000000_2", "train-000000_a_1"],
        "val": ["val-000000__3"],
    }
    for pair in data.pairs("all"):
        np.testing.assert_array_equal(data.read_labels(pair.mask), MASK)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (
            ["1.jpg", "1.seg.png", "1.depth.png"],
            "sample 1 has the pictures jpg, seg.png, depth.png",
        ),
        (["1.jpg", "2.png"], "sample 1 has the pictures jpg, of which"),
        (["1.jpg", "1.png", "2.jpg", "2.png", "1.mask.png"], "sample 1 do not follow each other"),
        (["1.cls"], "holds no pair"),
    ],
)
def test_shards_whose_pairs_are_doubtful_are_refused(
    tmp_path: Path, names: list[str], complaint: str
) -> None:
    shard(tmp_path / "train.tar", *names)
    with pytest.raises(DataError, match=complaint):
        open_dataset(tmp_path, OPEN)


def test_half_a_shard_is_refused(tmp_path: Path) -> None:
    whole = shard(tmp_path / "train.tar", "1.jpg", "1.png").read_bytes()
    (tmp_path / "train.tar").write_bytes(whole[:700])
    with pytest.raises(DataError, match=r"train\.tar: cannot be read as a tar file"):
        open_dataset(tmp_path, OPEN)
