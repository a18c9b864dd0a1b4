import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pixelwise
from pixelwise.classes import Classes
from pixelwise.datasets.synthetic import write_shapes
from pixelwise.inference.backends.onnx_file import write_onnx
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter
from pixelwise.progress import Progress

torch.set_num_threads(1)  # small tensors: more threads only wait for each other

NAMES = ("background", "circle", "square", "triangle")

REAL_DATA = Path(__file__).parents[2] / "shared/data"


@pytest.fixture(scope="session", autouse=True)
def _session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Scans of data sets and choices of runtimes stay out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """What a power failure would leave cannot be tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip("the real data sets are not on this machine")
    return REAL_DATA


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small generated data set: 12 training, 4 validation and 4 test images."""
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, train=12, val=4, test=4, size=(64, 96), seed=3)
    return folder


@pytest.fixture(scope="session")
def overlapping(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red and blue boxes that overlap, a mask a class: 8 training, 4 validation and 2 test images."""
    folder = tmp_path_factory.mktemp("overlapping")
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4), ("test", 2)):
        for number in range(count):
            left = int(rng.integers(4, 16))
            red, blue = np.zeros((2, 32, 48), bool)
            red[4:24, left : left + 20] = True
            blue[12:30, left + 10 : left + 28] = True
            rgb = np.stack([red, np.zeros_like(red), blue], axis=2) * np.uint8(200)
            files = {"images/{}/{}.png": rgb}
            files["masks/{}/{}_red.png"] = red * np.uint8(255)
            files["masks/{}/{}_blue.png"] = blue * np.uint8(255)
            for name, pixels in files.items():
                path = folder / name.format(split, number)
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="session")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of overlapping classes, blue and red, with random weights."""
    path = tmp_path_factory.mktemp("layered") / "model.safetensors"
    torch.manual_seed(0)
    config = ModelConfig("fcn32s", "test_resnet", 2, thresholds=(0.4, 0.6))
    classes = Classes(("blue", "red"), ((0, 0, 255), (255, 0, 0)))
    header = Header(config, classes, {"reading": {"multilabel": True}})
    save_model(path, build_segmenter(config), header)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    rgb = np.random.default_rng(0).integers(0, 256, (48, 70, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(path, quality=95)
    return path


def write_picture(path: Path, height: int, width: int) -> Path:
    """Noise, the same for the same height."""
    rng = np.random.default_rng(height)
    Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[str, int, int], Path]:
    """Writes a picture of that name, height and width."""
    return lambda name, height, width: write_picture(tmp_path / name, height, width)


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Gives model files of untrained networks of three classes, written once: not to be changed."""
    folder = tmp_path_factory.mktemp("models")

    @cache
    def write(decoder: str = "fcn32s", encoder: str = "test_resnet", scale: float = 1.0) -> Path:
        torch.manual_seed(0)
        config = ModelConfig(decoder, encoder, 3, scale=scale)
        classes = Classes.named(("sky", "road", "car"))
        path = folder / f"{decoder}_{encoder}_{scale}.safetensors"
        save_model(path, build_segmenter(config), Header(config, classes, {"crop": [64, 96]}))
        return path

    return write


@pytest.fixture(scope="session")
def exported_file(
    tmp_path_factory: pytest.TempPathFactory, model_file: Callable[..., Path]
) -> Callable[..., Path]:
    """Gives model files as `export` writes them, by suffix, written once: not to be changed."""
    from pixelwise.export.exporter import export

    folder = tmp_path_factory.mktemp("exported")
    photo = write_picture(folder / "photo.png", 70, 45)

    @cache
    def write(suffix: str, decoder: str = "fcn32s") -> Path:
        return export(model_file(decoder), folder / f"{decoder}{suffix}", images=[photo]).path

    return write


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/pixelwise"


class RecordedProgress(Progress):
    """Keeps the lines that are logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def recorded() -> Callable[[], RecordedProgress]:
    """Makes a Progress that keeps its `lines`."""
    return RecordedProgress


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file with one convolution of random weights: labels depend on every pixel, and no
    PyTorch is needed.
    """
    onnx = pytest.importorskip("onnx", reason="the extra export is not installed")
    pytest.importorskip("onnxruntime", reason="the extra export is not installed")
    rgb = onnx.helper.make_tensor_value_info("rgb", onnx.TensorProto.UINT8, ["n", 3, "h", "w"])
    logits = onnx.helper.make_tensor_value_info(
        "logits", onnx.TensorProto.FLOAT, ["n", 4, "h", "w"]
    )
    weights = np.random.default_rng(0).normal(size=(4, 3, 5, 5)).astype(np.float32)
    nodes = [
        onnx.helper.make_node("Cast", ["rgb"], ["x"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("Conv", ["x", "w"], ["logits"], pads=[2, 2, 2, 2]),
    ]
    graph = onnx.helper.make_graph(
        nodes, "g", [rgb], [logits], [onnx.numpy_helper.from_array(weights, "w")]
    )
    network = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    path = tmp_path_factory.mktemp("model") / "m.onnx"
    header = Header(ModelConfig("fcn32s", "resnet10t", 4), Classes.named(NAMES))
    write_onnx(path, network.SerializeToString(), header)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of 12 pictures of noise, of several sizes."""
    folder = tmp_path / "in"
    rng = np.random.default_rng(1)
    folder.mkdir()
    for number in range(12):
        rgb = rng.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
        Image.fromarray(rgb).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an empty bucket on a local server that speaks S3 over HTTP."""
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    s3fs = pytest.importorskip("s3fs", reason="the extra cluster is not installed")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        s3fs.S3FileSystem().mkdir("pixels")
        yield "s3://pixels"
    server.stop()


@pytest.fixture
def shards(images: Path, tmp_path: Path) -> Path:
    """A folder of two shards by the system's tar, with 6 pictures each and what belongs to a sample
    besides.
    """
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in range(12):
        (images / f"{number:02}.json").write_text("{}")
        (images / f"{number:02}.seg.png").write_bytes(b"a mask")
    names = sorted(path.name for path in images.iterdir())
    for number, part in enumerate((names[:18], names[18:])):
        subprocess.run(
            ["tar", "-cf", folder / f"part-{number}.tar", "-C", images, *part], check=True
        )
    for path in [*images.glob("*.json"), *images.glob("*.seg.png")]:
        path.unlink()
    return folder


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., None]:
    """Runs the ffmpeg of this machine."""
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("no ffmpeg is on the PATH")

    def run(*arguments: object) -> None:
        subprocess.run([program, "-v", "error", "-y", *map(str, arguments)], check=True, timeout=60)

    return run


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory, ffmpeg: Callable[..., None]) -> Path:
    """Twelve frames of 64 x 48 pixels at 30000/1001 a second, with sound: not to be changed."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=30000/1001:duration=0.4")
    sound = ("-f", "lavfi", "-i", "sine=duration=0.4")
    ffmpeg(*picture, *sound, "-pix_fmt", "yuv420p", "-movflags", "faststart", path)
    return path


@pytest.fixture
def fake_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a Python program called ffmpeg on the PATH, alone, with these lines in it."""
    if os.name != "posix":
        pytest.skip("a script is no program on Windows")

    def write(lines: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "ffmpeg"
        program.write_text(f"#!{sys.executable}\nimport sys\n{textwrap.dedent(lines)}")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return write


@pytest.fixture(scope="session")
def trained_run(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("trained") / "run"
    pixelwise.train(shapes, run, epochs=1, crop=(32, 32), precision="float32")
    return run


@pytest.fixture
def page_desk(shapes: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(shapes, tmp_path / "data")
    with Image.open(photo) as picture:
        larger = picture.resize((140, 96))
    for name in ("photo.jpg", "painting.jpg", "survey.tif"):
        larger.save(tmp_path / name)  # style needs more pixels than the small photo has
    larger.convert("L").save(tmp_path / "photo_matte.png")
    (tmp_path / "photos").mkdir()
    shutil.copy(photo, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path
