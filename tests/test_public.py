"""What `import pixelwise` offers."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.cli.main import app
from pixelwise.errors import ConfigError

# packages as well, and a function of Python's own
FUNCTIONS = {
    "models": "list_models",
    "export": "export_model",
    "next": "rank_folder",
    "data": "download_voc",
    "slice": "slice_volumes",
}


def test_every_name_is_there() -> None:
    for name in pixelwise.__all__:
        assert getattr(pixelwise, name) is not None
    assert dir(pixelwise) == sorted(pixelwise.__all__)


def test_every_command_has_a_function() -> None:
    for command in (*app.registered_commands, *app.registered_groups):
        name = command.name or ""
        if name == "help":  # pages for the terminal: Python has its own `help`
            continue
        assert FUNCTIONS.get(name, name) in pixelwise.__all__


def test_nothing_heavy_is_imported_before_its_use() -> None:
    script = (
        "import sys, pixelwise\n"
        "pixelwise.TrainConfig, pixelwise.DataOptions, pixelwise.PredictOptions\n"
        "pixelwise.StyleConfig\n"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_options_of_data_are_keywords_of_every_function(shapes: Path, tmp_path: Path) -> None:
    for call in (
        lambda: pixelwise.evaluate("animals", shapes, matte_treshold=3),
        lambda: pixelwise.compare(["animals", "animals"], shapes, matte_treshold=3),
        lambda: pixelwise.suspects("animals", shapes, out=tmp_path, matte_treshold=3),
        lambda: pixelwise.train(shapes, tmp_path / "run", matte_treshold=3),
    ):
        with pytest.raises(ConfigError, match="did you mean 'matte_threshold'"):
            call()
    with pytest.raises(ConfigError, match=r"unknown option 'overlays'.*did you mean 'overlay'"):
        pixelwise.predict("animals", shapes, tmp_path, overlays=True)


def test_a_folder_is_predicted_as_by_the_command(shapes: Path, tmp_path: Path) -> None:
    images = shapes / "images/test"
    result = pixelwise.predict("animals", images, tmp_path, overlay=True, runtime="torch")
    assert len(result.written) == len(list(images.iterdir()))
    assert len(list(tmp_path.glob("*_overlay.jpg"))) == len(result.written)
    again = pixelwise.predict("animals", images, tmp_path, overlay=True, runtime="torch")
    assert (len(again.written), len(again.skipped)) == (0, len(result.written))


def test_the_models_are_listed_by_what_they_are() -> None:
    models = pixelwise.list_models(find="resnet1*")
    assert "unet" in models.decoders
    assert "animals" in models.bundled
    assert all(name.startswith("resnet1") for name in models.timm_encoders)


def test_a_result_shows_itself_in_a_notebook() -> None:
    rgb = np.zeros((40, 60, 3), np.uint8)
    labels = np.zeros((40, 60), np.uint8)
    sure = np.ones((40, 60), np.float32)
    result = pixelwise.Result(rgb, labels, sure, ("sky",), ((0, 0, 255),))
    with Image.open(BytesIO(result._repr_png_())) as picture:
        assert picture.width >= 60
        assert picture.height > 40  # with its legend
