"""Shards as another program writes them, on a disk and in a store."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from pixelwise.cluster.engine import Cluster
from pixelwise.cluster.predict_job import JobSpec, predict_on_cluster
from pixelwise.errors import ConfigError, DataError, ImageError
from pixelwise.inference.sources import find_sources
from pixelwise.io.shards import extract_image, list_shard_images, parse_slot
from pixelwise.io.storage import open_store

pytest.importorskip("fsspec", reason="the extra cluster is not installed")


def test_a_shard_s_images_are_known_by_their_bytes_and_pixels(
    shards: Path, images: Path, tmp_path: Path
) -> None:
    found = list_shard_images(str(shards / "part-1.tar"))
    assert [(Path(name).name, pixels) for name, pixels in found] == [
        (f"{number:02}.png", (20 + number) * 30) for number in range(6, 12)
    ]
    for name, _ in found:
        slot = parse_slot(name)
        assert slot is not None
        assert extract_image(slot, tmp_path).read_bytes() == (images / slot.member).read_bytes()
    assert parse_slot(str(images / "01.png")) is None


def test_shards_stand_wherever_images_do(shards: Path, images: Path, s3: str) -> None:
    one, two = (str(shards / f"part-{number}.tar") for number in (0, 1))
    everything = {name: pixels for shard in (one, two) for name, pixels in list_shard_images(shard)}
    (shards / "list.txt").write_text("part-0.tar\npart-1.tar\n")
    for given in (
        [str(shards)],
        [one, two],
        [str(shards / "part-*.tar")],
        [str(shards / "list.txt")],
    ):
        assert find_sources(given) == everything
    assert len(find_sources([str(shards), str(images)])) == 24
    open_store(f"{s3}/shards").take([Path(one), Path(two)])
    for given in (f"{s3}/shards", f"{s3}/shards/*.tar"):
        assert list(find_sources([given]).values()) == list(everything.values())


def test_one_stem_in_two_shards_is_refused(
    model: Path, shards: Path, images: Path, tmp_path: Path
) -> None:
    subprocess.run(["tar", "-cf", shards / "part-2.tar", "-C", images, "07.png"], check=True)
    with pytest.raises(
        ConfigError, match=r"part-1\.tar#\d+\+\d+/07\.png and .*part-2\.tar#512\+\d+/07\.png would"
    ):
        predict_on_cluster(
            JobSpec(model, [str(shards)], str(tmp_path / "out")), Cluster("127.0.0.1:1")
        )


def test_what_is_no_shard_is_named(shards: Path, tmp_path: Path) -> None:
    whole = (shards / "part-0.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:3000])
    (tmp_path / "text.tar").write_bytes(b"no tar file" * 100)
    with tarfile.open(tmp_path / "poor.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("readme.txt"), io.BytesIO())
    for name, said in (
        ("cut", "cannot be read as a shard"),
        ("text", "cannot be read as a shard"),
        ("absent", "No such file"),
        ("poor", "no images in"),
    ):
        with pytest.raises(DataError, match=rf"{name}\.tar.*{said}|{said}.*{name}\.tar"):
            find_sources([str(tmp_path / f"{name}.tar")])
    with pytest.raises(DataError, match="compressed shard"):
        find_sources([str(tmp_path / "a.tar.gz")])


def test_a_shard_that_has_changed_since_is_an_image_that_cannot_be_read(
    shards: Path, tmp_path: Path
) -> None:
    slot = parse_slot(list_shard_images(str(shards / "part-0.tar"))[-1][0])
    assert slot is not None
    (shards / "part-0.tar").write_bytes((shards / "part-0.tar").read_bytes()[: slot.offset + 5])
    with pytest.raises(ImageError, match=r"ends before 05\.png"):
        extract_image(slot, tmp_path)
    (shards / "part-0.tar").unlink()
    with pytest.raises(ImageError, match="cannot be read"):
        extract_image(slot, tmp_path)
