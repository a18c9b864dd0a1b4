"""Classes of a data set merged, renamed or dropped as it is read; its files stay as they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.object_truth import Ids, read_objects
from pixelwise.datasets.types import DataSet
from pixelwise.errors import ConfigError
from pixelwise.io.images import Array


@dataclass(frozen=True)
class MergedLabels:
    """Reads labels as `read_labels` does, and gives each id that of `table` (256 ids)."""

    read_labels: Callable[[Path], Array]
    table: tuple[int, ...]

    @property
    def legend(self) -> str:
        """What its labels mean, by which measured masks are remembered."""
        inner = getattr(self.read_labels, "legend", "")
        return repr([type(self.read_labels).__name__, inner, self.table])

    def objects(self, path: Path, /) -> Ids | None:
        """The objects, whatever their classes became."""
        return read_objects(self.read_labels, path)

    def __call__(self, path: Path) -> Array:
        """Labels (H, W) uint8."""
        return np.array(self.table, np.uint8)[self.read_labels(path)]


def parse_merges(merges: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The classes that become one, by its name, of "vehicle=car,bus" each. Raises ConfigError."""
    groups = dict[str, tuple[str, ...]]()
    for merge in merges:
        name, equals, text = merge.partition("=")
        name = name.strip()
        sources = tuple(part.strip() for part in text.split(",") if part.strip())
        if not name or not equals or not sources:
            raise ConfigError(f"merge '{merge}': give NAME=CLASS,CLASS, as in vehicle=car,bus")
        if sources == (name,):
            raise ConfigError(f"merge '{merge}': merges {name} into itself; leave it out")
        if name in groups:
            raise ConfigError(f"merge '{merge}': {name} is given twice; list its classes in one")
        groups[name] = sources
    return groups


def merge_classes(dataset: DataSet, merges: Sequence[str], drops: Sequence[str]) -> DataSet:
    """The data set with classes merged, and those of `drops` void. One that is merged of a single
    class is that class renamed.

    What is merged already, as the data has that class and none of its parts, stays. Raises
    ConfigError for names that the data lacks, that are named twice, or that would stand for two
    things.
    """
    if not merges and not drops:
        return dataset
    classes, table, description = merge_table(dataset.classes, merges, drops)
    return replace(
        dataset,
        classes=classes,
        read_labels=MergedLabels(dataset.read_labels, table),
        notes=(*dataset.notes, f"classes: {description}"),
    )


def merge_table(
    classes: Classes, merges: Sequence[str], drops: Sequence[str]
) -> tuple[Classes, tuple[int, ...], str]:
    """The classes after `merge_classes`, the label of each of 256 ids, and a line on them. Raises
    as that.
    """
    groups = parse_merges(merges)
    names = classes.names
    target_of = _find_targets(groups, drops, names)
    merged = tuple(dict.fromkeys(target for name in names if (target := target_of[name])))
    if not merged:
        raise ConfigError("every class is dropped; keep some")
    colours = [
        classes.palette[next(i for i, name in enumerate(names) if target_of[name] == own)]
        for own in merged
    ]
    table = [VOID] * 256
    for number, name in enumerate(names):
        if target := target_of[name]:
            table[number] = merged.index(target)
    description = ", ".join(_describe(merged, target_of, drops))
    return Classes(merged, tuple(colours), classes.guessed), tuple(table), description


def _find_targets(
    groups: dict[str, tuple[str, ...]], drops: Sequence[str], names: Sequence[str]
) -> dict[str, str | None]:
    """What each class of the data becomes; None for void."""
    target_of: dict[str, str | None] = {name: name for name in names}
    taken = set[str]()
    every: list[tuple[str | None, tuple[str, ...]]] = [*groups.items(), (None, tuple(drops))]
    for target, sources in every:
        known = [name for name in sources if name in target_of]
        if target in target_of and not known:
            continue  # it is merged already
        missing = [name for name in sources if name not in target_of]
        if missing:
            raise ConfigError(
                f"there is no class {', '.join(missing)} to merge or drop; the data has "
                f"{', '.join(names)}"
            )
        twice = [name for name in sources if name in taken]
        if twice:
            raise ConfigError(f"class {twice[0]} is merged or dropped twice; name it once")
        if target in target_of and target not in sources:
            raise ConfigError(
                f"merge {target}={','.join(sources)}: the data has a class {target} already; add "
                "it to the list, or choose another name"
            )
        taken.update(sources)
        target_of.update(dict.fromkeys(sources, target))
    return target_of


def _describe(
    merged: Sequence[str], target_of: dict[str, str | None], drops: Sequence[str]
) -> list[str]:
    parts = []
    for name in merged:
        sources = [source for source, target in target_of.items() if target == name]
        parts.append(name if sources == [name] else f"{name} (of {' and '.join(sources)})")
    return [*parts, f"without {' and '.join(drops)}"] if drops else parts
