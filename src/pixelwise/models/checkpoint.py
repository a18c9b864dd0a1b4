"""The model file: safetensors whose metadata is one JSON header. It is all that inference needs."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from pixelwise.classes import Classes
from pixelwise.errors import ModelError, PixelwiseError
from pixelwise.io.atomic import atomic
from pixelwise.models.config import ModelConfig
from pixelwise.models.file_kinds import is_exported, is_pickle, name_kind
from pixelwise.models.libraries.source_files import SIDE_FILES, find_source
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.models.remote_models import fetch_beside, fetch_model, parse_address
from pixelwise.optional import InstallationError, wrap_import_faults

if TYPE_CHECKING:
    from pixelwise.models.segmenter import Segmenter

FORMAT_VERSION = 1
HEADER_KEY = "pixelwise"
# In a folder of folds: which runs it holds, and their scores.
FOLDS_FILE = "folds.json"
BUNDLED = Path(__file__).parents[1] / "bundled"


@dataclass(frozen=True)
class Header:
    """What a model file says of itself."""

    model: ModelConfig

    classes: Classes

    training: dict[str, Any] = field(default_factory=dict)
    """A summary for people and reports, not needed to run the model."""

    @property
    def reading(self) -> dict[str, Any]:
        """How the training read its data, as far as it is known."""
        reading: dict[str, Any] = self.training.get("reading", {})
        return reading

    @property
    def sizes(self) -> PictureSizes | None:
        """Those of the training's pictures; None in files of earlier versions."""
        raw = self.training.get("sizes")
        return None if raw is None else PictureSizes.from_json(raw)

    def check_one_class(self, model: object) -> None:
        """Raises ModelError for a model of overlapping classes, where one class a pixel is needed;
        `model` is what the message calls it.
        """
        if self.model.multilabel:
            raise one_class_error(model, self.classes)

    def to_json(self, **more: object) -> str:
        """The header as it stands in the file; `more` is for other programs that run the
        network.
        """
        content = asdict(self)
        if self.model.thresholds is None:  # earlier versions do not know them
            del content["model"]["thresholds"]
        if not self.model.final_norm:
            del content["model"]["final_norm"]
        return json.dumps({"format_version": FORMAT_VERSION, **content, **more}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Header":
        """The header of this format version; raises ModelError for any other."""
        try:
            return cls._read(json.loads(text))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"its header is damaged ({type(error).__name__}: {error}); copy it again"
            ) from error

    @classmethod
    def _read(cls, raw: dict[str, Any]) -> "Header":
        if raw.get("format_version") != FORMAT_VERSION:
            raise ModelError(
                f"model format version {raw.get('format_version')}, but this pixelwise reads "
                f"version {FORMAT_VERSION}; "
                "install the pixelwise that wrote it, or train again"
            )
        palette = tuple(tuple(colour) for colour in raw["classes"]["palette"])
        names = tuple(raw["classes"]["names"])
        # Files of earlier versions do not say whether their classes were guessed.
        tree = tuple((name, tuple(members)) for name, members in raw["classes"].get("tree", ()))
        classes = Classes(names, palette, bool(raw["classes"].get("guessed", False)), tree)
        training = raw["training"]
        if not isinstance(training, dict) or not isinstance(training.get("reading", {}), dict):
            raise TypeError("what it says of the training is no table")
        header = cls(ModelConfig(**raw["model"]), classes, training)
        _ = header.sizes  # raises now what its user would raise
        return header


def one_class_error(model: object, classes: Classes) -> ModelError:
    """That a model of overlapping classes came where one class a pixel is needed."""
    return ModelError(
        f"model {model}: a model of overlapping classes ({', '.join(classes.names)}), and this "
        "needs one class a pixel; `predict`, `evaluate`, `export` and `serve` take it, in Python "
        "load(model, layers=True) and evaluate_layers"
    )


def parse_header(text: str, path: Path) -> Header:
    """The header of the model file `path`, of any kind. Raises ModelError that names the file."""
    try:
        return Header.from_json(text)
    except PixelwiseError as error:
        raise ModelError(f"model {path}: {error}") from error


def save_model(path: Path, model: "Segmenter", header: Header, *, half: bool = False) -> None:
    """Write the model file atomically; with `half`, all floats in 16 bits, for half the size.

    A decoder tolerates bfloat16, which compresses better; an encoder, with its normalisations,
    needs float16's digits.
    """
    import torch
    from safetensors.torch import save_file

    state = {}
    for name, value in model.state_dict().items():
        tensor = value.detach().cpu().contiguous()
        if half and tensor.is_floating_point():
            in_decoder = name.startswith("decoder.")
            tensor = tensor.to(torch.bfloat16 if in_decoder else torch.float16)
        state[name] = tensor
    with atomic(path) as draft:
        try:
            save_file(state, draft, metadata={HEADER_KEY: header.to_json()})
        except SafetensorError as error:  # wraps the system's error as text
            raise _write_error(error) from error


def load_model(path: Path) -> tuple["Segmenter", Header]:
    """Read a model file, or the one in a run folder.

    Raises ModelError for what is missing, truncated, a pickle, not ours, or of another format
    version.
    """
    with wrap_import_faults():
        # imports PyTorch, which headers need not
        from pixelwise.models.registry import build_segmenter

    with _open_model(path, "pt") as (file, header):
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        with wrap_import_faults():
            model = build_segmenter(header.model)
        model.load_state_dict(state)
    return model, header


def read_header(path: Path) -> Header:
    """The header alone, without the weights and without PyTorch. Raises as `load_model`."""
    with _open_model(path, "np") as (_, header):
        return header


def model_path(path: Path) -> Path:
    """The model file itself: for it, for a run folder, for an address (the copy in the cache), for
    a model of another library (what was made of it, in the cache), or for the name of a bundled
    model where no file has that name.

    Raises ModelError where there is none, and for an export, which has no weights to read.
    """
    address = parse_address(path)
    if address is not None:
        file = fetch_model(address)
        if is_own(file):
            return file
        fetch_beside(address, SIDE_FILES)
        return _import(file.parent) or file
    check_not_exported(path)
    if path.is_dir():
        own = path / "model.safetensors"
        imported = None if own.is_file() and is_own(own) else _import(path)
        return imported or _find_in_folder(path)
    if path.is_file():
        return path if is_own(path) else _import(path) or path
    known = bundled()
    if str(path) in known:
        return known[str(path)]
    raise ModelError(
        f"model {path}: no such file; give a run folder, a .safetensors file that "
        "pixelwise wrote, an address (hf://owner/name), or a bundled "
        f"model: {', '.join(known)}"
    )


def model_name(model: Path) -> str:
    """What a model is called: as its folder, or its file without the ending."""
    return (model if model.is_dir() else model.with_suffix("")).resolve().name


def is_own(path: Path) -> bool:
    """Whether a file says that pixelwise wrote it; not so for one that is damaged."""
    try:
        with safe_open(path, framework="np") as file:
            return HEADER_KEY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def _import(path: Path) -> Path | None:
    """The model file made of another library's model; None where it is not one."""
    source = find_source(path)
    if source is None:
        return None
    cached = source.cache_path()
    if cached.is_file():
        return cached
    with wrap_import_faults():
        # imports PyTorch
        from pixelwise.models.libraries.import_model import import_model

    return import_model(source)


def find_models(model: str | Path | Sequence[str | Path]) -> list[Path]:
    """The models that are meant: each that is named, and of a folder of `train --folds` the run of
    each fold. Raises ModelError for none, and for folds that are not all trained.
    """
    named = [model] if isinstance(model, str | Path) else model
    models = [path for name in named for path in _runs_of_folds(Path(name))]
    if not models:
        raise ModelError("no model is named: give a run folder or a model file")
    return models


def _runs_of_folds(path: Path) -> list[Path]:
    """The runs of a folder of folds; any other path as it is."""
    table = path / FOLDS_FILE
    if not table.is_file():
        return [path]
    try:
        runs = [
            path / fold["run"] for fold in json.loads(table.read_text(encoding="utf-8"))["folds"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{table}: damaged ({error}); give the runs of the folds") from error
    missing = [run.name for run in runs if not (run / "model.safetensors").is_file()]
    if missing:
        raise ModelError(
            f"model {path}: {', '.join(missing)} of {len(runs)} folds have no model yet; go on "
            f"with `pixelwise train DATA --out {path} --resume`, or give the others by name"
        )
    return runs


def is_model(path: str | Path) -> bool:
    """Whether a path is that of a model, or of a folder with one, also another library's, or a
    bundled model's name.
    """
    if parse_address(path) is not None:
        return True
    path = Path(path)
    if path.is_dir():
        own = any((path / name).is_file() for name in ("model.safetensors", FOLDS_FILE))
        return own or find_source(path) is not None
    if _may_be_model(path) or (str(path) in bundled() and not path.exists()):
        return True
    return path.is_file() and find_source(path) is not None


def check_not_exported(model: Path) -> None:
    """Raises ModelError for a file that `export` wrote: nothing but its outputs can be had."""
    if is_exported(model):
        raise ModelError(
            f"model {model}: is an export already, which runs but cannot be changed, exported or "
            "trained on; give its run folder or .safetensors"
        )


def _find_in_folder(folder: Path) -> Path:
    file = folder / "model.safetensors"
    if file.is_file():
        return file
    if (folder / FOLDS_FILE).is_file():
        raise ModelError(
            f"model {folder}: holds the models of several folds; give one of them, such as "
            f"{_runs_of_folds(folder)[0]}"
        )
    others = [path.name for path in sorted(folder.iterdir()) if _may_be_model(path)]
    advice = f"; it holds {', '.join(others[:3])}: give the file itself" if others else ""
    raise ModelError(
        f"model {folder}: a folder without model.safetensors, which a training writes after its "
        f"first epoch{advice or '; give a run folder or a model file'}"
    )


def _may_be_model(path: Path) -> bool:
    return path.suffix.lower() == ".safetensors" or is_exported(path)


def bundled() -> dict[str, Path]:
    """The models that come with the package, by name. Each has a card of the same name, with suffix
    .md.
    """
    return {path.stem: path for path in sorted(BUNDLED.glob("*.safetensors"))}


@contextmanager
def _open_model(path: Path, framework: str) -> Iterator[tuple[Any, Header]]:
    path = model_path(path)
    _check_kind(path)
    try:
        with safe_open(path, framework=framework) as file:
            metadata = file.metadata() or {}
            if HEADER_KEY not in metadata:
                raise ModelError(
                    f"model {path}: not written by pixelwise, nor a model of another library "
                    "that docs/other-models.md lists; such a file can serve as encoder --weights"
                )
            yield file, parse_header(metadata[HEADER_KEY], path)
    except SafetensorError as error:
        raise ModelError(
            f"model {path}: truncated or damaged ({error}); copy it again or train again"
        ) from error
    except (ModelError, InstallationError):
        raise  # it names the file already, or is no fault of the file
    except PixelwiseError as error:  # the model cannot be built from its header
        raise ModelError(f"model {path}: {error}") from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"model {path}: header and weights do not fit ({error}); train again"
        ) from error


def _check_kind(path: Path) -> None:
    """Raises ModelError for a file that is recognised as something else than safetensors."""
    try:
        kind = name_kind(path)
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(f"model {path}: cannot be read ({reason}); check its rights") from error
    if is_pickle(kind):
        raise ModelError(
            f"model {path}: {kind}, which could run code when read; pixelwise reads "
            ".safetensors, and of the other libraries' models in docs/other-models.md files of "
            "tensors alone"
        )
    weights = path.with_suffix(".xml")
    if path.suffix.lower() == ".bin" and weights.is_file():
        raise ModelError(f"model {path}: the weights of {weights.name}; give that file")
    if kind:
        raise ModelError(
            f"model {path}: {kind}; give a run folder, a .safetensors file that pixelwise wrote, "
            "or an export (.onnx, .xml)"
        )


def _write_error(error: SafetensorError) -> OSError:
    import errno
    import re

    match = re.search(r"os error (\d+)", str(error))
    return OSError(int(match.group(1)) if match else errno.EIO, str(error))
