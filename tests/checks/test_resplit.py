"""Which pairs a repaired copy holds, and in which split."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sample_pictures import object_at, photo, write_set

from pixelwise.checks.check_dataset import check
from pixelwise.checks.examine import examine


@pytest.mark.parametrize(
    ("places", "kept"),
    [
        (("train", "val", "test"), "test"),
        (("train", "test", "test"), "test"),
        (("train", "train", "val", "val"), "val"),
        (("train", "train", "train"), "train"),
    ],
)
def test_of_many_copies_one_is_left_where_it_is_tested_most(
    tmp_path: Path, places: tuple[str, ...], kept: str
) -> None:
    root = tmp_path / "set"
    pairs = [("train", 8), ("val", 3), ("test", 3)]
    jobs = [
        (split, f"{split}{at}", at + 100 * ord(split[1]))
        for split, count in pairs
        for at in range(count)
    ]
    jobs += [(split, f"copy{at}", 999) for at, split in enumerate(places)]
    for split, name, seed in jobs:
        for side, pixels in (("images", photo(seed)), ("masks", object_at(seed).astype(np.uint8))):
            (root / side / split).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / side / split / f"{name}.png")
    found, _ = check(root, fix=tmp_path / "repaired")
    assert {"image-leak", "image-twice"} & found.findings.ids()
    left = [path.parent.name for path in (tmp_path / "repaired/images").rglob("copy*.png")]
    assert left == [kept]
    assert not {"image-leak", "image-twice"} & examine(tmp_path / "repaired").findings.ids()


def test_near_copies_are_held_out_together(tmp_path: Path) -> None:
    frames = [np.clip(photo(7).astype(np.int16) + shade, 0, 255) for shade in (0, 2, 4)]
    images = [photo(number) for number in range(17)]
    images += [frame.astype(np.uint8) for frame in frames]
    masks = [object_at(number).astype(np.uint8) for number in range(20)]
    root = write_set(tmp_path / "set", masks, images=images)
    check(root, fix=tmp_path / "repaired")
    paths = (tmp_path / "repaired/images").rglob("*.png")
    split_of = {path.stem: path.parent.name for path in paths}
    assert len({split_of.get(name) for name in ("018", "019")}) == 1
    assert {"train", "val"} <= set(split_of.values())
