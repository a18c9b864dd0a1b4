import numpy as np

from pixelwise.reports.layer_overlays import layer_shares, paint_layers

RED = (255, 0, 0)
BLUE = (0, 0, 255)


def test_where_layers_overlap_both_colours_show() -> None:
    layers = np.zeros((2, 30, 90), np.uint8)
    layers[0, :, :60] = 1
    layers[1, :, 30:] = 1
    painted = paint_layers(np.full((30, 90, 3), 100, np.uint8), layers, (RED, BLUE))
    left, both, right = (painted[15, column].tolist() for column in (15, 45, 75))
    assert left[0] > 100 > left[2]
    assert right[2] > 100 > right[0]
    assert both[2] > left[2]
    assert both[0] > right[0]
    np.testing.assert_allclose(layer_shares(layers), [2 / 3, 2 / 3])
