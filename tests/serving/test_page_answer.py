import base64
import gzip
import io
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from pixelwise.errors import ImageError
from pixelwise.inference.predictor import Result
from pixelwise.serving.page_answer import VIEW_PIXELS, answer, document, read_picture

NAMES, PALETTE = ("ground", "cat", "dog"), ((0, 0, 0), (250, 120, 0), (60, 60, 250))


def result(labels: np.ndarray, confidence: float = 0.75) -> Result:
    rgb = np.repeat((labels * 80)[:, :, None], 3, axis=2)
    return Result(rgb, labels, np.full(labels.shape, confidence, np.float32), NAMES, PALETTE)


def file_of(image: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind)
    return file.getvalue()


def promising(side: int) -> bytes:
    """A PNG of one pixel whose header promises side x side."""
    small = bytearray(file_of(Image.new("L", (1, 1)), "PNG"))
    small[16:24] = struct.pack(">II", side, side)
    small[29:33] = struct.pack(">I", zlib.crc32(small[12:29]))
    return bytes(small)


def plane(text: object) -> np.ndarray:
    return np.frombuffer(gzip.decompress(base64.b64decode(str(text))), np.uint8)


def test_the_viewer_gets_labels_and_confidence_as_they_are_and_a_mask_in_the_palette() -> None:
    labels = np.array([[0, 1, 1], [2, 2, 255]], np.uint8)
    sent = json.loads(json.dumps(answer(result(labels))))
    assert (sent["size"], sent["view"]) == ([2, 3], [2, 3])
    assert plane(sent["labels"]).tolist() == [0, 1, 1, 2, 2, 255]
    assert set(plane(sent["confidence"]).tolist()) == {191}  # of 255
    assert sent["classes"][1] == {"name": "cat", "colour": [250, 120, 0]}
    with Image.open(io.BytesIO(base64.b64decode(sent["mask"]))) as mask:
        assert mask.mode == "P"
        assert np.array_equal(np.asarray(mask), labels)
        assert mask.convert("RGB").getpixel((1, 0)) == (250, 120, 0)


def test_a_large_picture_is_shown_smaller_but_saved_whole() -> None:
    labels = np.zeros((2100, 2000), np.uint8)
    labels[:, 1000:] = 1
    sent = answer(result(labels))
    assert sent["view"] == (1050, 1000)
    assert 1050 * 1000 <= VIEW_PIXELS < labels.size
    assert plane(sent["labels"]).reshape(1050, 1000).mean() == 0.5
    with Image.open(io.BytesIO(base64.b64decode(str(sent["mask"])))) as mask:
        assert mask.size == (2000, 2100)
    with Image.open(io.BytesIO(base64.b64decode(str(sent["image"]).partition(",")[2]))) as photo:
        assert photo.size == (1000, 1050)


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.sampled_from([0, 1, 2, 255])))
def test_run_lengths_give_the_labels_back(labels: np.ndarray) -> None:
    told = document(result(labels))
    runs = told["runs"]
    assert isinstance(runs, dict)
    assert np.array_equal(np.repeat(runs["id"], runs["length"]).reshape(labels.shape), labels)


def test_the_data_names_each_class_with_its_share() -> None:
    told = document(result(np.array([[0, 1, 1, 1]], np.uint8)))
    assert told["classes"] == [
        {"id": 0, "name": "ground", "share": 0.25},
        {"id": 1, "name": "cat", "share": 0.75},
        {"id": 2, "name": "dog", "share": 0.0},
    ]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_the_usual_formats_are_read(kind: str) -> None:
    assert read_picture(file_of(Image.new("RGB", (5, 4), (200, 100, 0)), kind)).shape == (4, 5, 3)


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n", file_of(Image.new("RGB", (5, 4)), "PPM")]
)
def test_other_files_are_refused_with_the_formats_that_are_read(data: bytes) -> None:
    with pytest.raises(ImageError, match="JPEG, PNG, WEBP"):
        read_picture(data)


def test_a_cut_picture_and_one_of_too_many_pixels_are_refused() -> None:
    whole = file_of(Image.effect_noise((64, 64), 50), "PNG")
    with pytest.raises(ImageError, match="cannot be read"):
        read_picture(whole[: len(whole) // 2])
    for side in (10_100, 30_000):  # PIL itself warns of the first and refuses the second
        with pytest.raises(ImageError, match="megapixels"):
            read_picture(promising(side))
