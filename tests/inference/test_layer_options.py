import pytest

from pixelwise.errors import ConfigError
from pixelwise.inference.layer_options import LayerOptions
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.result_names import result_names


def test_what_needs_one_class_a_pixel_is_refused_by_name() -> None:
    options = PredictOptions(threshold=0.5, largest=("cat",), extras=("areas",))
    with pytest.raises(ConfigError, match="threshold, largest, areas: the model's classes overlap"):
        LayerOptions.of(options, ("cat", "dog"))
    taken = PredictOptions(overlay=True, tta=True, scales=(1, 0.5), extras=("probabilities",))
    assert LayerOptions.of(LayerOptions.of(taken, ("a",)), ("a",)).layers == ("a",)


def test_results_are_a_mask_a_class_or_a_raster_of_bands() -> None:
    options = LayerOptions.of(PredictOptions(overlay=True), ("cat", "a/b", "a?b", "ß", "**"))
    plain, raster = result_names("x.jpg", options)
    assert plain == [
        "x_cat.png",
        "x_a-b-2.png",
        "x_a-b-3.png",
        "x_ß.png",
        "x_-5.png",
        "x_overlay.jpg",
    ]
    assert raster == ["x.tif"]
