"""What numbers a TIFF holds, by its header alone: for files that cannot be decoded."""

import struct
from pathlib import Path

# Numbers of a tag's type: bytes, and struct's letter.
_TYPES = {1: (1, "B"), 3: (2, "H"), 4: (4, "I"), 16: (8, "Q")}
_BITS = 258
_SAMPLES = 277
_SAMPLE_FORMAT = 339
_KINDS = {1: "whole numbers", 2: "whole numbers", 3: "floating point numbers"}
# A header that lists more tags than this is damaged.
_MAX_TAGS = 4096


def describe_samples(path: Path) -> str:
    """The numbers of a TIFF in words, such as `64-bit whole numbers`; empty for any other file."""
    try:
        with path.open("rb") as file:
            tags = _read_tags(file.read(1 << 20))
    except (OSError, struct.error, KeyError, IndexError):
        return ""
    if _BITS not in tags:
        return ""
    bands = tags.get(_SAMPLES, 1)
    kind = _KINDS.get(tags.get(_SAMPLE_FORMAT, 1), "complex numbers")
    text = f"{tags[_BITS]}-bit {kind}"
    return text if bands == 1 else f"{text} in {bands} bands"


def _read_tags(data: bytes) -> dict[int, int]:
    """The first number of each tag of a TIFF or BigTIFF; nothing of another file."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return {}
    (version,) = struct.unpack_from(f"{order}H", data, 2)
    if version not in (42, 43):
        return {}
    big = version == 43
    (start,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, 8 if big else 4)
    (count,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, start)
    first = start + (8 if big else 2)
    width = 20 if big else 12
    tags = {}
    for index in range(min(count, _MAX_TAGS)):
        tag, number = _read_tag(data, first + index * width, order, big=big)
        if number is not None:
            tags[tag] = number
    return tags


def _read_tag(
    data: bytes,
    place: int,
    order: str,
    *,
    big: bool,
) -> tuple[int, int | None]:
    tag, type = struct.unpack_from(f"{order}HH", data, place)
    if type not in _TYPES:
        return tag, None
    size, letter = _TYPES[type]
    (count,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, place + 4)
    value = place + (12 if big else 8)
    # What does not fit into the entry stands elsewhere in the file.
    if count * size > (8 if big else 4):
        (value,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, value)
    (number,) = struct.unpack_from(f"{order}{letter}", data, value)
    return tag, int(number)
