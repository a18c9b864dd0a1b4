from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.scan import scan_split
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError
from pixelwise.inference.predictor import Predictor
from pixelwise.io.channels import Channels
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.palette import default_palette
from pixelwise.progress import Progress
from pixelwise.training.pseudo_labels import (
    HIGHEST,
    INDEX,
    PRECISION,
    SHARES,
    _first_bin,
    find_thresholds,
    label_pool,
    read_pseudo_labels,
)
from pixelwise.training.unlabelled_pool import KnownImages

NONE_KNOWN = KnownImages(frozenset(), np.zeros(0, np.uint64), ())


class Brightness:
    """Logits of two classes by an image's brightness: dark is 0, bright is 1, grey is unsure."""

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        bright = images.astype(np.float32).mean(1) / 255  # (N, H, W)
        logit = 12 * (bright - 0.5)
        return np.stack([-logit, logit], 1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Photos of a dark and a bright half, and a grey middle that is right half of the time."""
    folder = tmp_path / "data"
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for number in range(4):
            rgb = np.zeros((40, 96, 3), np.uint8)
            rgb[:, 32:64] = 140
            rgb[:, 64:] = 255
            labels = np.zeros((40, 96), np.uint8)
            labels[:, 32:64] = rng.integers(0, 2, (40, 32))
            labels[:, 64:] = 1
            rgb[:2, :2] = 10 * number  # no two alike
            for part, array, suffix in (("images", rgb, "png"), ("masks", labels, "png")):
                path = folder / part / split / f"{number}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(path)
    (folder / "classes.txt").write_text("dark\nbright\n")
    return folder


@pytest.fixture
def predictor(data: Path) -> Predictor:
    return Predictor(Brightness(), open_dataset(data, DataOptions()).classes)


def label(
    predictor: Predictor,
    images: list[Path],
    folder: Path,
    thresholds: tuple[float, float],
    **more: Any,
) -> Any:
    options = {"known": NONE_KNOWN, "count": 10, "progress": Progress(), **more}
    return label_pool(predictor, images, thresholds=thresholds, folder=folder, **options)


def test_of_each_class_the_surest_pixels_are_precise(data: Path, predictor: Predictor) -> None:
    dataset = open_dataset(data, DataOptions())
    pairs = dataset.pairs("val")
    thresholds = find_thresholds(predictor, dataset, pairs, Progress())
    right = np.zeros(2)
    total = np.zeros(2)
    for pair in pairs:
        result = predictor.predict(pair.image, tta=True)
        truth = dataset.read_labels(pair.mask)
        for label in (0, 1):
            sure = (result.labels == label) & (result.confidence >= thresholds[label])
            total[label] += sure.sum()
            right[label] += (truth[sure] == label).sum()
    assert (right / total).mean() >= PRECISION
    # the grey middle, of which half is right, is not sure enough
    assert 0.75 < thresholds[1] <= HIGHEST


def test_of_a_common_and_a_rare_class_the_same_share_is_sure() -> None:
    """A model that is always surer of the common one."""
    rng = np.random.default_rng(0)
    pixels = np.zeros((2, 1000))
    pixels[0] = np.bincount((1000 * rng.uniform(0.9, 1, 90_000)).astype(int), minlength=1000)
    pixels[1] = np.bincount((1000 * rng.uniform(0.5, 1, 500)).astype(int), minlength=1000)
    for share in SHARES:
        bins = [_first_bin(row, share) for row in pixels]
        kept = [row[first:].sum() / row.sum() for row, first in zip(pixels, bins, strict=True)]
        assert kept == pytest.approx([share, share], abs=0.02)


def test_a_class_that_validation_never_shows_needs_as_much_as_any(
    data: Path, tmp_path: Path
) -> None:
    (data / "classes.txt").write_text("dark\nbright\nunseen\n")
    dataset = open_dataset(data, DataOptions())
    three = Predictor(lambda images: _with_third(Brightness()(images)), dataset.classes)
    thresholds = find_thresholds(three, dataset, dataset.pairs("val"), Progress())
    assert thresholds[2] == max(thresholds)


def _with_third(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([logits, np.full_like(logits[:, :1], -50)], 1)


def test_what_is_not_sure_becomes_void(data: Path, predictor: Predictor, tmp_path: Path) -> None:
    photo = data / "images/train/0.png"
    labels = label(predictor, [photo], tmp_path / "out", (0.5, 0.9))
    mask = np.asarray(Image.open(tmp_path / "out" / labels.images[0].mask))
    assert set(np.unique(mask[:, 33:63])) == {VOID}
    assert set(np.unique(mask[5:, :31])) == {0}
    assert set(np.unique(mask[:, 65:])) == {1}
    assert labels.images[0].pixels == (32 * 40, 32 * 40)


def test_a_photo_far_larger_than_the_trainings_is_seen_at_their_size(
    data: Path, predictor: Predictor, tmp_path: Path
) -> None:
    predictor.sizes = PictureSizes(side=30, smallest=20, largest=40, framed=True)
    labels = label(predictor, [data / "images/train/0.png"], tmp_path / "out", (0.5, 0.9))
    assert labels.images[0].size == (40, 96)
    mask = np.asarray(Image.open(tmp_path / "out" / labels.images[0].mask))
    assert set(np.unique(mask[8:, :26])) == {0}
    assert set(np.unique(mask[:, 70:])) == {1}


def test_known_and_broken_images_are_left_out_and_said(
    data: Path, predictor: Predictor, tmp_path: Path
) -> None:
    photo = data / "images/train/0.png"
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    labels = label(predictor, [broken, photo], tmp_path / "a", (0.5, 0.9))
    assert [item.image for item in labels.images] == [str(photo)]
    assert labels.left_out == 1
    assert "left out: 1" in labels.describe()
    assert str(broken) in (tmp_path / "a" / INDEX).read_text()


def test_an_index_reads_as_it_was_written_and_a_damaged_one_is_refused(
    data: Path, predictor: Predictor, tmp_path: Path
) -> None:
    photos = sorted((data / "images/train").iterdir())
    folder = tmp_path / "out"
    labels = label(predictor, photos, folder, (0.5, 0.9), count=3)
    assert len(labels.images) == 3
    assert read_pseudo_labels(folder) == labels
    (folder / INDEX).write_text("{")
    with pytest.raises(ConfigError, match="to label the images again"):
        read_pseudo_labels(folder)


def test_labelled_images_are_repeated_until_they_are_as_many(
    data: Path, predictor: Predictor, tmp_path: Path
) -> None:
    dataset = open_dataset(data, DataOptions())
    train = scan_split(dataset, "train", progress=Progress())
    photos = 3 * sorted((data / "images/val").iterdir())
    labels = label(predictor, photos, tmp_path / "out", (0.5, 0.9), count=9)
    extended, split = labels.add_to(dataset, train)
    assert len(split.pairs) == 2 * 4 + 7
    assert len(split.sizes) == len(split.pairs)
    # every mask can be read by the extended reader, and counts are those of the masks
    counts = np.zeros(256, np.int64)
    for pair in split.pairs:
        counts += np.bincount(extended.read_labels(pair.mask).ravel(), minlength=256)
    assert tuple(counts[:2].tolist()) == split.pixels
    assert sum(counts[:2]) == split.holding[0] == split.holding[1]


def test_a_pool_of_bands_is_read_as_the_training_read_its_own(tmp_path: Path) -> None:
    class LastBand:
        """Two classes by the last of four bands."""

        def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
            assert images.shape[1] == 4
            logit = 12 * (images[:, 3].astype(np.float32) / 255 - 0.5)
            return np.stack([-logit, logit], 1)

    window = {"low": (0.0,) * 4, "high": (4000.0,) * 4, "mean": (0.5,) * 4, "std": (0.25,) * 4}
    channels = Channels(
        ("red", "green", "blue", "nir"), (1, 2, 3, 4), **window, count=4, kind="float32", rule="set"
    )
    predictor = Predictor(LastBand(), Classes(("a", "b"), default_palette(("a", "b"))))
    predictor.reading = {"channels": channels.to_header()}
    values = np.full((40, 48, 4), 2000, np.float32)
    values[:20, :, 3] = 4000
    values[20:, :, 3] = 0
    values[:5, :5, 1] = np.nan
    np.save(tmp_path / "pool.npy", values)
    folder = tmp_path / "labels"
    folder.mkdir()
    found = label(predictor, [tmp_path / "pool.npy"], folder, (0.9, 0.9))
    (item,) = found.images
    labels = np.asarray(Image.open(folder / item.mask))
    assert (labels[:5, :5] == VOID).all(), "no band may be missing"
    assert (labels[:18, 8:] == 1).all()
    assert (labels[22:] == 0).all()
