import os
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

import pixelwise
from pixelwise.classes import Classes
from pixelwise.cli.main import app
from pixelwise.errors import ConfigError, ModelError
from pixelwise.export import exporter as export_module
from pixelwise.export import int8
from pixelwise.export.exporter import export
from pixelwise.inference import load as load_module
from pixelwise.inference.backends import autotune as auto
from pixelwise.inference.backends.autotune import AutoRunner, Trial, choose_fastest
from pixelwise.inference.backends.onnx_file import read_onnx_header
from pixelwise.inference.options import PredictOptions
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.tta import Runner, release_memory, specialize_for_shape
from pixelwise.models.checkpoint import Header, load_model, read_header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import DECODERS, build_segmenter
from pixelwise.optional import is_installed
from pixelwise.progress import Progress

NAMES = ("sky", "road", "car")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/pixelwise"


def model_file(
    path: Path, decoder: str = "unet", encoder: str = "resnet18", scale: float = 1.0
) -> Path:
    torch.manual_seed(0)
    config = ModelConfig(decoder, encoder, len(NAMES), scale=scale)
    save_model(
        path, build_segmenter(config), Header(config, Classes.named(NAMES), {"crop": [64, 96]})
    )
    return path


def picture(path: Path, height: int, width: int) -> Path:
    rng = np.random.default_rng(height)
    Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return path


class Lines(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def log(self, text: str) -> None:
        self.said.append(text)


TWO_THREADS = """
import sys, threading, time
from pathlib import Path
import numpy, numpy.lib
from pixelwise.inference.backends.sessions import OpenVinoRunner
version = numpy.lib.NumpyVersion
def slow(text):
    time.sleep(0.3)  # for the other thread to come there too
    return version(text)
numpy.lib.NumpyVersion = slow  # called by OpenVINO when it first looks at a tensor
runner, gate = OpenVinoRunner(Path(sys.argv[1])), threading.Barrier(2)
def run():
    gate.wait()
    runner(numpy.zeros((1, 3, 64, 64), numpy.uint8))
threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
[thread.start() for thread in threads]
[thread.join(10) for thread in threads]
sys.stdout.write(str(sum(thread.is_alive() for thread in threads)))
sys.stdout.flush()
import os; os._exit(0)
"""


def test_the_first_two_threads_on_openvino_do_not_wait_for_each_other(tmp_path: Path) -> None:
    export(model_file(tmp_path / "m.safetensors", "fcn32s", "resnet10t"), tmp_path / "m.onnx")
    words = [sys.executable, "-c", TWO_THREADS, str(tmp_path / "m.onnx")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=100)
    assert done.stdout == "0", done.stderr


@pytest.mark.parametrize(
    ("decoder", "scale"), [*product(DECODERS, [1.0]), ("unet", 0.75), ("fcn8s", 1.5)]
)
def test_an_exported_model_gives_the_same_masks_at_every_size(
    decoder: str, scale: float, tmp_path: Path
) -> None:
    model = model_file(tmp_path / "m.safetensors", decoder, scale=scale)
    done = export(model, tmp_path / "m.onnx", images=[picture(tmp_path / "a.png", 70, 45)])
    assert done.gap < 1e-3
    assert done.agreement == 1.0
    wanted = pixelwise.load(model)
    for runtime in ("onnxruntime", "openvino"):
        found = pixelwise.load(tmp_path / "m.onnx", runtime=runtime)
        assert (found.classes.names, found.classes.palette) == (NAMES, wanted.classes.palette)
        for number, size in enumerate([(1, 1), (33, 64), (97, 131)]):
            source = picture(tmp_path / f"{number}.png", *size)
            a = wanted.predict(source)
            b = found.predict(source)
            assert (a.labels == b.labels).mean() > 0.999
            assert np.abs(a.confidence - b.confidence).max() < 0.01


def test_a_file_of_half_the_size_labels_alike(tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors")
    done = export(
        model, tmp_path / "half.safetensors", images=[picture(tmp_path / "a.png", 70, 45)]
    )
    assert done.agreement >= 0.999
    assert done.path.stat().st_size < 0.51 * model.stat().st_size
    assert read_header(done.path) == read_header(model)
    wanted, found = (
        pixelwise.load(path).predict(tmp_path / "a.png") for path in (model, done.path)
    )
    assert (wanted.labels == found.labels).mean() >= 0.999
    before = model.read_bytes()
    with pytest.raises(ConfigError, match="is the model itself"):
        export(model, model)
    assert model.read_bytes() == before


def test_an_export_holds_plain_operators_and_the_header(tmp_path: Path) -> None:
    export(model_file(tmp_path / "m.safetensors", "fcn8s"), tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    assert {node.domain for node in model.graph.node} == {""}  # ONNX's own operators alone
    assert [entry.name for entry in model.graph.input] == ["rgb"]
    header = read_onnx_header(tmp_path / "m.onnx")
    assert header.classes.names == NAMES
    assert header.training == {"crop": [64, 96]}


def test_a_network_that_differs_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Off:
        def __init__(self, _: Path) -> None: ...

        def __call__(self, rgb: np.ndarray) -> np.ndarray:
            return np.random.default_rng(0).random(
                (len(rgb), len(NAMES), *rgb.shape[-2:]), np.float32
            )

    monkeypatch.setattr(export_module, "OnnxRunner", Off)
    with pytest.raises(ModelError, match="nothing was written"):
        export(model_file(tmp_path / "m.safetensors"), tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_files_that_are_not_ours_say_what_is_missing(tmp_path: Path) -> None:
    export(model_file(tmp_path / "m.safetensors", "fcn32s"), tmp_path / "m.onnx")
    foreign = onnx.load(tmp_path / "m.onnx")
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    (tmp_path / "cut.onnx").write_bytes((tmp_path / "m.onnx").read_bytes()[:1000])
    for name, reason in (
        ("foreign", "its metadata has no 'pixelwise'"),
        ("cut", "damaged"),
        ("none", "no such file"),
    ):
        with pytest.raises(ModelError, match=reason):
            pixelwise.load(tmp_path / f"{name}.onnx")
    with pytest.raises(ConfigError, match=r"ends in \.onnx"):
        export(tmp_path / "m.safetensors", tmp_path / "m.pt")


def test_a_missing_package_is_answered_with_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)  # importing it fails
    with pytest.raises(
        ConfigError, match=r"onnx is not installed: pip install 'pixelwise\[export\]'"
    ):
        export(model_file(tmp_path / "m.safetensors"), tmp_path / "m.onnx")
    assert not is_installed("pixelwise_of_tomorrow")


def test_the_fastest_of_those_that_agree_is_kept() -> None:
    trials = {
        "torch float32": Trial(1.0, 1.0),
        "wrong": Trial(0.1, 0.98),
        "right": Trial(0.5, 0.996),
        "slow": Trial(2, 1),
    }
    assert choose_fastest(trials) == "right"


def test_auto_measures_once_and_remembers(tmp_path: Path) -> None:
    def slow(rgb: np.ndarray) -> np.ndarray:
        time.sleep(0.01)
        return rgb.astype(np.float32)

    built = []

    def candidate(name: str, runner: object) -> object:
        return lambda: built.append(name) or runner

    candidates = {
        "torch float32": candidate("torch float32", slow),
        "quick": candidate("quick", lambda rgb: rgb.astype(np.float32) + 1),
        "wrong": candidate("wrong", lambda rgb: -rgb.astype(np.float32)),
    }
    progress = Lines()
    tile = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8), np.uint8)
    runner = AutoRunner(candidates, remembered=tmp_path / "choice.json", progress=progress)  # type: ignore[arg-type]
    assert np.array_equal(runner(tile), tile.astype(np.float32) + 1)
    assert progress.said[0].startswith("runtime quick: the fastest whose labels agree")
    built.clear()
    again = AutoRunner(candidates, remembered=tmp_path / "choice.json", progress=progress)  # type: ignore[arg-type]
    assert np.array_equal(again(tile), tile.astype(np.float32) + 1)
    assert built == ["quick"]
    for damaged in ("", "{", '{"runtime": "gone"}', "[1]"):
        (tmp_path / "choice.json").write_text(damaged)
        anew = AutoRunner(candidates, remembered=tmp_path / "choice.json", progress=progress)  # type: ignore[arg-type]
        assert np.array_equal(anew(tile), tile.astype(np.float32) + 1)


class Kept:
    """A runner that keeps memory until it is told."""

    released = 0

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        return rgb.astype(np.float32)

    def release_memory(self) -> None:
        self.released += 1


def test_the_memory_that_a_runner_keeps_is_given_back_and_it_works_on(tmp_path: Path) -> None:
    kept = Kept()
    tile = np.zeros((1, 3, 8, 8), np.uint8)
    chosen = AutoRunner(
        {"torch float32": lambda: kept}, remembered=tmp_path / "choice.json", progress=Lines()
    )
    release_memory(chosen)  # before anything was chosen
    chosen(tile)
    release_memory(chosen)
    release_memory(lambda rgb: rgb)  # keeps nothing
    assert kept.released == 1
    runner = pixelwise.load(model_file(tmp_path / "m.safetensors"), runtime="openvino").runner
    rgb = np.random.default_rng(0).integers(0, 256, (1, 3, 96, 64), np.uint8)
    before = runner(rgb)
    release_memory(runner)
    assert np.array_equal(runner(rgb), before)


def test_after_many_shapes_openvino_prepares_the_network_anew(
    tmp_path: Path, own_cache: Path
) -> None:
    runner = pixelwise.load(model_file(tmp_path / "m.safetensors"), runtime="openvino").runner
    rgb = np.random.default_rng(0).integers(0, 256, (1, 3, 96, 64), np.uint8)
    before = runner(rgb)
    release_memory(runner)
    assert runner.network  # type: ignore[attr-defined]
    for side in range(32, 32 * 6, 32):
        runner(np.zeros((1, 3, side, 32), np.uint8))
    for file in own_cache.rglob("*.onnx"):
        file.write_bytes(b"another network")
    release_memory(runner)
    assert not runner.network  # type: ignore[attr-defined]
    assert np.array_equal(runner(rgb), before)


def test_openvino_compiles_for_the_shape_of_many_tiles_as_long_as_it_is_used(
    tmp_path: Path,
) -> None:
    runner = pixelwise.load(model_file(tmp_path / "m.safetensors"), runtime="openvino").runner
    shared = runner.steady_networks  # type: ignore[attr-defined]
    first = specialize_for_shape(runner)
    second = specialize_for_shape(runner)
    for side in (32, 96, 45, 96):
        rgb = np.random.default_rng(side).integers(0, 256, (1, 3, side, 64), np.uint8)
        np.testing.assert_allclose(first(rgb), runner(rgb), atol=1e-4)
    network = shared[1, 3, 45, 64]
    second(np.zeros((1, 3, 45, 64), np.uint8))
    assert shared[1, 3, 45, 64] is network
    del first, network
    assert list(shared) == [(1, 3, 45, 64)]
    del second
    assert not shared


def test_auto_tries_its_candidates_as_they_will_be_used(tmp_path: Path) -> None:
    class Both:
        def __init__(self, pause: float, steady_pause: float) -> None:
            self.pauses = pause, steady_pause

        def __call__(self, rgb: np.ndarray) -> np.ndarray:
            time.sleep(self.pauses[0])
            return rgb.astype(np.float32)

        def specialize_for_shape(self) -> Runner:
            return Both(self.pauses[1], self.pauses[1])

    candidates = {"torch float32": lambda: Both(0.01, 0.01), "other": lambda: Both(0.02, 0.0)}
    tile = np.random.default_rng(0).integers(0, 256, (1, 3, 8, 8), np.uint8)
    for way, name in (specialize_for_shape, "other"), (lambda runner: runner, "torch float32"):
        progress = Lines()
        runner = AutoRunner(candidates, remembered=tmp_path / f"{name}.json", progress=progress)  # type: ignore[arg-type]
        assert np.array_equal(way(runner)(tile), tile)  # type: ignore[operator]
        assert progress.said[0].startswith(f"runtime {name}: the fastest")


def test_auto_on_a_real_model_agrees_and_its_damaged_cache_is_made_anew(
    tmp_path: Path, own_cache: Path
) -> None:
    model = model_file(tmp_path / "m.safetensors", "fcn8s")
    progress = Lines()
    source = picture(tmp_path / "a.png", 60, 90)
    expected = pixelwise.load(model).predict(source).labels
    found = pixelwise.load(model, runtime="auto", progress=progress).predict(source).labels
    assert (found == expected).mean() > 0.99
    assert "openvino bfloat16" in progress.said[0]
    assert "onnxruntime float32" in progress.said[0]
    (network,) = own_cache.glob("*.onnx")
    network.write_bytes(b"damaged")
    for runtime in ("onnxruntime", "openvino"):
        assert (
            pixelwise.load(model, runtime=runtime).predict(source).labels == expected
        ).mean() > 0.999
        network.write_bytes(b"damaged again")
    pixelwise.load(model, runtime="openvino").predict(source)
    whole = network.read_bytes()
    network.write_bytes(
        whole[: len(whole) // 2] + bytes(100_000) + whole[len(whole) // 2 + 100_000 :]
    )
    assert (
        pixelwise.load(model, runtime="openvino").predict(source).labels == expected
    ).mean() > 0.999
    assert network.read_bytes() == whole
    assert auto.cache_folder() == own_cache


def test_auto_takes_the_nearest_where_none_of_a_given_precision_agrees(tmp_path: Path) -> None:
    tile = np.random.default_rng(0).integers(0, 256, (1, 3, 8, 8), np.uint8)
    kinds = {"torch float32": 1.0, "torch bfloat16": -1.0, "openvino bfloat16": 0.0}
    candidates = {
        name: lambda factor=factor: lambda rgb: rgb * np.float32(factor)
        for name, factor in kinds.items()
    }
    progress = Lines()
    runner = AutoRunner(
        candidates, remembered=tmp_path / "a.json", progress=progress, precision="bfloat16"
    )  # type: ignore[arg-type]
    assert not runner(tile).any()  # labels of zeros are all 0, those of the other are never right
    assert progress.said[0].startswith(
        "runtime openvino bfloat16: of bfloat16 the nearest, as none agrees"
    )


def test_auto_keeps_to_a_precision_that_is_given(tmp_path: Path, own_cache: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", "fcn8s")
    progress = Lines()
    source = picture(tmp_path / "a.png", 60, 90)
    for precision in ("float32", "bfloat16"):
        progress.said.clear()
        pixelwise.load(model, runtime="auto", precision=precision, progress=progress).predict(
            source
        )
        assert progress.said[0].startswith("runtime ")
        assert progress.said[0].split()[2] == f"{precision}:"
        assert (own_cache / next(own_cache.glob(f"*-{precision}.json")).name).is_file()


def test_a_runtime_that_does_not_exist_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'openvino'"):
        pixelwise.load(model_file(tmp_path / "m.safetensors"), runtime="openvinno")


def test_auto_prepares_other_runtimes_only_where_it_pays_or_is_known(tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", "fcn32s")
    photo = picture(tmp_path / "photo.png", 200, 300)
    worth = load_module.worth_measuring
    assert worth("auto", [photo, tmp_path / "absent.png"], model) == "torch"
    assert worth("auto", [photo] * 500, model) == "auto"
    assert worth("auto", [photo], tmp_path / "m.onnx") == "auto"
    assert worth("openvino", [photo], model) == "openvino"
    pixelwise.load(model, runtime="auto").predict(photo)
    assert worth("auto", [photo], model) == "auto"


def test_a_known_runtime_labels_without_importing_pytorch(tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", "fcn32s")
    photo = picture(tmp_path / "photo.png", 50, 60)
    pixelwise.load(model, runtime="openvino")  # leaves the network in the cache
    code = f"""
import sys, pixelwise
pixelwise.load({str(model)!r}, runtime="openvino").predict({str(photo)!r}).save({str(tmp_path)!r}, "mask")
assert not {{"torch", "timm", "torchvision"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=dict(os.environ))
    with Image.open(tmp_path / "mask.png") as mask:
        assert (np.asarray(mask) == pixelwise.load(model).predict(photo).labels).mean() > 0.999


def test_masks_that_are_there_are_left_and_those_of_another_model_refused(tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", "fcn32s")
    out = tmp_path / "out"
    images = [picture(tmp_path / f"{name}.png", 20 + n, 30) for n, name in enumerate("abc")]
    predictor = pixelwise.load(model)
    recipe = Recipe.of(model, overwrite=False, tta=False)
    first = predict_files(predictor, images[:2], out, recipe=recipe)
    assert [p.name for p in first.written] == ["a.png", "b.png"]
    (out / "a.png").unlink()
    stamp = (out / "b.png").stat().st_mtime_ns
    second = predict_files(predictor, images, out, recipe=recipe)
    assert [p.name for p in second.written] == ["a.png", "c.png"]
    assert second.skipped == (images[1],)
    assert (out / "b.png").stat().st_mtime_ns == stamp
    other = Recipe.of(model_file(tmp_path / "n.safetensors", "fcn16s"), overwrite=False, tta=False)
    with pytest.raises(ConfigError, match="masks of 3 of these images, made with another model"):
        predict_files(predictor, images, out, recipe=other)
    anew = predict_files(predictor, images, out, recipe=Recipe(other.made_with, overwrite=True))
    assert len(anew.written) == 3
    with_overlay = predict_files(
        predictor, images, out, choices=PredictOptions(overlay=True), recipe=other
    )
    assert len(with_overlay.written) == 3  # their overlays were not there yet


def test_a_stopped_overwrite_leaves_no_mask_of_the_other_model(tmp_path: Path) -> None:
    """Killed after the first of two images, and started again without --overwrite: the second is
    made anew as well.
    """
    images = [picture(tmp_path / f"{name}.png", 20, 30) for name in "ab"]
    old, new = (model_file(tmp_path / f"{d}.safetensors", d) for d in ("fcn32s", "fcn16s"))
    first, second = (Recipe.of(model, overwrite=False) for model in (old, new))
    predict_files(pixelwise.load(old), images, tmp_path / "out", recipe=first)
    predictor = pixelwise.load(new)
    predict_files(
        predictor, images[:1], tmp_path / "out", recipe=Recipe(second.made_with, overwrite=True)
    )
    again = predict_files(predictor, images, tmp_path / "out", recipe=second)
    assert [path.name for path in again.written] == ["b.png"]
    assert again.skipped == (images[0],)


def test_a_cache_that_cannot_be_written_leaves_pytorch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    model = model_file(tmp_path / "m.safetensors", "fcn32s")
    progress = Lines()
    source = picture(tmp_path / "a.png", 40, 40)
    found = pixelwise.load(model, runtime="auto", progress=progress).predict(source).labels
    assert (found == pixelwise.load(model).predict(source).labels).mean() > 0.99
    assert (
        sum(
            line.startswith("runtime o") and " left out: cannot write" in line
            for line in progress.said
        )
        == 3
    )


def test_a_candidate_that_fails_at_its_first_tile_is_left_out(tmp_path: Path) -> None:
    def failing(rgb: np.ndarray) -> np.ndarray:
        raise ModelError("cannot be compiled")

    candidates = {
        "torch float32": lambda: lambda rgb: rgb.astype(np.float32),
        "other": lambda: failing,
    }
    progress = Lines()
    tile = np.zeros((1, 3, 8, 8), np.uint8)
    runner = AutoRunner(candidates, remembered=tmp_path / "choice.json", progress=progress)  # type: ignore[arg-type]
    assert np.array_equal(runner(tile), tile)
    assert progress.said[0] == "runtime other left out: cannot be compiled"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "cuda"}, "exported models run on the CPU"),
        ({"precision": "bfloat16"}, "computes in float32"),
    ],
)
def test_options_that_an_exported_model_cannot_have_are_refused(
    tmp_path: Path, options: dict[str, str], said: str
) -> None:
    export(model_file(tmp_path / "m.safetensors", "fcn32s"), tmp_path / "m.onnx")
    with pytest.raises(ConfigError, match=said):
        pixelwise.load(tmp_path / "m.onnx", **options)  # type: ignore[arg-type]
    assert pixelwise.load(tmp_path / "m.onnx", precision="bfloat16", runtime="openvino")


def test_the_commands_export_and_predict_from_onnx(tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", "fcn8s")
    run = CliRunner()
    picture(tmp_path / "a.png", 50, 70)
    done = run.invoke(
        app,
        [
            "export",
            str(model),
            "--out",
            str(tmp_path / "m.onnx"),
            "--images",
            str(tmp_path / "a.png"),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "labels agree on 100.000 %" in done.output
    command = [
        "predict",
        str(tmp_path / "m.onnx"),
        str(tmp_path / "a.png"),
        "--out",
        str(tmp_path / "masks"),
    ]
    assert run.invoke(app, command).exit_code == 0
    assert "1 were there already" in run.invoke(app, command).output
    expected = pixelwise.load(model).predict(tmp_path / "a.png").labels
    with Image.open(tmp_path / "masks/a.png") as mask:
        assert (np.asarray(mask) == expected).mean() > 0.999


def test_batch_norms_and_sizes_stay_free_in_the_file(tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", "linknet", "tf_efficientnet_lite0")
    export(model, tmp_path / "m.onnx")
    runner = pixelwise.load(tmp_path / "m.onnx").runner
    network, _ = load_model(model)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 40, 70), np.uint8)
    with torch.no_grad():
        expected = nn.Module.eval(network)(torch.from_numpy(pixels).float() / 255)
    np.testing.assert_allclose(runner(pixels), expected, atol=1e-3)


def test_the_example_without_pixelwise_gives_the_same_mask(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples/predict_onnx.py"
    model = model_file(tmp_path / "m.safetensors", "fcn8s")
    export(model, tmp_path / "m.onnx")
    photo = picture(tmp_path / "photo.png", 70, 1500)  # wider than a tile
    command = [
        sys.executable,
        str(example),
        str(tmp_path / "m.onnx"),
        str(photo),
        str(tmp_path / "mask.png"),
    ]
    subprocess.run(command, check=True, cwd=tmp_path)
    expected = pixelwise.load(tmp_path / "m.onnx", runtime="onnxruntime").predict(photo)
    with Image.open(tmp_path / "mask.png") as mask:
        assert (np.asarray(mask) == expected.labels).mean() > 0.9999
        assert tuple(mask.getpalette()[3:6]) == expected.palette[1]  # type: ignore[index]
    lines = example.read_text().split('"""')[2].splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 40


def test_openvino_leaves_the_signal_stack_as_it_was(tmp_path: Path) -> None:
    """It puts one in place that does not hold, on which Python's signal handlers crash."""
    model = model_file(tmp_path / "m.safetensors", "fcn32s")
    code = f"""
import ctypes, numpy, pixelwise
def stack():
    found = (ctypes.c_uint64 * 3)()
    ctypes.CDLL(None).sigaltstack(None, found)
    return list(found)
before = stack()
runner = pixelwise.load({str(model)!r}, runtime="openvino").runner
runner(numpy.zeros((1, 3, 64, 64), numpy.uint8))
print(stack() == before)
"""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.stdout == "True\n", (done.returncode, done.stderr)


def test_an_openvino_file_gives_the_same_masks_and_names_its_classes(tmp_path: Path) -> None:
    model = model_file(tmp_path / "m.safetensors", "fcn8s")
    photo = picture(tmp_path / "a.png", 50, 70)
    done = export(model, tmp_path / "m.xml", images=[photo])
    assert done.agreement == 1.0
    found = pixelwise.load(tmp_path / "m.xml", runtime="auto")
    assert found.classes.names == NAMES
    assert (
        found.predict(photo).labels == pixelwise.load(model).predict(photo).labels
    ).mean() > 0.999
    with pytest.raises(ConfigError, match="leave out --runtime"):
        pixelwise.load(tmp_path / "m.xml", runtime="onnxruntime")
    (tmp_path / "foreign.xml").write_text(
        (tmp_path / "m.xml").read_text().replace("pixelwise", "somebody")
    )
    (tmp_path / "foreign.bin").write_bytes((tmp_path / "m.bin").read_bytes())
    (tmp_path / "cut.xml").write_text((tmp_path / "m.xml").read_text()[:900])
    (tmp_path / "cut.bin").write_bytes(b"")
    (tmp_path / "m.bin").unlink()
    for name, reason in (
        ("foreign", "it has no 'pixelwise'"),
        ("cut", "damaged"),
        ("m", r"m\.bin is missing"),
    ):
        with pytest.raises(ModelError, match=reason):
            pixelwise.load(tmp_path / f"{name}.xml")


def test_int8_is_kept_within_its_bound_only(
    tmp_path: Path,
    shapes: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("nncf")
    config = ModelConfig("fcn32s", "resnet18", 4)
    torch.manual_seed(0)
    names = ("background", "circle", "square", "triangle")
    save_model(
        tmp_path / "m.safetensors", build_segmenter(config), Header(config, Classes.named(names))
    )
    done = int8.export_int8(tmp_path / "m.safetensors", tmp_path / "m.xml", shapes)
    assert done.images == 4
    assert abs(done.mean_iou[0] - done.mean_iou[1]) <= int8.LARGEST_LOSS
    assert capsys.readouterr().out == ""
    assert b'element_type="i8"' in (tmp_path / "m.xml").read_bytes()
    scored = pixelwise.evaluate(
        pixelwise.load(tmp_path / "m.xml"), shapes, split="val"
    ).scores.mean_iou
    assert scored == pytest.approx(done.mean_iou[1], abs=1e-6)
    monkeypatch.setattr(int8, "LARGEST_LOSS", -1.0)
    with pytest.raises(ModelError, match="nothing was written"):
        int8.export_int8(tmp_path / "m.safetensors", tmp_path / "n.xml", shapes)
    assert not list(tmp_path.glob("n.*"))
    with pytest.raises(ConfigError, match=r"ends in \.xml"):
        int8.export_int8(tmp_path / "m.safetensors", tmp_path / "m.onnx", shapes)


def test_the_two_files_of_openvino_belong_together(tmp_path: Path) -> None:
    export(model_file(tmp_path / "m.safetensors", "fcn32s"), tmp_path / "m.xml")
    before = Recipe.of(tmp_path / "m.xml", overwrite=False)
    weights = bytearray((tmp_path / "m.bin").read_bytes())
    weights[len(weights) // 2] ^= 1
    (tmp_path / "m.bin").write_bytes(
        weights
    )  # as by another training: as long, and read without a complaint
    assert Recipe.of(tmp_path / "m.xml", overwrite=False) != before
    with pytest.raises(ModelError, match=r"m\.bin is of another export, or damaged"):
        pixelwise.load(tmp_path / "m.xml")


@pytest.mark.parametrize(
    "header", ["{", "[]", "{}", '{"format_version": 1}', '{"format_version": 1, "classes": []}']
)
def test_a_header_that_makes_no_sense_is_no_model(header: str, tmp_path: Path) -> None:
    names = ("rgb", "logits")
    given, made = (
        onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in names
    )
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["rgb"], ["logits"])], "g", [given], [made]
    )
    network = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    found = openvino.Core().read_model(network.SerializeToString())
    onnx.helper.set_model_props(network, {"pixelwise": header})
    onnx.save(network, tmp_path / "m.onnx")
    found.set_rt_info(header, "pixelwise")
    openvino.save_model(found, tmp_path / "m.xml")
    for name in ("m.onnx", "m.xml"):
        with pytest.raises(ModelError, match=f"model .*{name}: "):
            pixelwise.load(tmp_path / name)


def test_a_network_that_gives_no_numbers_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nothing(export_module.OnnxRunner):
        def __call__(self, rgb: np.ndarray) -> np.ndarray:
            logits = super().__call__(rgb)
            logits[0, logits[0, :, 0, 0].argmin(), 0, 0] = (
                np.nan
            )  # argmax takes NaN for the largest: one label differs
            return logits

    monkeypatch.setattr(export_module, "OnnxRunner", Nothing)
    with pytest.raises(ModelError, match="differs from PyTorch's by up to nan"):
        export(model_file(tmp_path / "m.safetensors", "fcn32s"), tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()
