import io

import pytest

from pixelwise.io.y4m import copy_film, frame_bytes

HEADER = b"YUV4MPEG2 W5 H3 F25:1 C420jpeg\n"
FRAME = b"FRAME\n" + bytes(range(15 + 2 * 3 * 2))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("W5 H3", 15 + 12),
        ("W5 H3 C420mpeg2 XYSCSS=420MPEG2", 15 + 12),
        ("W5 H3 C422", 15 + 2 * 9),
        ("W5 H3 C444", 3 * 15),
        ("W5 H3 C444alpha", 4 * 15),
        ("W5 H3 C444p10 Ip", 2 * 45),
        ("W5 H3 Cmono", 15),
        ("W5 H3 Cmono16", 30),
        ("W5 H3 C411", 15 + 2 * 6),
        ("W5 H3 C999", 0),
        ("H3", 0),
    ],
)
def test_a_frame_has_the_bytes_of_its_planes(fields: str, expected: int) -> None:
    assert frame_bytes(fields) == expected


@pytest.mark.parametrize(
    ("film", "is_cut"),
    [
        (HEADER + 3 * FRAME, False),
        (HEADER + 2 * FRAME + FRAME[:-1], True),
        (HEADER + FRAME + b"FRAME\n", True),
        (HEADER, False),
        (b"", False),
        (b"another kind of film", False),
        (b"YUV4MPEG2 of no size\n" + FRAME[:9], False),
    ],
)
def test_all_is_copied_and_a_cut_frame_is_noticed(film: bytes, is_cut: bool) -> None:
    sink = io.BytesIO()
    assert copy_film(io.BytesIO(film), sink) == is_cut
    assert sink.getvalue() == film
