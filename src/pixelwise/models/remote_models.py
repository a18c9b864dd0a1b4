"""Models at an address: hf://owner/name on the Hugging Face hub, or any store that fsspec knows.

Only safetensors files are taken. They are kept in the cache and their hash is checked each time:
that of the hub, or of the file model.safetensors.sha256 in the store. Where the hub or the store is
away, the file in the cache is used, which is said.
"""

import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pixelwise.errors import ConfigError, ModelError, PixelwiseError, first_line
from pixelwise.io.atomic import atomic
from pixelwise.io.cache import cache_folder
from pixelwise.io.storage import filesystem
from pixelwise.io.temp_files import temp_folder

FILE = "model.safetensors"
HASH_FILE = f"{FILE}.sha256"
CARD = "README.md"
HUB = "hf"
# A path has lost the second slash. A single letter is a drive.
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(.+)", re.IGNORECASE)
_REPO = re.compile(r"([\w.-]+/[\w.-]+?)(?:@([\w./-]+))?/?")
# Seconds that the hub has to answer.
_PATIENCE = 10.0
_LOG = logging.getLogger("pixelwise")
# Addresses of the hub that did not answer: each file more would be waited for anew.
_AWAY: set["Address"] = set()


@dataclass(frozen=True)
class Address:
    """Where a model lies: a URI of a store, or a repository of the hub."""

    uri: str

    @property
    def is_hub(self) -> bool:
        """Whether it is of the Hugging Face hub."""
        return self.uri.startswith(f"{HUB}://")

    def repo(self) -> tuple[str, str | None]:
        """Owner and name on the hub, and the revision if one is named. Raises ConfigError."""
        match = _REPO.fullmatch(self.uri.partition("://")[2])
        if match is None:
            raise ConfigError(
                f"{self.uri}: give hf://owner/name, or hf://owner/name@revision; the file there is "
                f"always {FILE}"
            )
        return match[1], match[2]

    def at(self, name: str) -> str:
        """The URI of a file beside the model in a store."""
        folder = self.uri
        if folder.endswith(".safetensors"):
            if name == FILE:
                return folder
            if name == HASH_FILE:
                return f"{folder}.sha256"
            folder = folder.rpartition("/")[0]
        return f"{folder.rstrip('/')}/{name}"


def parse_address(model: str | Path) -> Address | None:
    """The address that a model is given by; None where it is a path or a name."""
    match = _ADDRESS.fullmatch(str(model).replace("\\", "/"))
    if match is None or Path(model).exists():
        return None
    protocol = match[1].lower()
    root = "/" if protocol in ("file", "local") else ""
    return Address(f"{protocol}://{root}{match[2]}")


@cache
def fetch_model(address: Address) -> Path:
    """The model file in the cache, fetched where that is another one or none; once in a process.

    Raises ModelError where it is not there, its hash differs or it cannot be reached, and
    ConfigError for an address that cannot be.
    """
    return _fetch_from_hub(address) if address.is_hub else _fetch_from_store(address)


def hub_endpoint() -> str | None:
    """The hub's address where HF_ENDPOINT names another one, read when it is needed."""
    return os.environ.get("HF_ENDPOINT") or None


def _fetch_from_hub(address: Address) -> Path:
    import huggingface_hub as hub

    repo, revision = address.repo()
    endpoint = hub_endpoint()
    folder = cache_folder() / "hub"
    failure = "the hub cannot be reached"
    try:
        with explain_hub_errors(address), _quiet_hub():
            # it alone says that the hub is away: the download would take the cache without a word
            hub.get_hf_file_metadata(
                hub.hf_hub_url(repo, FILE, revision=revision, endpoint=endpoint), timeout=_PATIENCE
            )
            failure = "the download broke off"
            path = Path(
                hub.hf_hub_download(
                    repo, FILE, revision=revision, endpoint=endpoint, cache_dir=folder
                )
            )
    except PixelwiseError:
        raise
    except Exception as error:  # of several libraries, without a base class but Exception
        cached = hub.try_to_load_from_cache(repo, FILE, cache_dir=folder, revision=revision)
        if not isinstance(cached, str):
            raise ModelError(
                f"{address.uri}: {failure} ({first_line(error)}) and no copy is in the cache; go "
                "online and try again, or give a file"
            ) from error
        _LOG.warning("%s: %s; the copy in the cache is used", address.uri, failure)
        path = Path(cached)
        _AWAY.add(address)
    else:
        _AWAY.discard(address)
    _check_hub_hash(path, address)
    return path


def _check_hub_hash(path: Path, address: Address) -> None:
    """The hub's cache names a file by its SHA-256, or by git's SHA-1 for a small one. Raises
    ModelError, and removes the file, where that differs.
    """
    blob = path.resolve()
    if len(blob.name) == 64:
        digest = hash_file(blob)
    else:
        digest = hashlib.sha1(b"blob %d\0" % blob.stat().st_size + blob.read_bytes()).hexdigest()
    if digest != blob.name:
        blob.unlink()
        raise _hash_error(address, digest, blob.name)


@contextmanager
def explain_hub_errors(address: Address) -> Iterator[None]:
    """What the hub refuses as ModelError, a line each; that it is away stays as it is."""
    from huggingface_hub import errors

    where = address.uri
    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelError(f"{where}: accept its terms on its page, then `hf auth login`") from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{where}: there is no such revision; leave it out") from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(
            f"{where}: no such repository, or you may not read it; check the name, or set HF_TOKEN "
            "(`hf auth login`)"
        ) from error
    except errors.RemoteEntryNotFoundError as error:
        raise ModelError(
            f"{where}: holds no {FILE}; safetensors alone are fetched, no pickles: ask its owner "
            "for them, or download it all and give the folder"
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        if status >= 500:
            raise
        advice = "set HF_TOKEN (`hf auth login`)" if status in (401, 403) else "check the name"
        raise ModelError(f"{where}: the hub answers {status}; {advice}") from error


@contextmanager
def _quiet_hub() -> Iterator[None]:
    """Without the lines that huggingface_hub writes for each of its attempts."""
    log = logging.getLogger("huggingface_hub")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _fetch_from_store(address: Address) -> Path:
    place = cache_folder() / "models" / hashlib.sha256(address.uri.encode()).hexdigest()[:32]
    path = place / FILE
    try:
        expected = _read_hash(address)
        if path.is_file() and hash_file(path) == expected:
            return path
        with temp_folder() as folder:
            draft = Path(folder) / FILE
            filesystem(address.uri).get_file(address.at(FILE), str(draft))
            digest = hash_file(draft)
            if expected is not None and digest != expected:
                raise _hash_error(address, digest, expected)
            with atomic(path) as temp_path:
                shutil.copyfile(draft, temp_path)
    except FileNotFoundError as error:
        raise ModelError(
            f"{address.uri}: no {FILE} is there; `pixelwise push RUN ADDRESS` writes it"
        ) from error
    except PixelwiseError:
        raise
    except Exception as error:  # what stores raise has no base class but Exception
        if not path.is_file():
            raise ModelError(f"{address.uri}: cannot be fetched ({first_line(error)})") from error
        _LOG.warning(
            "%s: cannot be reached (%s); the copy in the cache is used",
            address.uri,
            first_line(error),
        )
        return path
    if expected is None:
        _LOG.warning("%s: no %s beside it; the file is taken unchecked", address.uri, HASH_FILE)
    return path


def _read_hash(address: Address) -> str | None:
    """The hash that lies beside a model in a store; None where there is none."""
    try:
        text = filesystem(address.uri).cat_file(address.at(HASH_FILE)).decode()
    except FileNotFoundError:
        return None
    words = text.split()
    if not words or not re.fullmatch(r"[0-9a-f]{64}", words[0]):
        raise ModelError(f"{address.at(HASH_FILE)}: is no SHA-256; push the model again")
    return str(words[0])


def hash_file(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_error(address: Address, digest: str, expected: str) -> ModelError:
    return ModelError(
        f"{address.uri}: its hash is {digest[:12]}..., where {expected[:12]}... was promised; it "
        "was damaged on the way or exchanged: try again, or ask who put it there"
    )


def fetch_card(address: Address) -> bytes:
    """The card beside a model; empty where there is none, or it cannot be fetched."""
    return _fetch_file(address, CARD)


def fetch_beside(address: Address, names: Sequence[str]) -> None:
    """Put those of the files beside a model that are there, or were once, into the cache beside
    it.
    """
    folder = fetch_model(address).parent
    for name in names:
        content = _fetch_file(address, name)
        # the hub's own cache holds them there already
        if content and not address.is_hub:
            with atomic(folder / name) as temp_path:
                temp_path.write_bytes(content)


def _fetch_file(address: Address, name: str) -> bytes:
    """A file beside a model; empty where there is none, or it cannot be fetched."""
    try:
        if not address.is_hub:
            return bytes(filesystem(address.uri).cat_file(address.at(name)))
        import huggingface_hub as hub

        repo, revision = address.repo()
        with _quiet_hub():
            path = hub.hf_hub_download(
                repo,
                name,
                revision=revision,
                endpoint=hub_endpoint(),
                cache_dir=cache_folder() / "hub",
                local_files_only=address in _AWAY,
            )
        return Path(path).read_bytes()
    except Exception:  # of several libraries, without a base class but Exception
        return b""
