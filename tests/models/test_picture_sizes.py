import json

import pytest

from pixelwise.classes import Classes
from pixelwise.errors import ModelError
from pixelwise.models.checkpoint import BUNDLED, Header, read_header
from pixelwise.models.config import ModelConfig
from pixelwise.models.picture_sizes import PictureSizes

PHOTOS = PictureSizes(side=400, smallest=300, largest=500, framed=True)
HEADER = Header(ModelConfig("unet", "resnet10t", 2), Classes.named(("a", "b")))


@pytest.mark.parametrize(
    ("size", "view"),
    [
        ((3000, 4000), (346, 462)),  # by 400 / sqrt(12,000,000)
        ((4000, 3000), (462, 346)),
        ((90, 160), (300, 533)),  # by 400 / 120
        ((300, 300), (300, 300)),
        ((500, 500), (500, 500)),
        ((501, 500), (400, 400)),
        ((1, 1_000_000), (1, 400_000)),
    ],
)
def test_a_photo_of_another_size_is_seen_at_the_median_side(
    size: tuple[int, int], view: tuple[int, int]
) -> None:
    assert PHOTOS.view_size(*size) == view


@pytest.mark.parametrize(
    ("framed", "format", "resized"),
    [
        (True, "JPEG", True),
        (True, "TIFF", True),
        (None, "JPEG", True),
        (None, "PNG", True),
        (None, "", True),
        (None, "TIFF", False),
        (None, "JPEG2000", False),
        (False, "JPEG", False),
        (False, "", False),
    ],
)
def test_what_things_do_in_larger_pictures_decides_and_else_the_format(
    framed: bool | None, format: str, resized: bool
) -> None:
    sizes = PictureSizes(400, 300, 500, framed)
    assert (sizes.view_size(2000, 2000, format=format) == (400, 400)) is resized


def test_a_header_keeps_the_sizes_and_one_of_earlier_versions_has_none() -> None:
    sizes = {"side": 400, "smallest": 300, "largest": 500, "framed": None}
    header = Header(HEADER.model, HEADER.classes, {"sizes": sizes})
    assert Header.from_json(header.to_json()).sizes == PictureSizes(400, 300, 500, None)
    assert Header.from_json(HEADER.to_json()).sizes is None


@pytest.mark.parametrize(
    "sizes",
    [
        {"side": 400},
        [1],
        {"side": 400, "smallest": 600, "largest": 700, "framed": True},
        {"side": 0, "smallest": 0, "largest": 0, "framed": True},
        {"side": 400, "smallest": 300, "largest": 500, "framed": "yes"},
    ],
)
def test_sizes_that_cannot_be_are_a_damaged_header(sizes: object) -> None:
    raw = json.loads(HEADER.to_json())
    raw["training"]["sizes"] = sizes
    with pytest.raises(ModelError, match="its header is damaged"):
        Header.from_json(json.dumps(raw))


def test_the_bundled_model_knows_the_size_of_its_photos() -> None:
    sizes = read_header(BUNDLED / "animals.safetensors").sizes
    assert sizes == PictureSizes(side=433, smallest=311, largest=573, framed=True)
