"""Raw frames with their times as a Matroska stream, which every ffmpeg and player can read: each
frame in a cluster of its own (RFC 9559). No codec is needed for it.
"""

# IDs of RFC 8794 and RFC 9559.
_EBML = "1A45DFA3"
_SEGMENT = "18538067"
_INFO = "1549A966"
_TRACKS = "1654AE6B"
_CLUSTER = "1F43B675"

# Of a length that is not known yet.
_OPEN = b"\x01" + b"\xff" * 7
_MARK_LENGTH = 1 << 56

# Times are in nanoseconds.
SECOND = 1_000_000_000


def stream_header(height: int, width: int) -> bytes:
    """What stands before the first frame."""
    ebml = _element(
        _EBML,
        _number("4286", 1) + _number("42F7", 1) + _number("42F2", 4) + _number("42F3", 8),
        _element("4282", b"matroska") + _number("4287", 4) + _number("4285", 2),
    )
    info = _element(_INFO, _number("2AD7B1", 1), _text("4D80"), _text("5741"))
    size = _number("B0", width) + _number("BA", height)
    picture = _element("E0", size, _element("2EB524", b"RGB\x18"))  # rawvideo's name for RGB
    track = _element(
        "AE",
        _number("D7", 1) + _number("73C5", 1) + _number("83", 1) + _number("9C", 0),
        _element("86", b"V_UNCOMPRESSED"),
        picture,
    )
    return ebml + bytes.fromhex(_SEGMENT) + _OPEN + info + _element(_TRACKS, track)


def frame_header(time: int, duration: int, size: int) -> bytes:
    """What stands before the `size` bytes of a frame, whose time and duration are nanoseconds."""
    lasts = _number("9B", duration)
    block = (
        bytes.fromhex("A1") + _length(4 + size) + b"\x81\0\0\0"
    )  # track 1, at the cluster's time
    group = bytes.fromhex("A0") + _length(len(lasts) + len(block) + size) + lasts + block
    begin = _number("E7", time)
    return bytes.fromhex(_CLUSTER) + _length(len(begin) + len(group) + size) + begin + group


def _element(name: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes.fromhex(name) + _length(len(body)) + body


def _number(name: str, value: int) -> bytes:
    return _element(name, value.to_bytes(8, "big"))


def _text(name: str) -> bytes:
    return _element(name, b"pixelwise")


def _length(size: int) -> bytes:
    return (_MARK_LENGTH | size).to_bytes(8, "big")
