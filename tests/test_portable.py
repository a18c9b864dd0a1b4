"""What other systems lack is not taken for granted: simulated here, tried by the workflow there."""

import ast
import ctypes
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pixelwise import malloc
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.inference.backends.autotune import has_graphics_card, machine_key
from pixelwise.inference.backends.signal_stack import keep_signal_stack
from pixelwise.io.atomic import lock_folder, write_text
from pixelwise.labelling.dataset import _place_image
from pixelwise.training import loaders
from pixelwise.training.loaders import TrainingSet, WholeImages
from pixelwise.training.transforms import Augmentation

SOURCE = Path(__file__).parents[1] / "src/pixelwise"

# Other packages first: only this one must do without.
IMPORT_ALL = """
import importlib, importlib.abc, os, pkgutil, sys
import torch, torchvision, timm, lightning_fabric, matplotlib.pyplot, scipy.optimize, rich.console
import multiprocessing.popen_spawn_posix, torch.multiprocessing, torch.profiler
for name in ("uvicorn", "fastapi", "rasterio", "onnx", "onnxruntime", "openvino"):
    try:
        importlib.import_module(name)
    except ImportError:
        pass

ABSENT = {"fcntl", "resource", "pwd", "grp", "termios", "posix"}

class Windows(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in ABSENT:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Windows())
for name in ("sched_getaffinity", "getuid", "fork", "killpg"):
    if hasattr(os, name):
        delattr(os, name)
import pixelwise
for module in pkgutil.walk_packages(pixelwise.__path__, "pixelwise."):
    if module.name != "pixelwise.__main__":
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            assert error.name not in ABSENT, (module.name, error)
            assert not error.name.startswith("pixelwise"), (module.name, error)
assert pixelwise.hardware.count_cores() >= 1
"""


def test_every_module_is_imported_without_what_windows_lacks() -> None:
    subprocess.run([sys.executable, "-c", IMPORT_ALL], check=True, timeout=200)


def test_text_is_never_read_or_written_in_the_systems_own_encoding() -> None:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            keywords = {keyword.arg for keyword in node.keywords}
            modes = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            is_text = node.func.attr in ("read_text", "write_text") or (
                node.func.attr == "open"
                and bool(modes)
                and modes[0] in ("r", "w", "a", "x")
                and None not in keywords  # rasterio's
            )
            assert not is_text or "encoding" in keywords, f"{path}:{node.lineno}"


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_the_c_library_of_other_systems_is_left_alone(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("asked for the C library")

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    with malloc.retain_memory(), keep_signal_stack():
        malloc.trim_memory()
    assert loaders._start_method(2) is None


def test_workers_are_forked_on_linux_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    assert loaders._start_method(2) == "fork"
    assert loaders._start_method(0) is None


def test_a_machine_has_a_name_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(path: Path, *_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", unreadable)
    assert len(machine_key()) == 10


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_a_graphics_card_is_known_by_its_driver_where_there_is_no_dev(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    for program in (None, r"C:\Windows\System32\nvidia-smi.exe"):
        monkeypatch.setattr("shutil.which", lambda name, program=program: program)
        assert has_graphics_card() == (program is not None)


def test_a_folder_is_let_in_where_there_are_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with lock_folder(tmp_path / "a"), lock_folder(tmp_path / "a"):
        (tmp_path / "a/b").touch()
    assert (tmp_path / "a/b").is_file()


def test_a_photo_of_another_drive_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, start: Path) -> str:  # as Windows does
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr(os.path, "relpath", refuse)
    source = tmp_path / "a.png"
    source.write_bytes(b"photo")
    target = tmp_path / "labels/images/a.png"
    _place_image(target, source, copy=False)
    assert not target.is_symlink()
    assert target.read_bytes() == b"photo"


def test_lines_end_as_they_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[object] = []
    plain = Path.write_text

    def write(path: Path, text: str, **options: object) -> int:
        lines.append(options.get("newline"))
        return plain(path, text, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "write_text", write)
    write_text(tmp_path / "a.csv", "1\n2\n")
    assert (tmp_path / "a.csv").read_bytes() == b"1\n2\n"
    assert lines == ["\n"]  # on Windows None would write \r\n


def test_names_are_printed_in_a_code_page_that_lacks_their_letters(tmp_path: Path) -> None:
    name = "\u65e5\u672c"
    data = tmp_path / name
    for folder, count in (("images", 2), ("masks", 1)):
        (data / folder).mkdir(parents=True)
        for number in range(count):
            (data / folder / f"{name}{number}.png").write_bytes(b"")
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0", "COLUMNS": "300"}
    for words in (["check", str(data)], ["--help"]):
        done = subprocess.run(
            [sys.executable, "-m", "pixelwise", *words],
            capture_output=True,
            env=environment,
            timeout=200,
            check=False,
        )
        assert b"UnicodeEncodeError" not in done.stderr
        assert b"Traceback" not in done.stderr
        assert done.stdout + done.stderr


def test_samples_can_be_sent_to_workers_that_are_not_forked(shapes: Path) -> None:
    dataset = open_dataset(shapes, DataOptions())
    samples = TrainingSet(
        dataset.pairs("train"), dataset.read_labels, Augmentation((32, 32)), seed=0
    )
    whole = WholeImages(dataset.pairs("val"), dataset.read_labels)
    copies = pickle.loads(pickle.dumps((samples, whole)))
    for mine, other in zip(samples[1, 2], copies[0][1, 2], strict=True):
        assert torch.equal(mine, other)
    assert torch.equal(whole[0][0][0], copies[1][0][0][0])
