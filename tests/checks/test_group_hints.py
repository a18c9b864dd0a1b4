from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.examine import examine
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions


def write_films(root: Path, *, alike: bool, splits: tuple[str, ...] = ("",)) -> None:
    """Four films of six frames each, a scene a film; where not `alike`, a scene each frame."""
    for film in range(4):
        for frame in range(6):
            rng = np.random.default_rng(film if alike else 100 + 6 * film + frame)
            scene = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
            image = Image.fromarray(scene).resize((48, 36), Image.Resampling.BICUBIC)
            pixels = np.roll(np.asarray(image), frame, axis=1)
            split = splits[frame % len(splits)]
            mask = (pixels[..., 0] > 128).astype(np.uint8) * np.uint8(255)
            for part, values in (("images", pixels), ("masks", mask)):
                folder = root / part / split
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(values).save(folder / f"film{film}_{frame}.png")


def texts(root: Path, type: str) -> list[str]:
    return [
        issue.text
        for finding in examine(root).findings
        if finding.id == type
        for issue in finding.issues
    ]


def test_films_are_proposed_as_groups_and_the_rule_holds_whole_ones_out(tmp_path: Path) -> None:
    write_films(tmp_path, alike=True)
    rule = "(.+)[-_. ][^-_. ]+"
    assert texts(tmp_path, "groups-likely") == [
        f"4 groups by --group '{rule}', such as film0, film1, film2; images look most like others "
        "of their group"
    ]
    data = open_dataset(tmp_path, DataOptions(group=rule))
    films = [{pair.name.split("_")[0] for pair in pairs} for pairs in data.splits.values()]
    assert sum(map(len, films)) == 4


def test_names_alone_make_no_groups(tmp_path: Path) -> None:
    write_films(tmp_path, alike=False)
    assert texts(tmp_path, "groups-likely") == []


def test_a_table_of_groups_ends_the_guessing(tmp_path: Path) -> None:
    write_films(tmp_path, alike=True)
    rows = [f"film{film}_{frame},{film}" for film in range(4) for frame in range(6)]
    (tmp_path / "groups.csv").write_text("\n".join(["image,group", *rows]))
    assert texts(tmp_path, "groups-likely") == []
    assert texts(tmp_path, "file-ignored") == []


@pytest.mark.parametrize(("splits", "count"), [(("train", "val"), 1), (("train",), 0)])
def test_films_that_the_splits_divide_are_named(
    tmp_path: Path, splits: tuple[str, ...], count: int
) -> None:
    write_films(tmp_path, alike=True, splits=splits)
    issues = texts(tmp_path, "groups-divided")
    assert len(issues) == count
    if count:
        assert issues[0].startswith("film0, film1, film2, film3, by the names' ")
