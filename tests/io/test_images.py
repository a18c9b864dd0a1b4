import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from pixelwise.errors import ImageError
from pixelwise.io.channels import ReadingRule
from pixelwise.io.images import (
    oriented_size,
    read_picture,
    read_rgb,
)

Encode = Callable[..., bytes]
RGB = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def read_notes(path: Path) -> list[str]:
    return [str(note) for note in read_picture(path).notes if note.what]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    turns = {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: np.rot90(RGB, -1),
        7: RGB[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(RGB),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.png"
    Image.fromarray(RGB).save(path, exif=exif)
    assert np.array_equal(read_rgb(path), turns[orientation])


@pytest.mark.parametrize("mode", ["L", "LA", "1", "P", "RGBA", "CMYK"])
def test_other_modes_become_rgb_of_the_same_size(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "image.tif"
    Image.fromarray(RGB).convert(mode).save(path)
    rgb = read_rgb(path)
    assert rgb.shape == (5, 7, 3)
    assert rgb.dtype == np.uint8
    if mode in ("L", "LA", "1"):
        assert np.array_equal(rgb[..., 0], rgb[..., 2])
    if mode == "RGBA":
        assert np.array_equal(rgb, RGB)
        assert read_notes(path) == []


def test_16_bit_grey_keeps_its_upper_8_bits(tmp_path: Path) -> None:
    grey = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    path = tmp_path / "grey16.png"
    Image.fromarray(grey).save(path)
    assert read_rgb(path)[..., 1].tolist() == [[0, 0, 1, 255]]
    assert read_notes(path) == []


@pytest.mark.parametrize(
    ("bits", "done"), [(10, "scaled from 10 bits"), (12, "scaled from 12 bits")]
)
@pytest.mark.parametrize("kind", ["grey.png", "grey.tif", "rgb.png", "rgb.tif", "signed.tif"])
def test_a_camera_of_few_bits_gives_the_same_picture_as_8_bits(
    tmp_path: Path, png16: Encode, tiff: Encode, kind: str, bits: int, done: str
) -> None:
    eight = np.concatenate([RGB, np.full((1, 7, 3), 255, np.uint8)])
    eight = eight[..., :1] if kind.startswith(("grey", "signed")) else eight
    deep = eight.astype(np.int16 if kind == "signed.tif" else np.uint16) << (bits - 8)
    path = tmp_path / kind
    path.write_bytes(png16(deep) if kind.endswith("png") else tiff(deep))
    assert np.array_equal(read_rgb(path), np.broadcast_to(eight, (6, 7, 3)))
    assert read_notes(path) == [f"of 16 bits with values to {255 << (bits - 8)}, {done}"]
    with Image.open(path) as image:
        assert np.array_equal(read_rgb(image), read_rgb(path)), "an image of PIL, not decoded yet"
    assert np.array_equal(read_rgb(path.read_bytes()), read_rgb(path))


def test_8_bits_in_a_container_of_16_are_read_as_they_are(tmp_path: Path, tiff: Encode) -> None:
    values = np.array([[[43], [100], [209]]], np.uint16)
    path = tmp_path / "dark.tif"
    path.write_bytes(tiff(values))
    assert read_rgb(path)[0, :, 0].tolist() == [43, 100, 209]
    assert read_notes(path) == ["of 16 bits with values to 209, read as 8 bits"]


def test_the_depth_of_a_set_goes_before_that_of_a_file(tmp_path: Path, tiff: Encode) -> None:
    path = tmp_path / "short.tif"
    path.write_bytes(tiff(np.array([[[160], [992]]], np.uint16)))
    assert read_rgb(path)[0, :, 0].tolist() == [40, 248]
    assert read_rgb(path, ReadingRule(12))[0, :, 0].tolist() == [10, 62]


def test_four_bands_of_16_bits_are_read_by_the_first_three(tmp_path: Path, tiff: Encode) -> None:
    eight = np.concatenate([RGB, RGB[..., :1]], axis=2)
    path = tmp_path / "bands.tif"
    path.write_bytes(tiff(eight.astype(np.uint16) << 4, tags={338: (0,)}))
    assert np.array_equal(read_rgb(path), RGB)
    assert read_notes(path) == [
        f"of 16 bits with values to {int(RGB.max()) << 4}, scaled from 12 bits",
        "with 4 bands, read by the first three",
    ]
    path.write_bytes(tiff(eight, tags={338: (0,)}))
    assert np.array_equal(read_rgb(path), RGB)
    assert read_notes(path) == ["with 4 bands, read by the first three"]


def test_near_infrared_that_is_called_alpha_hides_nothing(tmp_path: Path, tiff: Encode) -> None:
    rng = np.random.default_rng(0)
    bands = rng.integers(0, 256, (64, 64, 4), dtype=np.uint8)
    path = tmp_path / "naip.tif"
    for deep in (bands, bands.astype(np.uint16) * 257):
        path.write_bytes(tiff(deep, tags={338: (2,)}))
        assert np.array_equal(read_rgb(path), bands[..., :3])
        assert read_notes(path) == ["with 4 bands, read by the first three"]


def test_three_bands_that_no_tag_calls_colours_are_rgb(tmp_path: Path, tiff: Encode) -> None:
    path = tmp_path / "gdal.tif"
    path.write_bytes(tiff(RGB.astype(np.uint16) * 257, tags={262: (1,), 338: (0, 0)}))
    assert np.array_equal(read_rgb(path), RGB)


def test_colours_stored_band_by_band_are_all_read(tmp_path: Path, tiff: Encode) -> None:
    path = tmp_path / "planar.tif"
    path.write_bytes(tiff(RGB.astype(np.uint16) * 257, planar=True))
    assert np.array_equal(read_rgb(path), RGB)
    path.write_bytes(tiff(RGB, planar=True, tags={262: (1,), 338: (0, 0)}))
    assert np.array_equal(read_rgb(path), RGB), "three bands that no tag calls colours"


def test_premultiplied_colours_of_16_bits_are_divided_before_they_are_put_on_white(
    tmp_path: Path, tiff: Encode
) -> None:
    # a red of .8 at half opacity, stored as .4, is seen as .9 with .5 of green and blue
    half = np.array([[[26214, 0, 0, 32768], [65535, 0, 0, 65535]]], np.uint16)
    path = tmp_path / "premultiplied.tif"
    path.write_bytes(tiff(half, tags={338: (1,)}))
    seen = read_rgb(path)[0].astype(int)
    assert np.abs(seen - [[229, 127, 127], [255, 0, 0]]).max() <= 1


def test_a_turned_tiff_of_16_bit_colours_is_upright(tmp_path: Path, tiff: Encode) -> None:
    path = tmp_path / "turned.tif"
    path.write_bytes(tiff(RGB.astype(np.uint16) * 257, tags={274: (6,)}))
    assert np.array_equal(read_rgb(path), np.rot90(RGB, -1))
    path.write_bytes(tiff(RGB[..., :2], tags={274: (6,)}))
    assert np.array_equal(read_rgb(path)[..., 0], np.rot90(RGB[..., 0], -1))


def test_a_raw_file_of_a_camera_is_not_read_by_its_preview(tmp_path: Path, tiff: Encode) -> None:
    path = tmp_path / "photo.tif"
    path.write_bytes(tiff(RGB, tags={254: (1,), 330: (8,)}))
    with pytest.raises(ImageError, match=r"photo\.tif: is a camera's raw file"):
        read_rgb(path)


def test_what_no_rule_brings_to_8_bits_is_refused_by_name(tmp_path: Path, tiff: Encode) -> None:
    six = np.zeros((4, 4, 6), np.uint16)
    for values, reason in (
        (np.zeros((4, 4, 1), np.float32), "floating point numbers"),
        (np.array([[[-5], [300]]], np.int16), "holds 16-bit integers from -5 to 300"),
        (np.array([[[-3], [90]]], np.int8), "holds 8-bit integers from -3 to 90"),
        (np.array([[[0], [70000]]], np.int32), "holds 32-bit integers from 0 to 70000"),
        (np.array([[[0], [2**32 - 1]]], np.uint32), "holds 32-bit integers from 0 to 4294967295"),
        (six, "has 6 bands; give 1 band"),
    ):
        path = tmp_path / "odd.tif"
        path.write_bytes(tiff(values))
        with pytest.raises(ImageError, match=f"odd.tif: .*{reason}"):
            read_rgb(path)


def test_integers_of_32_bits_in_a_modest_range_are_read(tmp_path: Path, tiff: Encode) -> None:
    path = tmp_path / "wide.tif"
    path.write_bytes(tiff(np.array([[[0], [2048], [4080]]], np.int32)))
    assert read_rgb(path)[0, :, 0].tolist() == [0, 128, 255]
    assert read_notes(path) == ["of 32 bits with values to 4080, scaled from 12 bits"]


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_white_that_is_stored_as_zero_is_white(tmp_path: Path, tiff: Encode, bits: int) -> None:
    path = tmp_path / "inverted.tif"
    if bits == 1:
        Image.fromarray(np.array([[True, False]])).save(path, tiffinfo={262: 0})
        with Image.open(path) as image:
            assert image.tag_v2[262] == 0  # type: ignore[attr-defined]
        expected = [255, 0]
    else:
        values = np.array([[[0], [4095]]], np.uint16) if bits == 16 else np.array([[[0], [200]]])
        path.write_bytes(
            tiff(values.astype(np.uint16 if bits == 16 else np.uint8), tags={262: (0,)})
        )
        expected = [255, 0] if bits == 16 else [255, 55]
    assert read_rgb(path)[0, :, 0].tolist() == expected


def test_the_maximum_that_a_tag_promises_counts(tmp_path: Path, tiff: Encode) -> None:
    values = np.array([[[16], [1008]]], np.uint16)
    for tag in (281, 341):
        path = tmp_path / "promised.tif"
        path.write_bytes(tiff(values, tags={tag: (4095,)}))
        assert read_rgb(path)[0, :, 0].tolist() == [1, 63]
    path.write_bytes(tiff(values, tags={281: (65535,)}))
    assert read_rgb(path)[0, :, 0].tolist() == [4, 252], "that of the container says nothing"


def test_the_significant_bits_of_a_png_count_where_values_are_not_scaled_up(
    tmp_path: Path, png16: Encode
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png16(np.array([[[16], [1008]]], np.uint16), (b"sBIT", bytes([12]))))
    assert read_rgb(path)[0, :, 0].tolist() == [1, 63]
    path.write_bytes(png16(np.array([[[256], [65520]]], np.uint16), (b"sBIT", bytes([12]))))
    assert read_rgb(path)[0, :, 0].tolist() == [1, 255]


@pytest.mark.parametrize("maximum", [1023, 4095, 65535])
@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
def test_the_maximum_of_a_pgm_is_its_range(tmp_path: Path, kind: str, maximum: int) -> None:
    colours = 3 if kind in ("P3", "P6") else 1
    values = np.array([0, maximum // 4, maximum]).repeat(colours)
    body = values.astype(">u2").tobytes()
    if kind in ("P2", "P3"):
        body = b" ".join(str(value).encode() for value in values)
    path = tmp_path / "a.pnm"
    path.write_bytes(f"{kind}\n# made up\n3 1\n{maximum}\n".encode() + body)
    assert read_rgb(path)[0, :, 0].tolist() == [0, 63, 255]
    assert read_notes(path) == []


def test_12_bits_in_a_pgm_that_declares_16_are_scaled(tmp_path: Path) -> None:
    path = tmp_path / "a.ppm"
    values = np.array([0, 2048, 4095] * 2, ">u2")
    path.write_bytes(b"P6 2 1 65535\n" + values.tobytes())
    assert read_rgb(path).tolist() == [[[0, 128, 255]] * 2]
    path.write_bytes(b"P6 2 1 65535\n" + values.tobytes()[:-2])
    with pytest.raises(ImageError, match="truncated"):
        read_rgb(path)


@pytest.mark.parametrize("colours", [1, 3])
def test_jpeg_2000_of_16_bits(tmp_path: Path, colours: int) -> None:
    path = tmp_path / "a.jp2"
    if colours == 3:
        Image.fromarray(RGB).save(path)
        assert np.array_equal(read_rgb(path), RGB)
        return
    values = np.array([[0, 1024, 4080] * 8] * 8, np.uint16)
    Image.fromarray(values).save(path, irreversible=False)
    assert read_rgb(path)[0, :3, 0].tolist() == [0, 64, 255]


def test_transparent_parts_are_white_whatever_hides_beneath(tmp_path: Path, png16: Encode) -> None:
    alpha = np.where(np.arange(7) < 3, 0, 255).astype(np.uint8)
    seen = RGB.copy()
    seen[:, :3] = 255
    rgba = np.dstack([RGB, np.broadcast_to(alpha, (5, 7))])
    for name in ("a.png", "a.webp", "a.tif"):
        path = tmp_path / name
        Image.fromarray(rgba).save(path, **({"lossless": True} if name == "a.webp" else {}))
        assert np.array_equal(read_rgb(path), seen), name
        assert read_notes(path) == ["with transparent parts, put on white"]
    path = tmp_path / "deep.png"
    path.write_bytes(png16(rgba.astype(np.uint16) * 257))
    assert np.array_equal(read_rgb(path), seen)
    path.write_bytes(png16(rgba[..., [0, 3]].astype(np.uint16) << 4))
    assert np.array_equal(read_rgb(path)[..., 0], seen[..., 0]), "grey and alpha of 12 bits"
    path = tmp_path / "grey.png"
    Image.fromarray(rgba[..., [0, 3]]).save(path)
    assert np.array_equal(read_rgb(path)[..., 0], seen[..., 0])
    assert np.array_equal(read_rgb(Image.fromarray(rgba)), seen)


def test_a_transparent_colour_of_a_png_is_white(tmp_path: Path, png16: Encode) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.array([[(1, 2, 3), (4, 5, 6)]], np.uint8)).save(path, transparency=(1, 2, 3))
    assert read_rgb(path).tolist() == [[[255] * 3, [4, 5, 6]]]
    deep = np.array([[(256, 512, 768), (65535, 0, 0)]], np.uint16)
    colour = deep[0, 0].astype(">u2").tobytes()
    path.write_bytes(png16(deep, (b"tRNS", colour)))
    assert read_rgb(path).tolist() == [[[255] * 3, [255, 0, 0]]]
    grey = np.array([[[256], [65535]]], np.uint16)
    path.write_bytes(png16(grey, (b"tRNS", grey[0, 0].astype(">u2").tobytes())))
    assert read_rgb(path)[0, :, 0].tolist() == [255, 255]
    assert len(read_notes(path)) == 1


def test_16_bit_grey_with_a_gamma_is_brightened_before_bits_are_cut(
    tmp_path: Path, png16: Encode
) -> None:
    path = tmp_path / "linear.png"
    linear = np.array([[[0], [200], [65535]]], np.uint16)
    path.write_bytes(png16(linear, (b"gAMA", struct.pack(">I", 100_000))))
    # 255 * (200 / 65535) ** (1 / 2.2) = 18.3, of which the upper 8 bits hold nothing
    assert read_rgb(path)[0, :, 0].tolist() == [0, 18, 255]
    assert read_notes(path) == ["of another gamma than sRGB, converted to it"]


@pytest.mark.parametrize("suffix", ["tif", "gif", "webp", "png"])
def test_of_several_frames_the_first_is_read_and_it_is_said(tmp_path: Path, suffix: str) -> None:
    first = np.zeros((20, 30, 3), np.uint8)
    first[:10] = (255, 0, 0)
    frames = [Image.fromarray(np.roll(first, step, axis=0)) for step in (0, 5, 10)]
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    assert np.array_equal(read_rgb(path), first)
    assert read_picture(path).frames == 3
    assert read_notes(path) == ["of up to 3 frames or pages, read by the first of them alone"]
    frames[0].save(path, save_all=True, **options)
    assert read_notes(path) == []


def test_further_pictures_of_an_mpo_are_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    picture = Image.fromarray(np.full((20, 30, 3), 90, np.uint8))
    picture.save(path, format="MPO", save_all=True, append_images=[picture])
    assert read_notes(path) == []


def test_pages_of_16_bit_colours_are_counted(tmp_path: Path, tiff: Encode) -> None:
    page = RGB.astype(np.uint16) * 257
    path = tmp_path / "stack.tif"
    path.write_bytes(tiff(page, page))
    assert read_notes(path) == ["of up to 2 frames or pages, read by the first of them alone"]
    assert np.array_equal(read_rgb(path), RGB)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_marker_is_whole_and_a_shorter_one_is_not(
    tmp_path: Path, photo: Path, progressive: bool
) -> None:
    whole = tmp_path / "whole.jpg"
    Image.open(photo).save(whole, progressive=progressive, quality=90)
    path = tmp_path / "cut.jpg"
    path.write_bytes(whole.read_bytes()[:-2])
    assert np.array_equal(read_rgb(path), read_rgb(whole))
    assert np.array_equal(read_rgb(path.read_bytes()), read_rgb(whole))
    assert read_notes(path) == [
        "without the end marker of JPEG, read whole, as all pixels are there"
    ]
    for missing in (10, 900):
        path.write_bytes(whole.read_bytes()[:-missing])
        with pytest.raises(ImageError, match="truncated"):
            read_rgb(path)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "jpg"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_every_format_is_turned_once_and_its_header_knows_the_size(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(RGB).save(path, exif=exif, **({"lossless": True} if suffix == "webp" else {}))
    with Image.open(path) as image:
        stored = np.asarray(image.convert("RGB")) if suffix == "jpg" else RGB
    turned = np.rot90(stored, -1) if orientation == 6 else stored[::-1, ::-1]
    assert np.array_equal(read_rgb(path), turned)
    assert oriented_size(path) == turned.shape[:2]


def test_colours_are_converted_to_srgb(tmp_path: Path) -> None:
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.createProfile("sRGB")
    smooth = Image.fromarray(np.full((4, 5, 3), (200, 100, 50), np.uint8))
    path = tmp_path / "lab.tif"
    converted = ImageCms.profileToProfile(smooth, srgb, lab, outputMode="LAB")
    assert converted is not None
    converted.save(path)
    assert np.abs(read_rgb(path).astype(int) - (200, 100, 50)).max() <= 3
    path = tmp_path / "srgb.png"
    Image.fromarray(RGB).save(path, icc_profile=ImageCms.ImageCmsProfile(srgb).tobytes())
    assert np.array_equal(read_rgb(path), RGB)
    assert read_notes(path) == []


def test_plain_pictures_are_read_bit_for_bit(tmp_path: Path, photo: Path) -> None:
    with Image.open(photo) as image:
        assert np.array_equal(read_rgb(photo), np.asarray(image.convert("RGB")))
    assert read_notes(photo) == []
