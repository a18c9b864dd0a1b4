"""The generated data set."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.synthetic import CLASSES, draw_scene, write_shapes


def test_the_set_opens_as_a_folder_with_its_names(tmp_path: Path) -> None:
    write_shapes(tmp_path, train=4, val=2, test=1, size=(40, 56))
    data = open_dataset(tmp_path)
    assert {split: len(pairs) for split, pairs in data.splits.items()} == {
        "train": 4,
        "val": 2,
        "test": 1,
    }
    assert data.classes == CLASSES
    pair = data.pairs("train")[0]
    with Image.open(pair.mask) as mask, Image.open(pair.image) as image:
        assert (mask.mode, mask.size, image.size, image.format) == ("P", (56, 40), (56, 40), "JPEG")
        np.testing.assert_array_equal(data.read_labels(pair.mask), np.asarray(mask))


def test_the_seed_fixes_every_byte(tmp_path: Path) -> None:
    def written(name: str, seed: int) -> dict[str, bytes]:
        write_shapes(tmp_path / name, train=2, val=1, test=1, size=(24, 32), seed=seed)
        files = (path for path in (tmp_path / name).rglob("*") if path.is_file())
        return {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files}

    assert written("a", 0) == written("b", 0) != written("c", 1)


def test_all_classes_occur_and_a_scene_has_the_size_asked_for() -> None:
    rng = np.random.default_rng(0)
    scenes = [draw_scene(rng, (128, 160), 5) for _ in range(8)]
    assert {(rgb.shape, labels.shape) for rgb, labels in scenes} == {((128, 160, 3), (128, 160))}
    assert set(np.unique([labels for _, labels in scenes])) == {0, 1, 2, 3}
    assert 0.3 < np.mean([labels == 0 for _, labels in scenes]) < 0.95


def test_mean_colour_does_not_tell_the_classes_apart() -> None:
    """The nearest mean colour, fitted to the very pixels it is scored on, stays far from the
    truth.
    """
    rng = np.random.default_rng(1)
    rgb, labels = (
        np.stack(part)
        for part in zip(*[draw_scene(rng, (64, 80), 5) for _ in range(30)], strict=True)
    )
    means = np.stack([rgb[labels == label].mean(axis=0) for label in range(4)])
    guess = np.square(rgb[..., None, :].astype(np.float32) - means).sum(axis=-1).argmin(axis=-1)
    ious = [
        ((guess == k) & (labels == k)).sum() / ((guess == k) | (labels == k)).sum()
        for k in range(1, 4)
    ]
    assert max(ious) < 0.35


def test_the_reach_sets_the_size_of_shapes_whatever_the_pictures() -> None:
    shares = []
    for size in ((96, 96), (192, 192)):
        rng = np.random.default_rng(0)
        shares.append(
            np.mean([(draw_scene(rng, size, 1, reach=96)[1] > 0).sum() for _ in range(40)])
        )
    assert shares[1] == pytest.approx(
        shares[0], rel=0.35
    )  # the larger ground only cuts fewer of them off
