import numpy as np
from PIL import Image

from pixelwise.classes import VOID
from pixelwise.io.picture import Picture, void_invalid


def test_labels_are_void_where_there_are_no_values() -> None:
    labels = np.ones((2, 2), np.uint8)
    valid = np.array([[True, False], [True, True]])
    assert void_invalid(labels, valid).tolist() == [[1, VOID], [1, 1]]
    assert void_invalid(labels, None) is labels
    assert void_invalid(labels, np.ones((3, 3), bool)) is labels, (
        "another size is refused elsewhere"
    )


def test_a_network_of_rgb_sees_what_people_see() -> None:
    image = Image.new("L", (3, 2), 9)
    plain = Picture(image, (), "PNG", "L", (2, 3), 1, 1)
    assert np.array_equal(plain.pixels, np.full((2, 3, 3), 9))
    other = Picture(image, (), "", "", (2, 3), 1, 1, channels=np.zeros((2, 3, 5), np.uint8))
    assert other.pixels.shape == (2, 3, 5)
    assert other.rgb.shape == (2, 3, 3)
