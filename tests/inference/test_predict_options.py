import pytest

from pixelwise.errors import ConfigError
from pixelwise.inference.predict_options import PredictOptions


@pytest.mark.parametrize("options", [{"split_touching": True}, {"pixel_size": "2mm"}])
def test_options_of_objects_are_refused_where_none_are_asked_for(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="add --also objects"):
        PredictOptions(**options)  # type: ignore[arg-type]
    assert PredictOptions(extras=("objects",), **options)  # type: ignore[arg-type]


def test_a_pixel_size_is_judged_before_any_image_is_read() -> None:
    with pytest.raises(ConfigError, match="a length above 0 and its unit"):
        PredictOptions(extras=("objects",), pixel_size="small")


def test_tables_do_not_change_the_labels() -> None:
    """A finished folder gets its table without being labelled again."""
    assert (
        PredictOptions(extras=("objects",), pixel_size="1m").recipe() == PredictOptions().recipe()
    )
