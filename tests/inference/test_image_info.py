"""How often an image's file is opened on its way to a mask."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixelwise.classes import Classes
from pixelwise.inference.image_info import ImageInfos
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor

_opened: Counter[str] | None = None


def _count(event: str, args: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened[str(args[0])] += 1


sys.addaudithook(_count)  # sees every open of Python's and PIL's; it cannot be removed


@contextmanager
def opens() -> Iterator[Counter[str]]:
    """How often each file is opened in the block."""
    global _opened  # noqa: PLW0603  the hook's only way to be told
    _opened = Counter()
    try:
        yield _opened
    finally:
        _opened = None


def two_classes(rgb: np.ndarray) -> np.ndarray:
    return np.stack([rgb[:, 0] < 100, rgb[:, 0] >= 100], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("options", "max_memory", "expected"),
    [
        ({}, None, 1),
        ({"confidence": True, "overlay": True, "extras": ("areas", "logits")}, None, 1),
        # all headers are read first, so that nothing is written where one is refused
        ({"largest": ("a",)}, None, 2),
        ({}, 2**30, 2),
        ({"largest": ("a",)}, 2**30, 2),
    ],
)
def test_a_photo_is_opened_once_and_once_more_where_headers_are_checked_first(
    options: dict[str, Any],
    max_memory: int | None,
    expected: int,
    photo: Path,
    tmp_path: Path,
) -> None:
    predictor = Predictor(two_classes, Classes.named(("a", "b")), max_memory=max_memory)
    with opens() as counts:
        predict_files(
            predictor,
            [photo],
            tmp_path / "out",
            choices=PredictOptions(**options),
            recipe=Recipe({"model": "m"}),
        )
    assert (tmp_path / "out/photo.png").is_file()
    assert counts[str(photo)] == expected


def test_headers_are_read_once_and_pixels_of_a_table_not_at_all(
    photo: Path, tmp_path: Path
) -> None:
    absent = str(tmp_path / "absent.jpg")
    infos = ImageInfos({"/table/x.jpg": 7, str(photo): None})
    with opens() as counts:
        for _ in range(3):
            assert infos.pixels(str(photo)) == 48 * 70
            assert not infos.is_large(str(photo))
        assert infos.pixels("/table/x.jpg") == 7
        assert infos.pixels(absent) is None
    assert counts[str(photo)] == 1
    assert counts["/table/x.jpg"] == 0
    assert infos.get("/table/x.jpg") is None
