from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.io.images import read_rgb
from pixelwise.progress import Progress
from pixelwise.training.unlabelled_pool import draw_order, find_known_images


def test_copies_of_the_data_sets_images_are_known_also_recoded_and_halved(
    shapes: Path, tmp_path: Path
) -> None:
    dataset = open_dataset(shapes, DataOptions())
    known = find_known_images(dataset, Progress())
    for split in ("train", "val", "test"):
        pair = dataset.pairs(split)[0]
        assert known.holds(read_rgb(pair.image))
    with Image.open(dataset.pairs("val")[1].image) as image:
        image.resize((image.width // 2, image.height // 2)).save(tmp_path / "half.jpg", quality=60)
    assert known.holds(read_rgb(tmp_path / "half.jpg"))


def test_another_image_is_not_known(shapes: Path) -> None:
    known = find_known_images(open_dataset(shapes, DataOptions()), Progress())
    noise = np.random.default_rng(3).integers(0, 256, (64, 96, 3), np.uint8)
    assert not known.holds(noise)


@pytest.mark.parametrize("seed", [0, 7])
def test_the_order_depends_on_names_and_seed_alone(seed: int) -> None:
    images = [Path(f"{number}.jpg") for number in range(20)]
    order = draw_order(images, seed)
    assert sorted(order) == sorted(images)
    assert order == draw_order(images[::-1], seed)
    assert order != draw_order(images, seed + 1)
