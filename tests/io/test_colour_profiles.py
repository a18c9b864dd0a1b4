import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from pixelwise.io.colour_profiles import apply_gamma, find_gamma, to_srgb

RGB = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
# sRGB's colourants as green, blue, red: (r, g, b) means (g, b, r) of sRGB.
ROTATED = (
    (0.38515, 0.71687, 0.09708),
    (0.14307, 0.06061, 0.71393),
    (0.43607, 0.22249, 0.01392),
)


def profile(kind: bytes, tags: dict[bytes, bytes]) -> bytes:
    """An ICC profile (version 2.4) of a display."""
    text = b"made up\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0made up\0",
        b"wtpt": xyz((0.9642, 1, 0.8249)),
        **tags,
    }
    start = 128 + 4 + 12 * len(tags)
    table = struct.pack(">I", len(tags))
    body = b""
    for name, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += padded
    head = struct.pack(">I", start + len(body)) + bytes(4) + b"\x02\x40\0\0mntr" + kind + b"XYZ "
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += xyz((0.9642, 1, 0.8249))[8:]
    return head.ljust(128, b"\0") + table + body


def xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)


def curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def rgb_profile(colourants: tuple[tuple[float, ...], ...], gamma: float) -> bytes:
    tags = {name: xyz(c) for name, c in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colourants, strict=True)}
    return profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve(gamma)))


def test_colours_are_those_that_the_profile_means() -> None:
    image = Image.fromarray(np.array([[(255, 0, 0), (0, 255, 0), (0, 0, 255)]], np.uint8))
    converted, notes = to_srgb(image, rgb_profile(ROTATED, 2.2))
    expected = [[0, 255, 0], [0, 0, 255], [255, 0, 0]]
    assert np.abs(np.asarray(converted)[0].astype(int) - expected).max() <= 3
    assert [str(note) for note in notes] == [
        "in the colours of a profile (made up), converted to sRGB"
    ]


def test_conversion_and_its_reverse_give_the_picture_back() -> None:
    raw = rgb_profile(ROTATED, 1.8)
    source = ImageCms.getOpenProfile(__import__("io").BytesIO(raw))
    srgb = ImageCms.createProfile("sRGB")
    stored = ImageCms.profileToProfile(Image.fromarray(RGB), srgb, source)
    assert stored is not None
    converted, _ = to_srgb(stored, raw)
    assert np.abs(np.asarray(converted).astype(int) - RGB).max() <= 3
    assert np.abs(np.asarray(stored).astype(int) - RGB).mean() > 10


def test_srgb_profiles_leave_every_pixel_as_it_is() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(RGB)
    converted, notes = to_srgb(image, srgb)
    assert converted is image
    assert notes == ()


def test_a_grey_profile_of_gamma_1_brightens() -> None:
    grey = Image.fromarray(np.array([[0, 55, 255]], np.uint8))
    converted, _ = to_srgb(grey, profile(b"GRAY", {b"kTRC": curve(1.0)}))
    assert converted.mode == "L"
    # sRGB's encoding of 55 / 255 is 1.055 * .2157 ** (1 / 2.4) - .055 = .502
    assert np.abs(np.asarray(converted)[0].astype(int) - [0, 128, 255]).max() <= 1


@pytest.mark.parametrize("raw", [b"no profile", profile(b"GRAY", {b"kTRC": curve(1.0)})])
def test_a_profile_that_is_damaged_or_of_another_space_is_ignored_and_said(raw: bytes) -> None:
    image = Image.fromarray(RGB)
    converted, notes = to_srgb(image, raw)
    assert np.array_equal(np.asarray(converted), RGB)
    assert [note.done for note in notes] == ["read without it"]


def test_lab_and_cmyk_become_rgb() -> None:
    lab = ImageCms.profileToProfile(
        Image.fromarray(RGB),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert lab is not None
    converted, _ = to_srgb(lab, None)
    assert np.abs(np.asarray(converted).astype(int) - RGB).mean() < 3
    cmyk = Image.fromarray(RGB).convert("CMYK")
    plain, notes = to_srgb(cmyk, None)
    assert np.array_equal(np.asarray(plain), np.asarray(cmyk.convert("RGB")))
    assert [note.type for note in notes] == ["image-cmyk"]


def test_a_gamma_unlike_that_of_srgb_is_applied() -> None:
    image = Image.fromarray(np.array([[0, 55, 255]], np.uint8))
    image.format = "PNG"
    image.info["gamma"] = 1.0
    assert np.asarray(apply_gamma(image, find_gamma(image))).tolist() == [[0, 127, 255]]
    for gamma, more in ((0.45455, {}), (1.0, {"srgb": 0}), (1.0, {"icc_profile": b"x"})):
        image.info = {"gamma": gamma, **more}
        assert find_gamma(image) == 1
