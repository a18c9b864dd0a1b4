import io
import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from safetensors.torch import save_file

import pixelwise
from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, ImageError, OutputError, WeightsError
from pixelwise.inference.load import load
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.encoder import Encoder
from pixelwise.models.registry import build_segmenter
from pixelwise.progress import Progress
from pixelwise.style_transfer import regions
from pixelwise.style_transfer.config import D2L
from pixelwise.style_transfer.regions import Region
from pixelwise.style_transfer.snapshots import Snapshots


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A small network with weights in a file, as options."""
    path = tmp_path_factory.mktemp("weights") / "resnet10t.safetensors"
    save_file(
        {k: v.contiguous() for k, v in Encoder("resnet10t", plain=True).net.state_dict().items()},
        path,
    )
    return {
        "network": "resnet10t",
        "weights": str(path),
        "precision": "float32",
        "steps": 4,
        "levels": 1,
    }


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path]:
    """A content picture, 120 x 90 as stored and lying on its side, with a colour profile; and a
    style.
    """
    rng = np.random.default_rng(0)
    content, style = (
        Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(
            size, Image.Resampling.BICUBIC
        )
        for size in ((120, 90), (100, 80))
    )
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content.save(tmp_path / "content.jpg", exif=exif, icc_profile=profile, quality=95)
    style.save(tmp_path / "style.png")
    return tmp_path / "content.jpg", tmp_path / "style.png"


class Lines(Progress):
    def __init__(self) -> None:
        self.lines = list[str]()

    def log(self, text: str) -> None:
        self.lines.append(text)


def test_what_is_transparent_is_painted_as_white_and_it_is_said(
    pictures: tuple[Path, Path], network: dict[str, Any], tmp_path: Path
) -> None:
    style = pictures[1]
    with Image.open(style) as image:
        cutout = image.convert("RGBA")
        seen = image.convert("RGB")
    cutout.paste((10, 200, 30, 0), (0, 0, 50, 80))
    seen.paste((255, 255, 255), (0, 0, 50, 80))
    cutout.save(tmp_path / "cutout.png")
    seen.save(tmp_path / "seen.png")
    progress = Lines()
    made = pixelwise.stylize(tmp_path / "cutout.png", style, progress=progress, **network)
    expected = pixelwise.stylize(tmp_path / "seen.png", style, **network)
    assert np.array_equal(made.rgb, expected.rgb)
    line = "how the pictures were read: 1 with transparent parts is put on white"
    assert line in progress.lines


def test_a_picture_is_turned_upright_and_has_the_profile_of_srgb_and_its_settings(
    pictures: tuple[Path, Path], network: dict[str, Any], tmp_path: Path
) -> None:
    done = pixelwise.stylize(*pictures, tmp_path / "made.jpg", **network)
    assert done.rgb.shape == (120, 90, 3)
    assert not done.stopped
    with Image.open(tmp_path / "made.jpg") as image:
        assert image.size == (90, 120)
        assert 0x0112 not in image.getexif()
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert "sRGB" in ImageCms.getProfileDescription(profile)
        settings = json.loads(image.getexif()[0x010E])["pixelwise stylize"]
    assert (settings["network"], settings["steps"], settings["styles"]) == (
        "resnet10t",
        4,
        ["style.png"],
    )


@pytest.mark.parametrize(
    ("size", "shape"), [((60, 600), (60, 45)), ((600, 45), (60, 45)), ((600, 600), (120, 90))]
)
def test_the_result_fits_into_the_size_in_its_own_shape(
    pictures: tuple[Path, Path],
    network: dict[str, Any],
    size: tuple[int, int],
    shape: tuple[int, int],
) -> None:
    if shape == (60, 45):
        with pytest.raises(ConfigError, match="60 x 45 pixels: at least 64"):
            pixelwise.stylize(*pictures, size=size, **network)
        return
    assert pixelwise.stylize(*pictures, size=size, **network).rgb.shape == (*shape, 3)


def test_style_goes_only_where_a_model_finds_its_classes(
    pictures: tuple[Path, Path], network: dict[str, Any], tmp_path: Path
) -> None:
    config = ModelConfig("fcn32s", "resnet10t", 2)
    save_model(
        tmp_path / "model.safetensors",
        build_segmenter(config),
        Header(config, Classes.named(("sky", "ground"))),
    )
    result = load(tmp_path / "model.safetensors").predict(pictures[0])
    model = tmp_path / "model.safetensors"
    everywhere = pixelwise.stylize(*pictures, **network).rgb
    only = pixelwise.stylize(*pictures, region=Region(model, only=("sky",)), **network).rgb
    rest = pixelwise.stylize(*pictures, region=Region(model, excluded=("sky",)), **network).rgb
    sky = result.labels == 0
    if sky.all() or not sky.any():  # an untrained model may see one class alone
        assert np.array_equal(only if sky.all() else rest, everywhere)
        assert np.array_equal(rest if sky.all() else only, result.rgb)
        return
    both = only.astype(int) + rest  # what one styles the other leaves, also on the soft edge
    assert np.abs(both - (everywhere.astype(int) + result.rgb)).max() <= 1


def test_a_class_may_have_a_style_of_its_own(
    pictures: tuple[Path, Path],
    network: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    halves = np.repeat([[0] * 45 + [1] * 45], 120, axis=0).astype(np.uint8)  # (120, 90)
    result = SimpleNamespace(
        classes=Classes.named(("sky", "ground")), predict=lambda rgb: SimpleNamespace(labels=halves)
    )
    monkeypatch.setattr(regions, "load", lambda model: result)
    other = tmp_path / "other.png"
    Image.open(pictures[1]).rotate(90, expand=True).point(lambda value: 255 - value).save(other)
    common, own = (
        pixelwise.stylize(pictures[0], style, **network).rgb for style in (pictures[1], other)
    )
    both = pixelwise.stylize(
        *pictures, region=Region("any", styles=(("sky", other),)), **network
    ).rgb
    assert not np.array_equal(common, own)
    np.testing.assert_array_equal(both[:, :40], own[:, :40])
    np.testing.assert_array_equal(both[:, 50:], common[:, 50:])
    with pytest.raises(ConfigError, match="unknown class 'sea'"):
        pixelwise.stylize(*pictures, region=Region("any", styles=(("sea", other),)), **network)


def test_the_way_is_kept_as_pictures_film_and_curves(
    pictures: tuple[Path, Path], network: dict[str, Any], tmp_path: Path
) -> None:
    pixelwise.stylize(*pictures, snapshots=Snapshots(tmp_path / "way", every=2), **network)
    names = {path.name for path in (tmp_path / "way").iterdir()}
    assert names == {"step_0001.jpg", "step_0002.jpg", "step_0004.jpg", "way.webp", "curves.png"}
    with Image.open(tmp_path / "way/way.webp") as film:
        assert film.size == (90, 120)
        assert film.n_frames >= 2  # type: ignore[attr-defined]  # frames that are alike are one


def test_the_way_of_a_region_over_two_sizes_has_the_pictures_size(
    pictures: tuple[Path, Path], network: dict[str, Any], tmp_path: Path
) -> None:
    config = ModelConfig("fcn32s", "resnet10t", 2)
    save_model(
        tmp_path / "model.safetensors",
        build_segmenter(config),
        Header(config, Classes.named(("sky", "ground"))),
    )
    big = Image.open(pictures[1]).resize((320, 288))
    big.save(tmp_path / "big.png")
    region = Region(tmp_path / "model.safetensors", only=("sky",))
    snapshots = Snapshots(tmp_path / "way", every=1)
    options = {**network, "levels": 2, "steps": 3}
    done = pixelwise.stylize(
        tmp_path / "big.png", pictures[1], region=region, snapshots=snapshots, **options
    )
    assert done.history[0].size == (144, 160)
    with Image.open(tmp_path / "way/step_0001.jpg") as first:
        assert first.size == (320, 288)


def test_ctrl_c_keeps_the_picture_so_far(
    pictures: tuple[Path, Path], network: dict[str, Any], tmp_path: Path
) -> None:
    class Stopper(Progress):
        left = 3

        def set_postfix(self, text: str) -> None:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGINT)

    done = pixelwise.stylize(
        *pictures, tmp_path / "made.png", progress=Stopper(), **{**network, "steps": 500}
    )
    assert done.stopped
    assert len(done.history) == 3
    assert (tmp_path / "made.png").is_file()


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "I;16"])
def test_pictures_of_any_mode_are_taken(
    pictures: tuple[Path, Path], network: dict[str, Any], tmp_path: Path, mode: str
) -> None:
    path = tmp_path / ("other.tif" if mode in ("CMYK", "I;16") else "other.png")
    with Image.open(pictures[1]) as style:
        deep = np.asarray(style.convert("L")).astype(np.uint16) * 256
        created = Image.fromarray(deep) if mode == "I;16" else style.convert(mode)
        created.save(path)
    assert pixelwise.stylize(path, pictures[1], tmp_path / "made.png", **network).rgb.shape == (
        80,
        100,
        3,
    )


def test_bad_options_are_refused_before_any_work(
    pictures: tuple[Path, Path], network: dict[str, Any], tmp_path: Path
) -> None:
    content, style = pictures
    with pytest.raises(ConfigError, match=r"ends? in one of \.png"):
        pixelwise.stylize(content, style, tmp_path / "made.gif", **network)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        pixelwise.stylize(content, style, tmp_path / "folder.png", **network)
    with pytest.raises(ConfigError, match="did you mean 'steps'"):
        pixelwise.stylize(content, style, step=3)
    with pytest.raises(ConfigError, match="is the content picture itself"):
        pixelwise.stylize(content, style, content, **network)
    with pytest.raises(ConfigError, match="tile: only vgg"):
        pixelwise.stylize(content, style, tile=64, **network)
    with pytest.raises(ConfigError, match="every is 0"):
        Snapshots(tmp_path, every=0)
    with pytest.raises(ConfigError, match="size is"):
        pixelwise.stylize(content, style, size=(0, 10))
    with pytest.raises(ImageError, match="no such file"):
        pixelwise.stylize(tmp_path / "none.jpg", style, **network)
    with pytest.raises(ConfigError, match="one of --only and --except"):
        pixelwise.stylize(content, style, region=Region("x"), **network)
    with pytest.raises(WeightsError, match="no such file"):
        pixelwise.stylize(
            content, style, network="vgg19", weights=str(tmp_path / "none.pth"), config=D2L
        )


def test_content_that_is_its_own_style_stays_near_itself(
    pictures: tuple[Path, Path], network: dict[str, Any]
) -> None:
    done = pixelwise.stylize(pictures[0], pictures[0], **network)
    assert done.history[0].losses.content == 0
    assert done.history[0].losses.style == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("has_bfloat16", [False, True])
def test_bfloat16_is_tried_small_and_only_where_the_processor_has_it(
    has_bfloat16: bool,
    monkeypatch: pytest.MonkeyPatch,
    recorded: Any,
    pictures: tuple[Path, Path],
    network: dict[str, Any],
) -> None:
    tried = list[tuple[tuple[int, ...], bool]]()

    class Trial:
        def __init__(
            self, _: object, content: Any, *__: object, bfloat16: bool, **___: Any
        ) -> None:
            self.bfloat16 = bfloat16
            self.shape = tuple(content.shape)

        def backward(self, _: object) -> None:
            tried.append((self.shape, self.bfloat16))
            if self.bfloat16:
                time.sleep(0.05)

    monkeypatch.setattr("pixelwise.style_transfer.stylize_image.Objective", Trial)
    monkeypatch.setattr(
        "pixelwise.style_transfer.stylize_image.cpu_has_bfloat16", lambda: has_bfloat16
    )
    monkeypatch.setattr("pixelwise.style_transfer.stylize_image._TRIAL_SIDE", 64)
    progress = recorded()
    options = network | {"precision": "auto"}
    pixelwise.stylize(*pictures, progress=progress, **options)
    corner = (1, 3, 64, 64)  # of 120 x 90
    # a first pass that is far slower is the only one
    assert tried == ([(corner, False)] * 2 + [(corner, True)] if has_bfloat16 else [])
    assert any("bfloat16" in line for line in progress.lines) == has_bfloat16


def test_the_books_weights_go_with_its_own_network(
    pictures: tuple[Path, Path], network: dict[str, Any], tmp_path: Path
) -> None:
    """With others the picture is coloured noise: their features are of another scale."""
    with pytest.raises(ConfigError, match=r"recipe d2l with network resnet10t: .*--network vgg19"):
        pixelwise.stylize(*pictures, tmp_path / "out.png", config=D2L, **_setup(network))
    assert not (tmp_path / "out.png").exists()
    for change in ({"relative": True}, {"style_weight": 10.0}):  # chosen for that network
        config = replace(D2L, steps=1, **change)
        pixelwise.stylize(*pictures, tmp_path / "out.png", config=config, **_setup(network))


def _setup(network: dict[str, Any]) -> dict[str, Any]:
    return {name: network[name] for name in ("network", "weights", "precision")}
