"""Masks to labels: by index, by exact colour, by alpha; nothing undeclared passes."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pixelwise.classes import VOID, voc_colormap
from pixelwise.datasets.mask_reader import (
    LabelError,
    LabelReader,
    MatteReader,
    index_lut,
)
from pixelwise.datasets.measure_pair import measure_mask
from pixelwise.datasets.pair_stats import MaskSource
from pixelwise.errors import ConfigError, ImageError

VOC = Path(__file__).parents[3] / "shared/data/voc/VOCdevkit/VOC2012"
INDEX = LabelReader(3, index_lut(3))
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 254))
COLOUR = LabelReader(3, index_lut(3), COLOURS, ((9, 9, 9),))
TURNED_LEFT = 6  # EXIF: show it turned clockwise by a quarter


def save(path: Path, array: object, mode: str | None = None) -> Path:
    image = Image.fromarray(np.asarray(array))
    (image.convert(mode) if mode else image).save(path)
    return path


def test_grey_masks_are_read_by_value(tmp_path: Path) -> None:
    raw = np.array([[0, 1, 2], [255, 2, 1]], np.uint8)
    labels = INDEX(save(tmp_path / "a.png", raw))
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, raw)


def test_palette_masks_are_read_by_index_whatever_their_colours(tmp_path: Path) -> None:
    raw = np.array([[0, 1], [2, 255]], np.uint8)
    image = Image.fromarray(raw)
    image.putpalette([7, 7, 7] * 256)
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(COLOUR(tmp_path / "a.png"), raw)


def test_16_bit_masks_are_read_as_numbers_and_not_cut_to_8_bits(tmp_path: Path) -> None:
    np.testing.assert_array_equal(
        INDEX(save(tmp_path / "a.png", np.array([[2, 1]], np.uint16))), [[2, 1]]
    )
    with pytest.raises(LabelError, match=r"value 257 in 1 pixel, the first at row 0, column 1"):
        INDEX(save(tmp_path / "b.png", np.array([[2, 257]], np.uint16)))


def test_1_bit_masks_hold_0_and_1(tmp_path: Path) -> None:
    np.testing.assert_array_equal(
        INDEX(save(tmp_path / "a.png", np.array([[False, True]]))), [[0, 1]]
    )


def test_lut_translates_and_names_void(tmp_path: Path) -> None:
    reader = LabelReader(2, index_lut(2, (11, 255)))
    np.testing.assert_array_equal(
        reader(save(tmp_path / "a.png", np.array([[0, 1, 11, 255]], np.uint8))),
        [[0, 1, VOID, VOID]],
    )


def test_an_illegal_value_is_told_with_file_count_place_and_what_is_allowed(tmp_path: Path) -> None:
    raw = np.zeros((5, 6), np.uint8)
    raw[2, 3] = raw[4, 0] = raw[4, 1] = 7
    raw[4, 5] = 9
    with pytest.raises(LabelError) as caught:
        INDEX(save(tmp_path / "a.png", raw))
    assert str(caught.value) == (
        f"{tmp_path / 'a.png'}: value 7 in 3 pixels, the first at row 2, column 3, is no "
        "class (one of 2 wrong values)"
        "; allowed are 0 to 2, and for void 255; correct the mask or declare the class"
    )


def test_an_illegal_colour_is_told_with_file_count_place_and_what_is_allowed(
    tmp_path: Path,
) -> None:
    raw = np.full((2, 4, 3), (255, 0, 0), np.uint8)
    raw[1, 2] = (255, 0, 1)
    with pytest.raises(LabelError) as caught:
        COLOUR(save(tmp_path / "a.png", raw))
    assert str(caught.value) == (
        f"{tmp_path / 'a.png'}: colour (255, 0, 1) in 1 pixel, the first at row 1, column 2, "
        "is no class; allowed are "
        "(0, 0, 254), (0, 255, 0), (255, 0, 0), and for void (9, 9, 9); correct the mask or "
        "declare the class"
    )


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    colours=st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=2, max_size=40, unique=True),
    seed=st.integers(0, 2**31),
    alpha=st.booleans(),
)
def test_any_colours_come_back_as_their_positions(
    tmp_path: Path, colours: list[tuple[int, int, int]], seed: int, alpha: bool
) -> None:
    *known, void = colours
    labels = np.random.default_rng(seed).integers(0, len(colours), (9, 7)).astype(np.uint8)
    path = save(tmp_path / "a.png", np.array(colours, np.uint8)[labels], "RGBA" if alpha else None)
    expected = np.where(labels == len(known), VOID, labels)
    reader = LabelReader(len(known), index_lut(len(known)), tuple(known), (void,))
    np.testing.assert_array_equal(reader(path), expected)


def test_grey_rgb_masks_count_as_numbers_where_no_colours_are_known(tmp_path: Path) -> None:
    raw = np.array([[0, 1, 2, 255]], np.uint8)
    np.testing.assert_array_equal(INDEX(save(tmp_path / "a.png", raw, "RGB")), raw)


def test_coloured_masks_without_known_colours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"first \(0, 9, 0\) at row 0, column 1, but no colours"):
        INDEX(save(tmp_path / "a.png", np.array([[[1, 1, 1], [0, 9, 0]]], np.uint8)))


def test_exif_orientation_of_a_mask_is_applied(tmp_path: Path) -> None:
    raw = np.array([[0, 1, 2], [2, 2, 0]], np.uint8)
    exif = Image.Exif()
    exif[0x0112] = TURNED_LEFT
    Image.fromarray(raw).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(INDEX(tmp_path / "a.png"), np.rot90(raw, -1))


def test_float_masks_and_broken_files_are_refused_as_images_not_as_labels(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"no picture")
    for path in (
        save(tmp_path / "a.tif", np.full((2, 2), 0.5, np.float32)),
        tmp_path / "b.png",
        tmp_path / "none.png",
    ):
        with pytest.raises(ImageError, match=str(path)) as caught:
            INDEX(path)
        assert not isinstance(caught.value, LabelError)


def test_readers_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(COLOUR)) == COLOUR
    assert pickle.loads(pickle.dumps(MatteReader(128))) == MatteReader(128)


def test_a_lut_of_another_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="lut has 3 entries; give 256"):
        LabelReader(3, (0, 1, 2))


@pytest.mark.parametrize("mode", ["L", "RGB", "LA", "RGBA", "P"])
def test_a_matte_is_person_from_the_threshold_on(tmp_path: Path, mode: str) -> None:
    alpha = np.array([[0, 1, 127, 128, 255]], np.uint8)
    path = save(tmp_path / "a.png", alpha, mode)
    np.testing.assert_array_equal(MatteReader(128)(path), [[0, 0, 0, 1, 1]])
    np.testing.assert_array_equal(MatteReader(1)(path), [[0, 1, 1, 1, 1]])


def test_a_cut_out_is_read_by_its_alpha_channel(tmp_path: Path) -> None:
    cut_out = np.array([[[200, 10, 10, 0], [3, 4, 5, 255]]], np.uint8)
    np.testing.assert_array_equal(MatteReader(128)(save(tmp_path / "a.png", cut_out)), [[0, 1]])


def test_a_matte_in_colours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"must be grey, but is \(5, 6, 7\) at row 0, column 0"):
        MatteReader()(save(tmp_path / "a.png", np.array([[[5, 6, 7]]], np.uint8)))


@pytest.mark.parametrize("threshold", [0, 256, -1])
def test_a_matte_threshold_outside_1_to_255_is_refused(threshold: int) -> None:
    with pytest.raises(ConfigError, match=f"threshold {threshold}: choose an alpha from 1 to 255"):
        MatteReader(threshold)


@pytest.mark.skipif(not VOC.is_dir(), reason="the VOC subset is not beside the repository")
def test_voc_masks_have_the_voc_palette_and_read_alike_as_colours(tmp_path: Path) -> None:
    reader = LabelReader(21, index_lut(21), voc_colormap(21), ((224, 224, 192),))
    for path in sorted((VOC / "SegmentationClass").glob("*.png"))[:3]:
        assert (measure_mask(path, MaskSource(), full=False)[0].palette or ())[:21] == voc_colormap(
            21
        )
        with Image.open(path) as image:
            raw = np.asarray(image)
            image.convert("RGB").save(tmp_path / path.name)
        assert 255 in raw
        np.testing.assert_array_equal(reader(path), raw)
        np.testing.assert_array_equal(reader(tmp_path / path.name), raw)
