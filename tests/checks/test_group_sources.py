from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.check_dataset import check
from pixelwise.checks.group_sources import connect
from pixelwise.datasets.groups import find_groups
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.errors import ConfigError


def write_pair(root: Path, name: str, rgb: np.ndarray, exif: Image.Exif | None = None) -> None:
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(root / f"images/{name}.jpg", quality=95, exif=exif or Image.Exif())
    mask = (rgb[..., 0] > 128).astype(np.uint8) * np.uint8(255)
    Image.fromarray(mask).save(root / f"masks/{name}.png")


def scene(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((64, 48), Image.Resampling.BICUBIC))


def text_of(root: Path) -> str:
    result, _ = check(root)
    issues = [
        issue.text
        for finding in result.findings.of("warning")
        if finding.id == "groups-likely"
        for issue in finding.issues
    ]
    return "\n".join(issues)


def test_items_that_hang_together_have_one_number() -> None:
    numbers = connect(5, [(0, 3), (3, 4)])
    assert numbers[0] == numbers[3] == numbers[4]
    assert len({numbers[0], numbers[1], numbers[2]}) == 3
    assert connect(2, []) == [0, 1]


def test_photos_of_one_camera_without_a_pause_are_a_session(tmp_path: Path) -> None:
    for place in range(16):
        exif = Image.Exif()
        exif[0x0110] = f"Camera {place % 2}"
        own = exif.get_ifd(0x8769)
        own[0x9003] = f"2024:05:06 {8 + place // 8 * 4:02}:{place % 8:02}:00"
        name = f"{place * 7919 % 997:03}"
        shift = np.roll(scene(10 * (place % 2) + place // 8), place, axis=1)
        write_pair(tmp_path / "data", name, shift, exif)
    text = text_of(tmp_path / "data")
    assert text.startswith("4 groups by camera and time (EXIF), such as Camera 0 2024-05-06 08:00")


def test_tiles_that_touch_are_one_place_and_the_table_of_them_is_read_back(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for place in range(12):
        name = f"{place * 7919 % 997:03}"
        write_pair(root, name, scene(place))
        # three fields of four tiles each, far from each other
        left, top = 10_000 * (place // 4) + 64 * (place % 2), 48 * (place // 2 % 2)
        (root / f"images/{name}.jgw").write_text(f"1\n0\n0\n-1\n{left + 0.5}\n{top - 0.5}\n")
    assert "12 of 12 images in 3 groups by places that touch (georeferences)" in text_of(root)
    table = tmp_path / "groups.csv"
    with pytest.raises(ConfigError, match="which check never changes"):
        check(root, groups=root / "groups.csv")
    check(root, groups=table)
    table.rename(root / "groups.csv")
    groups = find_groups(root, open_dataset(root).pairs("all"), None)
    assert groups is not None
    assert len(set(groups.by_image.values())) == 3
    assert len(groups.by_image) == 12
    assert text_of(root) == ""


def test_near_copies_are_kept_together_where_there_are_many(tmp_path: Path) -> None:
    for place in range(10):
        noise = np.random.default_rng(place).integers(0, 3, (48, 64, 3), dtype=np.uint8)
        rgb = np.minimum(scene(place // 2 if place < 4 else place), 250) + noise
        write_pair(tmp_path, f"{place * 7919 % 997:03}", rgb)
    assert text_of(tmp_path).startswith("4 of 10 images in 2 groups by near copies")


def test_images_of_their_own_make_no_groups(tmp_path: Path) -> None:
    for place in range(10):
        write_pair(tmp_path / "data", f"{place * 7919 % 997:03}", scene(place))
    assert text_of(tmp_path / "data") == ""
    check(tmp_path / "data", groups=tmp_path / "groups.csv")
    assert not (tmp_path / "groups.csv").exists()
