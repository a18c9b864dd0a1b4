"""The photographs of installed packages."""

import pytest

from pixelwise.datasets import sample_photos as module
from pixelwise.datasets.sample_photos import sample_photos
from pixelwise.io.images import read_rgb


def test_the_photographs_are_pictures_of_a_cat_and_a_person() -> None:
    pytest.importorskip("skimage")
    photos = sample_photos()
    assert read_rgb(photos["cat"]).shape == (300, 451, 3)
    assert read_rgb(photos["person"]).shape == (600, 512, 3)


def test_a_package_that_is_missing_leaves_its_photograph_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(module._PHOTOS, "cat", ("no_such_package", "cat.png"))
    monkeypatch.setitem(module._PHOTOS, "person", ("matplotlib", "no_such_photo.jpg"))
    assert sample_photos() == {}
