"""A model of another library as a model file of this package, made once and kept in the cache."""

import logging
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pixelwise.classes import MAX_CLASSES, Classes, name_of_value
from pixelwise.errors import ModelError, PixelwiseError
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.libraries.input_rules import read_preprocessor
from pixelwise.models.libraries.library import ImportedModel
from pixelwise.models.libraries.library_segmenter import LibrarySegmenter
from pixelwise.models.libraries.smp_networks import read_smp
from pixelwise.models.libraries.source_files import Source
from pixelwise.models.libraries.state_files import read_state_file
from pixelwise.models.libraries.torchvision_networks import read_torchvision
from pixelwise.models.libraries.transformers_networks import read_transformers
from pixelwise.palette import default_palette

UNKNOWN = "unknown"
_LOG = logging.getLogger("pixelwise")

READERS: tuple[Callable[[Source], ImportedModel | None], ...] = (
    read_transformers,
    read_smp,
    read_torchvision,
)


def import_model(source: Source) -> Path | None:
    """The model file that is made of a source; None where no library's network is recognised.

    What is left out or not known is said. Raises ModelError, which names the source, for one that
    cannot be used.
    """
    path = source.cache_path()
    try:
        imported = next(filter(None, (read(source) for read in READERS)), None)
        if imported is None:
            _check_is_known(source)
            return None
        classes, notes = _name_classes(imported, source)
        rules = read_preprocessor(source.preprocessor) if source.preprocessor else imported.rules
    except PixelwiseError as error:
        text = str(error)
        prefix = f"model {source.path}: "
        raise ModelError(text if text.startswith("model ") else prefix + text) from error
    config = replace(imported.config, bgr=rules.is_bgr)
    licence = source.licence or imported.licence
    if licence is None:
        notes.append("its licence is unknown; ask who made it before you pass it on")
    sizes = rules.sizes()
    training: dict[str, Any] = {
        "reading": {},
        "start": {"name": f"{config.decoder}, {source.path.name}", "licence": licence or UNKNOWN},
        "imported": {"notes": [*imported.notes, *notes]},
    }
    if sizes is not None:
        training["sizes"] = asdict(sizes)
    _LOG.warning(
        "%s: %s on %s, %d classes", source.path, config.decoder, config.encoder, len(classes)
    )
    for note in training["imported"]["notes"]:
        _LOG.warning("%s: %s", source.path, note)
    model = LibrarySegmenter(imported.network, config, rules)
    save_model(path, model, Header(config, classes, training))
    return path


def _check_is_known(source: Source) -> None:
    """Raises ModelError for a file of tensors, written by PyTorch, that no reader knows: as such,
    rather than as a pickle.
    """
    file = source.weights
    if file is None or file.suffix.lower() == ".safetensors":
        return
    first = next(iter(read_state_file(file)), "none")
    raise ModelError(
        f"its tensors (the first is {first}) are of no network in docs/other-models.md, or their "
        f"head is missing; of segmentation_models.pytorch give the options too, in "
        f"{file.with_suffix('.json').name} beside it"
    )


def _name_classes(imported: ImportedModel, source: Source) -> tuple[Classes, list[str]]:
    """Its classes, and what is said of them."""
    count = imported.config.classes
    if count > MAX_CLASSES:
        raise ModelError(f"{count} classes; allowed are 1 to {MAX_CLASSES}, as 255 means void")
    names = _read_names(source.config, count) or imported.names
    if names is not None:
        return Classes.named(_make_distinct(names)), []
    first = imported.first_value
    values = tuple(name_of_value(number) for number in range(first, first + count))
    note = f"its files name no classes: they are called {values[0]} to {values[-1]}"
    return Classes(values, default_palette(values), guessed=True), [note]


def _read_names(config: Any, count: int) -> tuple[str, ...] | None:
    """The names of id2label, as transformers writes it, or of class_names, where they are names."""
    table = config.get("id2label")
    if isinstance(table, dict):
        listed = [table.get(str(number), table.get(number)) for number in range(count)]
    else:
        listed = config.get("class_names") or []
    names = tuple(str(name) for name in listed if name is not None)
    placeholders = tuple(f"LABEL_{number}" for number in range(count))
    return names if len(names) == count and names != placeholders else None


def _make_distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of which none stands twice: those that do end in their class id."""
    return tuple(
        name if names.count(name) == 1 else f"{name} {number}" for number, name in enumerate(names)
    )
