"""Which of some pictures is the image and which the mask, and how archives are unpacked."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.readers.packed import Archives, Sample, choose_pair
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError


@pytest.mark.parametrize(
    ("names", "pair"),
    [
        (["image", "annotation"], ("image", "annotation")),
        (["jpg", "png"], ("jpg", "png")),
        (["png", "seg.png"], ("png", "seg.png")),
        (["image", "depth", "label"], ("image", "label")),
        (["jpg", "depth.png", "mask.png"], None),
        (["image", "label", "mask"], None),
        (["image", "scene"], None),
        (["image"], None),
        ([], None),
    ],
)
def test_a_pair_is_chosen_by_words_or_not_at_all(
    names: list[str], pair: tuple[str, str] | None
) -> None:
    assert choose_pair(names) == pair


def picture(values: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind)
    return file.getvalue()


def archives(samples: list[Sample]) -> Archives:
    return Archives("boxes", "x.box", (".box",), lambda path: iter(samples))


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def test_an_archive_is_unpacked_once_and_anew_when_it_changes(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "val-0.box").write_text("1")
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    rgb = picture(np.zeros((2, 3, 3), np.uint8), "JPEG")
    mask = picture(np.array([[0, 1, 1], [0, 0, 1]], np.uint8))
    reader = archives([Sample("7", rgb, mask)])
    index = reader.index(tmp_path, DataOptions())
    (pair,) = index.splits["val"]
    assert (pair.image.name, pair.mask.name) == ("val-0_7.jpg", "val-0_7.png")
    assert pair.mask.read_bytes() == mask
    assert [entry.name for entry in index.declared.classes] == ["sky", "road"]
    assert "unpacked to" in index.notes[0]
    reader.index(tmp_path, DataOptions())
    assert len(list((cache / "pixelwise/unpacked").iterdir())) == 1
    (tmp_path / "val-0.box").write_text("changed")
    reader.index(tmp_path, DataOptions())
    assert len(list((cache / "pixelwise/unpacked").iterdir())) == 2


def test_bytes_that_are_no_picture_and_empty_archives_leave_nothing(
    tmp_path: Path, cache: Path
) -> None:
    (tmp_path / "a.box").write_text("1")
    with pytest.raises(DataError, match=r"a\.box: mask of 7 is no picture"):
        archives([Sample("7", picture(np.zeros((2, 3), np.uint8)), b"none")]).index(
            tmp_path, DataOptions()
        )
    with pytest.raises(DataError, match="holds no pair of image and mask"):
        archives([]).index(tmp_path, DataOptions())
    assert not list((cache / "pixelwise/unpacked").iterdir())
