"""WebDataset shards: tar files of images, on disks and in stores, read from the middle.

An image in one is named SHARD.tar#OFFSET+SIZE/MEMBER by the bytes it takes there, so that a worker
needs neither the rest of the shard nor its index.
"""

import io
import re
import tarfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from pixelwise.errors import DataError, ImageError, PixelwiseError
from pixelwise.io.image_formats import STREAMED_SUFFIXES
from pixelwise.io.images import pixel_count
from pixelwise.io.storage import filesystem, is_uri, retry

SHARDS = ".tar"
PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")

# Pixels that an image counts whose header tells none; reading it will say what is wrong.
UNKNOWN = 1_000_000

# Bytes read of an image for its pixels.
HEADER = 1 << 16

_NAMED = re.compile(r"(.+\.tar)#(\d+)\+(\d+)/(.+)", re.IGNORECASE | re.DOTALL)


class Slot(NamedTuple):
    """Where an image lies in a shard."""

    shard: str
    offset: int
    size: int
    member: str


def parse_slot(image: str) -> Slot | None:
    """What an image's name says of a shard; None where it is a file or an object of its own."""
    match = _NAMED.fullmatch(image)
    if match is None:
        return None
    shard, offset, size, member = match.groups()
    return Slot(shard, int(offset), int(size), member)


def list_shard_images(shard: str) -> list[tuple[str, int]]:
    """The images of a shard by their names, with their pixels.

    As in WebDataset a member's name up to the first dot is its sample's, and what follows says what
    it is: `7.jpg` is an image, `7.seg.png` is none. Raises DataError for what cannot be read as a
    tar file and where no image is in it.
    """
    if shard.lower().endswith(PACKED):
        raise DataError(
            f"{shard}: a compressed shard cannot be read from the middle; unpack it to .tar"
        )
    try:
        with _opened(shard) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            images = [_named(shard, file, member) for member in tar if _is_image(member)]
    except Exception as error:  # what stores raise has no base class but Exception
        raise DataError(
            f"{shard}: cannot be read as a shard ({error}); give a whole, uncompressed .tar"
        ) from error
    if not images:
        raise DataError(f"no images in {shard}; give a .tar with members such as 000001.jpg")
    return images


def extract_image(slot: Slot, folder: Path) -> Path:
    """Copy an image to `folder`. Raises ImageError where its shard is not there or is another, and
    as `fetch`.
    """
    try:
        if is_uri(slot.shard):
            span = {"start": slot.offset, "end": slot.offset + slot.size}
            data = retry(lambda: filesystem(slot.shard).cat_file(slot.shard, **span))
        else:
            with Path(slot.shard).open("rb") as file:
                file.seek(slot.offset)
                data = file.read(slot.size)
    except PixelwiseError:
        raise
    except Exception as error:
        raise ImageError(f"{slot.shard}: cannot be read ({error})") from error
    if len(data) != slot.size:
        raise ImageError(
            f"{slot.shard}: ends before {slot.member}; it was another when the job began"
        )
    path = folder / PurePosixPath(slot.member).name
    path.write_bytes(data)
    return path


def _opened(shard: str) -> BinaryIO:
    """For reading here and there: of a store's object what is asked for and a header's length
    on.
    """
    if not is_uri(shard):
        return Path(shard).open("rb")
    file: BinaryIO = filesystem(shard).open(shard, "rb", block_size=HEADER, cache_type="readahead")
    return file


def _is_image(member: tarfile.TarInfo) -> bool:
    name = PurePosixPath(member.name).name
    plain = member.isreg() and not member.issparse() and not name.startswith(".")
    return plain and f".{name.partition('.')[2].lower()}" in STREAMED_SUFFIXES


def _named(shard: str, file: BinaryIO, member: tarfile.TarInfo) -> tuple[str, int]:
    file.seek(member.offset_data)
    header = io.BytesIO(file.read(min(member.size, HEADER)))
    return f"{shard}#{member.offset_data}+{member.size}/{member.name}", pixel_count(
        header
    ) or UNKNOWN
