"""Films of plain frames, YUV4MPEG2 (Y4M): ffmpeg drops a last frame that is cut without a word, so
that what goes to it is counted here.
"""

import re
from typing import IO

MAGIC = b"YUV4MPEG2 "

_CHUNK = 1 << 20
_LONGEST_LINE = 4096
_FORMAT = re.compile(r"(mono|4\d\d)(alpha)?[a-z]*?(?:p?(\d+))?")
# By how many columns and rows each of the two planes of colour is smaller.
_SHRINK = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "411": (4, 1), "440": (1, 2)}


def copy_film(source: IO[bytes], sink: IO[bytes]) -> bool:
    """Copy all of `source`; whether that is a Y4M film that ends in the middle of a frame.

    `sink` gets what there is in any case. Raises OSError where it takes no more.
    """
    head = source.read(len(MAGIC))
    sink.write(head)
    if head == MAGIC:
        line = source.readline(_LONGEST_LINE)
        sink.write(line)
        size = frame_bytes(line.decode("ascii", "replace"))
        if size:
            return _copy_frames(source, sink, size)
    while chunk := source.read(_CHUNK):
        sink.write(chunk)
    return False


def frame_bytes(header: str) -> int:
    """Bytes of a frame by what stands behind MAGIC; 0 where that is not known."""
    fields = {word[0]: word[1:] for word in header.split()}
    match = _FORMAT.fullmatch(fields.get("C", "420"))
    try:
        width = int(fields.get("W", ""))
        height = int(fields.get("H", ""))
    except ValueError:
        return 0
    if match is None or (match[1] != "mono" and match[1] not in _SHRINK):
        return 0
    pixels = width * height * (2 if match[2] else 1)
    if match[1] != "mono":
        across, down = _SHRINK[match[1]]
        pixels += 2 * -(-width // across) * -(-height // down)
    return pixels * (2 if int(match[3] or 8) > 8 else 1)


def _copy_frames(source: IO[bytes], sink: IO[bytes], size: int) -> bool:
    """Copy frames of `size` bytes, each behind a line; whether the last one is cut."""
    while line := source.readline(_LONGEST_LINE):
        sink.write(line)
        left = size
        while left:
            chunk = source.read(min(left, _CHUNK))
            if not chunk:
                return True
            sink.write(chunk)
            left -= len(chunk)
    return False
