"""Shards of WebDataset: tar files in which an image and its mask are called alike up to the first
dot, as 0001.jpg and 0001.mask.png.

Source: the documentation of WebDataset, its file format.
"""

import re
import tarfile
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path, PurePosixPath

from pixelwise.datasets.index import Index
from pixelwise.datasets.readers.packed import Archives, Sample, choose_pair
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError
from pixelwise.io.image_formats import STREAMED_SUFFIXES

LAYOUT = "train-000000.tar with x.jpg and x.mask.png (WebDataset)"


def matches(root: Path) -> bool:
    """Whether shards lie at `root` or beneath it."""
    return bool(_ARCHIVES.list(root))


def index(root: Path, options: DataOptions) -> Index:
    """The pictures of the shards. Raises DataError for what is no such shard."""
    return _ARCHIVES.index(root, options)


def _read_shard(path: Path) -> Iterator[Sample]:
    """The samples of a shard, whose members follow each other."""
    names = set[str]()
    try:
        with tarfile.open(path) as tar:
            for name, members in groupby(_list_pictures(tar), key=lambda row: row[0]):
                if name in names:
                    raise DataError(
                        f"{path}: the members of sample {name} do not follow each other; sort the "
                        "files by name when you make the shard"
                    )
                names.add(name)
                pictures = {kind: tar.extractfile(member) for _, kind, member in members}
                data = {kind: file.read() for kind, file in pictures.items() if file}
                yield _make_sample(name, data, path)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as a tar file ({error}); get it again") from error


def _list_pictures(tar: tarfile.TarFile) -> Iterator[tuple[str, str, tarfile.TarInfo]]:
    """Sample, ending and member of each picture."""
    for member in tar:
        name = PurePosixPath(member.name)
        stem, _, kind = name.name.partition(".")
        is_picture = f".{kind.rpartition('.')[2].lower()}" in STREAMED_SUFFIXES
        if member.isreg() and stem and is_picture:
            sample = "_".join((*name.parent.parts, stem))
            yield re.sub(r"([^\w-]|_)+", "_", sample), kind.lower(), member


def _make_sample(name: str, pictures: Mapping[str, bytes], path: Path) -> Sample:
    pair = choose_pair(list(pictures))
    if pair is None:
        raise DataError(
            f"{path}: sample {name} has the pictures {', '.join(pictures)}, of which one must be "
            "the image and one its mask; call them such as jpg and mask.png"
        )
    return Sample(name, pictures[pair[0]], pictures[pair[1]])


_ARCHIVES = Archives("webdataset", LAYOUT, (".tar", ".tar.gz", ".tgz"), _read_shard)
