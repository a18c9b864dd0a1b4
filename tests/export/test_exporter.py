import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import nn
from typer.testing import CliRunner

import pixelwise
from pixelwise.classes import Classes
from pixelwise.cli.main import app
from pixelwise.errors import ConfigError, ModelError
from pixelwise.export import exporter
from pixelwise.export.exporter import export
from pixelwise.io.channels import ReadingRule
from pixelwise.io.images import read_rgb
from pixelwise.models.checkpoint import Header, load_model, read_header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import DECODERS, build_segmenter
from pixelwise.optional import is_installed

pytestmark = pytest.mark.usefixtures("own_cache")

SIZES = [(1, 1), (33, 64), (97, 131)]


@pytest.mark.parametrize(
    ("decoder", "scale"), [*product(DECODERS, [1.0]), ("unet", 0.75), ("fcn8s", 1.5)]
)
def test_an_exported_model_gives_the_same_masks_at_every_size(
    decoder: str,
    scale: float,
    tmp_path: Path,
    model_file: Callable[..., Path],
    picture: Callable[..., Path],
) -> None:
    model = model_file(decoder, scale=scale)
    done = export(model, tmp_path / "m.onnx", images=[picture("a.png", 70, 45)])
    assert done.gap < 1e-3
    assert done.agreement == 1.0
    reference = pixelwise.load(model)
    sources = [picture(f"{height}.png", height, width) for height, width in SIZES]
    expected = [reference.predict(source) for source in sources]
    for runtime in ("onnxruntime", "openvino"):
        exported = pixelwise.load(tmp_path / "m.onnx", runtime=runtime)
        assert exported.classes.names == reference.classes.names
        assert exported.classes.palette == reference.classes.palette
        for source, a in zip(sources, expected, strict=True):
            b = exported.predict(source)
            assert (a.labels == b.labels).mean() > 0.999
            assert np.abs(a.confidence - b.confidence).max() < 0.01


def test_a_file_of_half_the_size_labels_alike(
    tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    model = model_file("unet", "resnet18")  # its labels are less close to a tie
    photo = picture("a.png", 70, 45)
    done = export(model, tmp_path / "half.safetensors", images=[photo])
    assert done.agreement >= 0.999
    assert done.path.stat().st_size < 0.51 * model.stat().st_size
    assert read_header(done.path) == read_header(model)
    whole, half = (pixelwise.load(path).predict(photo) for path in (model, done.path))
    assert (whole.labels == half.labels).mean() >= 0.999
    before = model.read_bytes()
    with pytest.raises(ConfigError, match="is the model itself"):
        export(model, model)
    assert model.read_bytes() == before


def test_a_network_that_differs_is_not_kept(
    tmp_path: Path, model_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Noise:
        def __init__(self, _: Path, *, channels: int) -> None: ...

        def __call__(self, rgb: np.ndarray) -> np.ndarray:
            shape = (len(rgb), 3, *rgb.shape[-2:])
            return np.random.default_rng(0).random(shape, np.float32)

    monkeypatch.setattr(exporter, "OnnxRunner", Noise)
    with pytest.raises(ModelError, match="nothing was written"):
        export(model_file(), tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_network_that_gives_no_numbers_is_not_kept(
    tmp_path: Path, model_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class NotANumber(exporter.OnnxRunner):
        def __call__(self, rgb: np.ndarray) -> np.ndarray:
            logits = super().__call__(rgb)
            # argmax takes NaN for the largest: one label differs
            logits[0, logits[0, :, 0, 0].argmin(), 0, 0] = np.nan
            return logits

    monkeypatch.setattr(exporter, "OnnxRunner", NotANumber)
    with pytest.raises(ModelError, match="differs from PyTorch's by up to nan"):
        export(model_file(), tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_a_missing_package_and_another_name_of_file_are_answered(
    tmp_path: Path, model_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.onnx"):
        export(model_file(), tmp_path / "m.pt")
    monkeypatch.setitem(sys.modules, "onnx", None)  # importing it fails
    message = r"onnx is not installed: pip install 'pixelwise\[export\]'"
    with pytest.raises(ConfigError, match=message):
        export(model_file(), tmp_path / "m.onnx")
    assert not is_installed("pixelwise_of_tomorrow")


def test_an_openvino_file_gives_the_same_masks_and_names_its_classes(
    tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    model = model_file("fcn8s")
    photo = picture("a.png", 50, 70)
    done = export(model, tmp_path / "m.xml", images=[photo])
    assert done.agreement == 1.0
    exported = pixelwise.load(tmp_path / "m.xml", runtime="auto")
    assert exported.classes.names == ("sky", "road", "car")
    expected = pixelwise.load(model).predict(photo).labels
    assert (exported.predict(photo).labels == expected).mean() > 0.999


def test_the_commands_export_and_predict_from_onnx(
    tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    model = model_file("fcn8s")
    photo = picture("a.png", 50, 70)
    run = CliRunner()
    exported = str(tmp_path / "m.onnx")
    done = run.invoke(app, ["export", str(model), "--out", exported, "--images", str(photo)])
    assert done.exit_code == 0, done.output
    assert "labels agree on 100.000 %" in done.output
    command = ["predict", exported, str(photo), "--out", str(tmp_path / "masks")]
    assert run.invoke(app, command).exit_code == 0
    assert "1 existed already" in run.invoke(app, command).output
    expected = pixelwise.load(model).predict(photo).labels
    with Image.open(tmp_path / "masks/a.png") as mask:
        assert (np.asarray(mask) == expected).mean() > 0.999


@pytest.mark.parametrize("decoder", ["linknet", "lraspp"])  # on strided and on dilated stages
def test_batch_norms_and_sizes_stay_free_in_the_file(
    decoder: str, tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    model = model_file(decoder, "tf_efficientnet_lite0")
    export(model, tmp_path / "m.onnx", images=[picture("a.png", 64, 64)])
    runner = pixelwise.load(tmp_path / "m.onnx").runner
    network, _ = load_model(model)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 40, 70), np.uint8)
    with torch.no_grad():
        expected = nn.Module.eval(network)(torch.from_numpy(pixels).float() / 255)
    np.testing.assert_allclose(runner(pixels), expected, atol=1e-3)


def test_the_example_reads_a_picture_as_pixelwise_does_or_refuses_it(
    tmp_path: Path, picture: Callable[..., Path]
) -> None:
    path = Path(__file__).parents[2] / "examples/read_picture.py"
    spec = importlib.util.spec_from_file_location("read_picture", path)
    assert spec
    assert spec.loader
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    with Image.open(picture("photo.png", 40, 30)) as image:
        rgb = image.convert("RGB")
    grey = np.asarray(rgb.convert("L")).astype(np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 6
    rgba = rgb.convert("RGBA")
    rgba.paste((1, 2, 3, 0), (0, 0, 9, 9))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for number, (image, options) in enumerate(
        (
            (rgb, {}),
            (rgb, {"exif": exif}),
            (rgb, {"icc_profile": srgb}),
            (rgba, {}),
            (rgb.convert("LA"), {}),
            (rgb.convert("P"), {"transparency": 0}),
            (rgb.convert("1"), {}),
            (Image.fromarray(grey << 2), {}),
            (Image.fromarray(grey << 8), {}),
        )
    ):
        file = tmp_path / f"{number}.png"
        image.save(file, **options)
        assert np.array_equal(example.read_rgb(str(file)), read_rgb(file)), number
    file = tmp_path / "dark.png"
    Image.fromarray(grey << 2).save(file)
    assert np.array_equal(example.read_rgb(str(file), 12), read_rgb(file, ReadingRule(12)))
    rgb.save(tmp_path / "stack.tif", save_all=True, append_images=[rgb])
    rgb.convert("F").save(tmp_path / "float.tif")
    for name in ("stack.tif", "float.tif"):
        with pytest.raises(SystemExit, match=f"{name}: read it with pixelwise"):
            example.read_rgb(str(tmp_path / name))


def test_the_example_without_pixelwise_gives_the_same_mask(
    tmp_path: Path, exported_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    example = Path(__file__).parents[2] / "examples/predict_onnx.py"
    model = exported_file(".onnx", "fcn8s")
    photo = picture("photo.png", 70, 1500)  # wider than a tile
    command = [sys.executable, *map(str, (example, model, photo, tmp_path / "mask.png"))]
    subprocess.run(command, check=True, cwd=tmp_path)
    expected = pixelwise.load(model, runtime="onnxruntime").predict(photo)
    with Image.open(tmp_path / "mask.png") as mask:
        assert (np.asarray(mask) == expected.labels).mean() > 0.9999
        assert tuple(mask.getpalette()[3:6]) == expected.palette[1]  # type: ignore[index]
    lines = example.read_text().split('"""')[2].splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 40


@pytest.mark.parametrize("shape", [(300, 400), (20, 24)])
def test_the_example_sees_photos_of_another_size_as_predict_does(
    shape: tuple[int, int], tmp_path: Path, picture: Callable[..., Path]
) -> None:
    torch.manual_seed(0)
    network = ModelConfig("fcn8s", "test_resnet", 3)
    sizes = {"side": 70, "smallest": 50, "largest": 100, "framed": None}
    header = Header(network, Classes.named(("sky", "road", "car")), {"sizes": sizes})
    segmenter = build_segmenter(network).eval()
    photo = picture("photo.png", *shape)
    with torch.no_grad(), Image.open(photo) as image:  # each class somewhere
        seen = torch.from_numpy(np.asarray(image.convert("RGB").resize((81, 61), 3)).copy())
        means = segmenter(seen.permute(2, 0, 1)[None] / 255).mean((0, 2, 3))
        segmenter.get_parameter("decoder.scores.8.bias").sub_(means)
    save_model(tmp_path / "m.safetensors", segmenter, header)
    model = tmp_path / "m.onnx"
    export(tmp_path / "m.safetensors", model, images=[picture("a.png", 70, 45)])
    description = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
    assert description["photos"].startswith("resized to 70 pixels a side")
    example = Path(__file__).parents[2] / "examples/predict_onnx.py"
    command = [sys.executable, *map(str, (example, model, photo, tmp_path / "mask.png"))]
    subprocess.run(command, check=True, cwd=tmp_path)
    predictor = pixelwise.load(model, runtime="onnxruntime")
    expected = predictor.predict(photo).labels
    with Image.open(tmp_path / "mask.png") as mask:
        assert np.asarray(mask).shape == shape
        assert (np.asarray(mask) == expected).mean() > 0.999
    assert len(np.unique(expected)) > 1
    assert not np.array_equal(expected, predictor.predict(photo, scales=(1.0,)).labels)


@pytest.mark.parametrize("suffix", [".onnx", ".xml"])
def test_an_export_of_fixed_size_labels_as_the_model_and_says_its_size(
    suffix: str, tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    model = model_file("unet", "tf_efficientnet_lite0", scale=0.75)
    path = tmp_path / f"m{suffix}"
    done = export(model, path, images=[picture("a.png", 100, 150)], size=(50, 70))
    assert done.gap < 1e-3
    photo = picture("b.png", 50, 70)
    exported = pixelwise.load(path)
    assert exported.tile == (50, 70)
    expected = pixelwise.load(model).predict(photo)
    assert (exported.predict(photo).labels == expected.labels).mean() > 0.999
    description = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert description["input"]["shape"] == [1, 3, 50, 70]
    assert description["output"]["shape"] == [1, 3, 50, 70]
    assert description["sizes"].startswith("exactly 50 x 70 (height x width)")
    assert description["tiles"]["tile"] == [50, 70]


def test_the_description_beside_an_export_says_what_it_takes_and_gives(
    exported_file: Callable[..., Path],
) -> None:
    path = exported_file(".onnx", "fcn8s")
    description = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert description["file"] == path.name
    assert description["input"] == {
        "name": "rgb",
        "type": "uint8",
        "layout": "NCHW",
        "shape": ["any", 3, "any", "any"],
        "channels": "RGB",
        "range": [0, 255],
        "normalisation": "inside the network: give pixels as they are",
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
    }
    assert description["output"]["name"] == "logits"
    assert description["output"]["shape"] == ["any", 3, "any", "any"]
    assert [entry["name"] for entry in description["classes"]] == ["sky", "road", "car"]
    assert [entry["id"] for entry in description["classes"]] == [0, 1, 2]
    assert description["pixelwise"]["classes"]["names"] == ["sky", "road", "car"]
    assert description["void"] == 255
    assert description["tiles"] == {"tile": [1024, 1024], "overlap": 0.0625, "weights": "linear"}


def test_another_file_of_the_descriptions_name_is_not_replaced(
    tmp_path: Path, model_file: Callable[..., Path], picture: Callable[..., Path]
) -> None:
    scores = tmp_path / "m.json"
    scores.write_text('{"mean_iou": 0.5}')
    with pytest.raises(ConfigError, match=r"m\.json beside it is another file"):
        export(model_file(), tmp_path / "m.onnx")
    assert scores.read_text() == '{"mean_iou": 0.5}'
    scores.unlink()
    photo = picture("a.png", 40, 40)
    for _ in range(2):  # its own may be replaced
        export(model_file(), tmp_path / "m.onnx", images=[photo])


def test_an_export_is_not_exported_again(
    tmp_path: Path, exported_file: Callable[..., Path]
) -> None:
    for suffix in (".onnx", ".xml"):
        message = rf"{suffix}: is an export already.*give its run folder or \.safetensors"
        with pytest.raises(ModelError, match=message):
            export(exported_file(suffix), tmp_path / "again.onnx")


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("m.onnx", (31, 64), r"size 31 x 64 \(height x width\): each must be at least 32"),
        ("m.safetensors", (64, 64), "--size goes with .onnx and .xml"),
    ],
)
def test_a_size_that_cannot_be_is_refused(
    name: str,
    size: tuple[int, int],
    message: str,
    tmp_path: Path,
    model_file: Callable[..., Path],
) -> None:
    with pytest.raises(ConfigError, match=message):
        export(model_file(), tmp_path / name, size=size)


def test_a_fixed_size_in_int8_is_refused_by_the_command(
    tmp_path: Path, model_file: Callable[..., Path]
) -> None:
    words = ["export", str(model_file()), "--out", "m.xml", "--int8", "data", "--size", "64", "64"]
    refused = CliRunner().invoke(app, words)
    assert isinstance(refused.exception, ConfigError)
    assert "--size does not go with --int8" in str(refused.exception)


def test_an_export_leaves_nothing_where_it_runs(
    tmp_path: Path,
    model_file: Callable[..., Path],
    picture: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = picture("a.png", 40, 56)
    model = model_file()
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for name in ("m.onnx", "m.xml", "m.safetensors"):
        if name != "m.xml" or is_installed("openvino"):
            export(model, tmp_path / name, images=[photo])
    assert not list(here.iterdir())
