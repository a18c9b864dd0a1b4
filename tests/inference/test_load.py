import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.errors import ConfigError
from pixelwise.inference import load as load_module

pytestmark = pytest.mark.usefixtures("own_cache")

WITHOUT_PYTORCH = """
import sys, pixelwise
model, photo, folder = sys.argv[1:]
pixelwise.load(model, runtime="openvino").predict(photo).save(folder, "mask")
assert not {"torch", "timm", "torchvision"} & set(sys.modules)
"""


def test_a_runtime_that_does_not_exist_is_answered_with_the_nearest(
    model_file: Callable[..., Path],
) -> None:
    with pytest.raises(ConfigError, match="did you mean 'openvino'"):
        pixelwise.load(model_file(), runtime="openvinno")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "cuda"}, "exported models run on the CPU"),
        ({"precision": "bfloat16"}, "computes in float32"),
    ],
)
def test_options_that_an_exported_model_cannot_have_are_refused(
    exported_file: Callable[..., Path], options: dict[str, str], message: str
) -> None:
    model = exported_file(".onnx")
    with pytest.raises(ConfigError, match=message):
        pixelwise.load(model, **options)  # type: ignore[arg-type]
    assert pixelwise.load(model, precision="bfloat16", runtime="openvino")


def test_auto_prepares_other_runtimes_only_where_it_pays_or_is_known(
    tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    model = model_file()
    photo = picture("photo.png", 200, 300)
    worth = load_module.choose_runtime
    assert worth("auto", [photo, tmp_path / "absent.png"], model) == "torch"
    assert worth("auto", [photo] * 500, model) == "auto"
    assert worth("auto", [photo], tmp_path / "m.onnx") == "auto"
    assert worth("openvino", [photo], model) == "openvino"
    pixelwise.load(model, runtime="auto").predict(picture("small.png", 40, 60))
    assert worth("auto", [photo], model) == "auto"


def test_a_known_runtime_labels_without_importing_pytorch(
    tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    model = model_file()
    photo = picture("photo.png", 50, 60)
    pixelwise.load(model, runtime="openvino")  # leaves the network in the cache
    words = [sys.executable, "-c", WITHOUT_PYTORCH, str(model), str(photo), str(tmp_path)]
    subprocess.run(words, check=True)
    with Image.open(tmp_path / "mask.png") as mask:
        assert (np.asarray(mask) == pixelwise.load(model).predict(photo).labels).mean() > 0.999
