import numpy as np

from pixelwise.export.pictures import cut_square, draw_picture
from pixelwise.io.channels import RGB


def test_the_middle_of_a_picture_is_cut() -> None:
    picture = np.zeros((4, 10, 3), np.uint8)
    picture[:, 3:7] = 200
    assert (cut_square(picture, (8, 8)) == 200).all()
    assert cut_square(picture, (5, 7)).shape == (5, 7, 3)


def test_the_drawn_picture_is_the_same_each_time() -> None:
    assert np.array_equal(draw_picture(RGB), draw_picture(RGB))
