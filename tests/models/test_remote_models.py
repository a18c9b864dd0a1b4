"""Addresses of models, and models in stores of fsspec: the one in memory, and a folder."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from pixelwise.errors import ConfigError, ModelError
from pixelwise.models import remote_models
from pixelwise.models.checkpoint import BUNDLED, is_model, load_model, model_path
from pixelwise.models.remote_models import Address, fetch_model, parse_address

BYTES = (BUNDLED / "animals.safetensors").read_bytes()
HASH = hashlib.sha256(BYTES).hexdigest()
URI = "memory://models/pets"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    fetch_model.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    memory = fsspec.filesystem("memory")
    memory.pipe(
        {f"{URI}/model.safetensors": BYTES, f"{URI}/model.safetensors.sha256": HASH.encode()}
    )
    yield memory
    memory.rm("/models", recursive=True)
    fetch_model.cache_clear()


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("hf://me/pets", "hf://me/pets"),
        (Path("hf://me/pets@v1"), "hf://me/pets@v1"),
        (Path("s3://bucket/a"), "s3://bucket/a"),
        (Path("file:///data/a"), "file:///data/a"),
        ("runs/1", None),
        ("C:/runs/1", None),
        ("animals", None),
    ],
)
def test_addresses_are_known_also_as_paths(text: str | Path, uri: str | None) -> None:
    address = parse_address(text)
    assert (address.uri if address else None) == uri


def test_a_file_of_a_store_lies_beside_its_hash() -> None:
    folder = Address("s3://bucket/a/")
    assert folder.at("model.safetensors") == "s3://bucket/a/model.safetensors"
    file = Address("s3://bucket/a/pets.safetensors")
    assert file.at("model.safetensors") == "s3://bucket/a/pets.safetensors"
    assert file.at("model.safetensors.sha256") == "s3://bucket/a/pets.safetensors.sha256"
    assert file.at("README.md") == "s3://bucket/a/README.md"
    assert Address("hf://me/pets@v1").repo() == ("me/pets", "v1")
    with pytest.raises(ConfigError, match="give hf://owner/name"):
        Address("hf://me/pets/deeper").repo()


def test_a_model_in_a_store_is_a_model(store: fsspec.AbstractFileSystem) -> None:
    assert is_model(Path(URI))
    assert load_model(Path(URI))[1].classes.names[:2] == ("background", "cat")


def test_the_file_is_fetched_again_when_its_hash_changes(store: fsspec.AbstractFileSystem) -> None:
    path = model_path(Path(URI))
    changed = path.stat().st_mtime_ns
    fetch_model.cache_clear()
    assert model_path(Path(URI)).stat().st_mtime_ns == changed
    other = BYTES + b" "
    store.pipe(f"{URI}/model.safetensors", other)
    fetch_model.cache_clear()
    assert model_path(Path(URI)).read_bytes() == BYTES  # the promise is still the old one
    store.pipe(f"{URI}/model.safetensors.sha256", hashlib.sha256(other).hexdigest().encode())
    fetch_model.cache_clear()
    assert model_path(Path(URI)).read_bytes() == other


def test_damaged_and_missing_files_are_one_line(
    store: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    store.pipe(f"{URI}/model.safetensors", BYTES[:1000])
    with pytest.raises(ModelError, match=r"its hash is .*; it was damaged on the way or exchanged"):
        model_path(Path(URI))
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
    store.pipe(f"{URI}/model.safetensors.sha256", b"none")
    with pytest.raises(ModelError, match="is no SHA-256"):
        model_path(Path(URI))
    with pytest.raises(ModelError, match=r"memory://other: no model\.safetensors is there"):
        model_path(Path("memory://other"))
    with pytest.raises(ConfigError, match="no store is called nostore"):
        model_path(Path("nostore://a"))


def test_a_store_that_is_away_leaves_the_cache_and_a_missing_hash_is_said(
    store: fsspec.AbstractFileSystem,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store.rm(f"{URI}/model.safetensors.sha256")
    assert model_path(Path(URI)).read_bytes() == BYTES
    assert "the file is taken unchecked" in caplog.text

    def away(uri: str) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(remote_models, "filesystem", away)
    fetch_model.cache_clear()
    assert model_path(Path(URI)).read_bytes() == BYTES
    assert "cannot be reached (no route); the copy in the cache is used" in caplog.text
    with pytest.raises(ModelError, match=r"memory://other: cannot be fetched \(no route\)"):
        model_path(Path("memory://other"))
