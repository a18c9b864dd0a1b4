"""Pictures of pairs: the mask's outline lies on the photo where the mask puts it."""

import io
from pathlib import Path

import clinic_faults as faults  # conftest.py has put it there
import numpy as np
from PIL import Image

from pixelwise.checks.examine import examine
from pixelwise.checks.thumbnails import draw_pair

GREY = 128


def write_squares(sample_set: faults.SampleSet, shift: int) -> None:
    """The first image all grey, its mask a square from column 40 + `shift` to 90 + `shift`."""
    image, mask = sample_set.pairs()[0]
    Image.new("RGB", (130, 100), (GREY, GREY, GREY)).save(image, quality=95)
    labels = np.zeros((100, 130), np.uint8)
    labels[25:75, 40 + shift : 90 + shift] = 1
    faults.save_mask(mask, labels, sample_set)


def outlined_columns(sample_set: faults.SampleSet) -> list[int]:
    """Columns of the first image's pixels where the row through its middle is outlined."""
    result = examine(sample_set.root)
    first = sample_set.pairs()[0][0]
    stats = next(stats for stats in result.pairs if stats.pair.image == first)
    photo, mask = draw_pair(stats, result.encoding, result.index.mask_source)
    picture = np.asarray(Image.open(io.BytesIO(photo)).convert("L")).astype(int)
    assert picture.shape == (400, 520) == Image.open(io.BytesIO(mask)).size[::-1]
    columns = np.flatnonzero(abs(picture[200] - GREY) > 60) // 4
    return [int(columns.min()), int(columns.max())]


def test_a_shifted_mask_is_outlined_where_it_lies_on_the_photo(
    sample_set: faults.SampleSet,
) -> None:
    for shift in (0, 12):
        write_squares(sample_set, shift)
        left, right = outlined_columns(sample_set)
        assert abs(left - (40 + shift)) <= 1
        assert abs(right - (89 + shift)) <= 1


def test_a_pair_that_lacks_its_image_has_no_picture(sample_set: faults.SampleSet) -> None:
    result = examine(sample_set.root)
    stats = result.pairs[0]
    Path(stats.pair.image).unlink()
    assert draw_pair(stats, result.encoding, result.index.mask_source) == ()
