import json
import tarfile
from pathlib import Path

import pytest

from pixelwise.errors import ConfigError
from pixelwise.serving.web_runtime import WebRuntime, read_web_runtime


def write_package(folder: Path, version: str = "1.30.0", name: str = "onnxruntime-web") -> Path:
    (folder / "dist").mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": name, "version": version}))
    (folder / "dist/ort.wasm.min.js").write_bytes(b"script")
    (folder / "dist/ort-wasm-simd-threaded.mjs").write_bytes(b"glue")
    (folder / "dist/ort-wasm-simd-threaded.wasm").write_bytes(b"wasm")
    return folder


def pack(package: Path, file: Path) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        archive.add(package, "package")
    return file


def test_a_folder_and_the_file_of_npm_pack_are_read_alike(tmp_path: Path) -> None:
    package = write_package(tmp_path / "unpacked")
    expected = WebRuntime("1.30.0", b"script", b"glue", b"wasm")
    assert read_web_runtime(package) == expected
    assert read_web_runtime(pack(package, tmp_path / "any.tgz")) == expected


def test_the_newest_of_the_current_folder_is_taken_and_one_installed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"not in this folder: `npm pack onnxruntime-web`"):
        read_web_runtime()
    for version in ("1.9.0", "1.30.0", "1.23.2"):
        package = write_package(tmp_path / version, version)
        pack(package, tmp_path / f"onnxruntime-web-{version}.tgz")
    assert read_web_runtime().version == "1.30.0"
    write_package(tmp_path / "node_modules/onnxruntime-web", "1.24.0")
    assert read_web_runtime().version == "1.24.0"


@pytest.mark.parametrize(
    ("version", "name", "message"),
    [
        ("1.19.2", "onnxruntime-web", r"onnxruntime-web 1\.19\.2, but .* 1\.20 or later"),
        ("1.30.0", "onnxruntime-node", r"onnxruntime-node 1\.30\.0, but onnxruntime-web"),
    ],
)
def test_another_package_or_an_old_one_is_refused(
    version: str, name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_web_runtime(write_package(tmp_path / "p", version, name))


def test_what_is_no_package_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tgz"
    broken.write_bytes(b"<html>not found</html>")
    for path in (broken, tmp_path / "absent.tgz"):
        with pytest.raises(ConfigError, match=r"no npm package can be read there.*npm pack"):
            read_web_runtime(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no npm package lies there"):
        read_web_runtime(tmp_path / "empty")
    package = write_package(tmp_path / "half")
    (package / "dist/ort-wasm-simd-threaded.wasm").unlink()
    for path in (package, pack(package, tmp_path / "half.tgz")):
        with pytest.raises(ConfigError, match=r"lacks one of .*threaded\.wasm"):
            read_web_runtime(path)
