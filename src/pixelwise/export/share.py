"""Models to and from an address: the model file, its hash and its card."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pixelwise.errors import ConfigError, ModelError, OutputError, PixelwiseError, first_line
from pixelwise.export.model_card import UNKNOWN, CardFacts, collect_sources, write_card
from pixelwise.io.atomic import atomic, check_is_new
from pixelwise.io.storage import filesystem
from pixelwise.models.checkpoint import Header, model_path, read_header
from pixelwise.models.remote_models import (
    CARD,
    FILE,
    HASH_FILE,
    Address,
    explain_hub_errors,
    fetch_card,
    hash_file,
    hub_endpoint,
    parse_address,
)


@dataclass(frozen=True)
class Pushed:
    """What was written, and what its card cannot say."""

    uri: str
    digest: str
    unknowns: tuple[str, ...]


@dataclass(frozen=True)
class Pulled:
    """Where the model is now, and what it says of itself."""

    path: Path
    header: Header
    digest: str


def push(
    model: str | Path,
    to: str,
    *,
    scores: str | Path | None = None,
    licence: str = UNKNOWN,
    data_licence: str = UNKNOWN,
    public: bool = False,
) -> Pushed:
    """Write a model file, its SHA-256 and a card to an address; nothing else of the run leaves.

    model: run folder or model file. to: hf://owner/name, which is made where it is not there, for
    its owner alone unless `public`, or a folder in a store of fsspec. scores: a file of `evaluate
    --json`. Raises ConfigError for what is no address, ModelError for what the hub refuses, and
    OutputError where nothing can be written.
    """
    address = _parse(to)
    path = model_path(Path(model))
    header = read_header(path)
    facts = CardFacts(licence, data_licence, scores)
    sources = collect_sources(path, header, facts)
    digest = hash_file(path)
    with TemporaryDirectory(prefix="pixelwise-") as folder:
        stage = Path(folder)
        shutil.copyfile(path, stage / FILE)
        (stage / HASH_FILE).write_text(f"{digest}  {FILE}\n", encoding="utf-8")
        (stage / CARD).write_text(write_card(sources), encoding="utf-8")
        if address.is_hub:
            _push_to_hub(address, stage, public=public)
        else:
            _push_to_store(address, stage)
    return Pushed(address.uri, digest, tuple(sources.unknowns()))


def _parse(uri: str) -> Address:
    address = parse_address(uri)
    if address is None:
        raise ConfigError(
            f"{uri}: is no address; give hf://owner/name, or a store such as s3://bucket/models/a"
        )
    return address


def _push_to_hub(address: Address, stage: Path, *, public: bool) -> None:
    from huggingface_hub import HfApi

    repo, revision = address.repo()
    api = HfApi(endpoint=hub_endpoint(), library_name="pixelwise")
    try:
        with explain_hub_errors(address):
            api.create_repo(repo, private=not public, exist_ok=True)
            api.upload_folder(
                repo_id=repo,
                folder_path=stage,
                revision=revision,
                commit_message="Model of pixelwise",
            )
    except PixelwiseError:
        raise
    except Exception as error:  # of several libraries, without a base class but Exception
        raise OutputError(
            f"{address.uri}: cannot be written ({first_line(error)}); `hf auth login` or HF_TOKEN "
            "says who you are"
        ) from error


def _push_to_store(address: Address, stage: Path) -> None:
    """The hash goes last: until then a reader finds that it differs."""
    store = filesystem(address.uri)
    try:
        store.makedirs(address.at(FILE).rpartition("/")[0], exist_ok=True)
        for name in (FILE, CARD, HASH_FILE):
            store.put_file(str(stage / name), address.at(name))
    except Exception as error:  # what stores raise has no base class but Exception
        raise OutputError(
            f"{address.uri}: cannot be written ({first_line(error)}); check the address and your "
            "rights there"
        ) from error


def pull(address: str, out: str | Path | None = None) -> Pulled:
    """Copy the model at an address (what was made of another library's) and its card to the new
    folder `out`, which is called as the last part of the address by default. Raises ConfigError,
    ModelError and OutputError.
    """
    source = _parse(address)
    path = model_path(Path(address))
    header = read_header(path)
    last = source.uri.rstrip("/").rpartition("/")[2].partition("@")[0]
    folder = Path(out) if out is not None else Path(last.removesuffix(".safetensors"))
    check_is_new(folder)
    digest = hash_file(path)
    with atomic(folder / FILE) as temp_path:
        shutil.copyfile(path, temp_path)
        if hash_file(temp_path) != digest:
            raise ModelError(f"{folder / FILE}: the copy differs from its source; pull again")
    card = fetch_card(source)
    if card:
        (folder / CARD).write_bytes(card)
    return Pulled(folder, header, digest)
