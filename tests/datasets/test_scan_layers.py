import shutil
from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.scan import scan_split
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError
from pixelwise.progress import Progress


def copy(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target / "data"))


def opened(root: Path) -> DataSet:
    return open_dataset(root, DataOptions(multilabel=True), layers=True)


def test_pixels_of_each_layer_are_counted(overlapping: Path) -> None:
    stats = scan_split(opened(overlapping), "train", progress=Progress())
    assert stats.pixels == (8 * 18 * 18, 8 * 20 * 20)  # blue and red boxes as drawn
    assert stats.holding == (8 * 32 * 48,) * 2
    assert (stats.void, stats.sizes[0]) == (0, (32, 48))


def test_layers_of_another_size_are_refused_or_left_out(overlapping: Path, tmp_path: Path) -> None:
    data = copy(overlapping, tmp_path)
    Image.new("L", (40, 32)).save(data / "masks/train/0_red.png")
    for name in ("red", "blue"):
        Image.new("L", (40, 30)).save(data / f"masks/train/1_{name}.png")
    with pytest.raises(DataError, match=r"another layer of it has.*30 x 40.*height x width"):
        scan_split(opened(data), "train", progress=Progress())
    stats = scan_split(opened(data), "train", progress=Progress(), skip_broken=True)
    assert len(stats.pairs) == 6
    assert len(stats.broken) == 2


def test_layers_of_nothing_are_refused(overlapping: Path, tmp_path: Path) -> None:
    data = copy(overlapping, tmp_path)
    for mask in (data / "masks/train").iterdir():
        Image.new("L", (48, 32)).save(mask)
    with pytest.raises(DataError, match="no pixel of train is of any class"):
        scan_split(opened(data), "train", progress=Progress())


class Lines(Progress):
    """Keeps the log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, text: str) -> None:
        self.lines.append(text)


def test_what_one_class_a_pixel_loses_is_logged(overlapping: Path, shapes: Path) -> None:
    log = Lines()
    scan_split(open_dataset(overlapping), "train", progress=log)
    # boxes of 20 x 20 and 18 x 18 pixels, which share 10 x 12
    share = 120 / (400 + 324 - 120)
    assert [line for line in log.lines if line.startswith(f"{share:.0%} of the pixels")]
    silent = Lines()
    scan_split(open_dataset(shapes), "train", progress=silent)
    assert not silent.lines
