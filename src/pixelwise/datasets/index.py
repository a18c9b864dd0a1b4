"""What a reader lists in a folder: pairs by split and issues, before anything is held out or
refused.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pixelwise.classes import Classes, ClassTree
from pixelwise.datasets.class_files import DeclaredClasses
from pixelwise.datasets.class_tree import check_members, parse_tree, prune_tree, read_tree
from pixelwise.datasets.find_encoding import find_encoding
from pixelwise.datasets.groups import find_groups
from pixelwise.datasets.issues import Issue, raise_first
from pixelwise.datasets.mask_encoding import (
    MaskEncoding,
    drawn_encoding,
    encoding_of_reader,
    matte_encoding,
)
from pixelwise.datasets.mask_issues import check_masks
from pixelwise.datasets.mask_notes import describe_masks
from pixelwise.datasets.mask_reader import LabelReader, MatteReader
from pixelwise.datasets.merge_classes import merge_classes
from pixelwise.datasets.object_gaps import cut_gaps
from pixelwise.datasets.pair_stats import MaskSource
from pixelwise.datasets.picture_blocks import cut_blocks, is_one_picture
from pixelwise.datasets.scan_pairs import scan_pairs
from pixelwise.datasets.splits import SPLIT_ORDER, complete_splits
from pixelwise.datasets.types import DataOptions, DataSet, Pair
from pixelwise.errors import ConfigError, DataError
from pixelwise.io.image_formats import describe_left_aside
from pixelwise.io.images import Array

ReadLabels = Callable[[Path], Array]

# Issues that a training says as well.
_NOTED = frozenset(
    {
        "beside-unused",
        "class-doubtful",
        "classes-contradict",
        "classes-malformed",
        "data-beneath",
        "masks-other-format",
        "names-in-part",
        "picture-not-listed",
        "subfolder-ignored",
    }
)


@dataclass(frozen=True)
class Index:
    """The files of a data set.

    `splits` are those on disk. `classes` and `read_labels` are None in a plain folder, whose
    masks must show how they are written; `declared` is what its classes file says. `folders` are
    those that hold pictures. With `hold_test` a test split is held out as well.
    """

    format: str
    root: Path
    splits: dict[str, tuple[Pair, ...]]
    issues: tuple[Issue, ...] = ()
    notes: tuple[str, ...] = ()
    classes: Classes | None = None
    read_labels: ReadLabels | None = None
    encoding: MaskEncoding | None = None
    declared: DeclaredClasses = field(default_factory=DeclaredClasses)
    folders: tuple[Path, ...] = ()
    sources: tuple[Path, ...] = ()
    hold_test: bool = False

    @property
    def mask_source(self) -> MaskSource:
        """How its masks are decoded."""
        return mask_source(self.read_labels, self.sources)

    def pairs(self) -> list[tuple[str, Pair]]:
        """Every pair with its split, in the order train, val, test."""
        entries: list[tuple[str, Pair]] = []
        for split in SPLIT_ORDER:
            entries.extend((split, pair) for pair in self.splits.get(split, ()))
        return entries


def mask_source(read_labels: ReadLabels | None, annotations: tuple[Path, ...] = ()) -> MaskSource:
    """How the masks are decoded that `read_labels` reads."""
    if isinstance(read_labels, MatteReader):
        return MaskSource(matte=True)
    if read_labels is None or isinstance(read_labels, LabelReader):
        return MaskSource()
    return MaskSource(draw=read_labels, annotations=annotations)


def encoding_of(format: str, classes: Classes, read_labels: ReadLabels) -> MaskEncoding:
    """How the masks are written that `read_labels` reads."""
    kind = "read as the format has it"
    evidence = f"{len(classes)} classes of {format}"
    if isinstance(read_labels, MatteReader):
        return matte_encoding(read_labels, classes)
    if isinstance(read_labels, LabelReader):
        return encoding_of_reader(read_labels, classes, kind=kind, evidence=evidence)
    return drawn_encoding(classes, kind=kind, evidence=evidence)


def open_index(index: Index, options: DataOptions) -> DataSet:
    """The data set of an index, with a val split held out where there is none.

    Raises DataError for the first issue that training refuses, and for masks of a plain folder
    that show no way to read them or hold values that no class explains.
    """
    try:
        raise_first(index.issues)
    except DataError as error:
        # Of files that do not fit together, one message shows a part; formats of annotations say
        # themselves what else is wrong.
        if not index.folders or "`pixelwise check" in str(error):
            raise
        advice = f"`pixelwise check {index.root}` lists all that is wrong"
        raise DataError(f"{error}; {advice}", reason=error.reason) from None
    notes = index.notes
    classes = index.classes
    read_labels = index.read_labels
    # A format with a fixed list of classes decodes no mask here; a plain folder decodes them all,
    # once, as only all of them together show what a value means.
    if classes is None or read_labels is None:
        encoding, mask_notes = _find_encoding(index, instances=options.instances)
        classes = encoding.classes
        read_labels = encoding.reader()
        notes += mask_notes
    notes += tuple(_describe_issues(index))
    groups = find_groups(index.root, (pair for _, pair in index.pairs()), options.group)
    splits, split_notes = complete_splits(
        index.splits, options, hold_test=index.hold_test, groups=groups, root=index.root
    )
    one_picture = is_one_picture(index.splits, options)
    tolerated = tuple(issue for issue in index.issues if not issue.refusal)
    dataset = DataSet(
        index.format,
        index.root,
        classes,
        splits,
        read_labels,
        notes=notes if one_picture else (*notes, *split_notes),
        sources=index.sources,
        issues=tolerated,
    )
    dataset = merge_classes(dataset, options.merge, options.drop)
    dataset = replace(
        dataset, classes=replace(dataset.classes, tree=_find_tree(index, dataset, options))
    )
    dataset = cut_gaps(dataset, options.object_gap)
    return cut_blocks(dataset, options) if one_picture else dataset


def _find_tree(index: Index, dataset: DataSet, options: DataOptions) -> ClassTree:
    """That of the options, else of the classes file, of which merged and dropped classes are no
    part.
    """
    names = dataset.classes.names
    tree = parse_tree(options.tree) or read_tree(index.declared.source)
    if not options.tree and (options.merge or options.drop):
        return prune_tree(tree, names)
    try:
        check_members(tree, names)
    except ConfigError as error:
        if options.tree:
            raise
        raise DataError.of_file(index.declared.source, str(error)) from error
    return tree


def find_tree_issues(index: Index, names: Sequence[str]) -> Iterator[Issue]:
    """What is wrong with the tree in a classes file, of data with the classes `names`."""
    try:
        check_members(read_tree(index.declared.source), names)
    except DataError as error:
        yield Issue("tree-malformed", index.declared.source, error.reason)
    except ConfigError as error:
        yield Issue("tree-malformed", index.declared.source, str(error))


def _describe_issues(index: Index) -> Iterator[str]:
    """What the user of a training should know of, though it goes on: what is not used, and what
    was guessed.
    """
    ignored: list[Path] = []
    for issue in index.issues:
        if issue.type == "file-ignored" and issue.file:
            ignored.append(issue.file)
        elif issue.type in _NOTED:
            yield f"{issue.file}: {issue.text}" if issue.file else issue.text
    if ignored:
        yield describe_left_aside(ignored)


def _find_encoding(index: Index, *, instances: bool) -> tuple[MaskEncoding, tuple[str, ...]]:
    pairs = index.pairs()
    if not pairs:
        raise DataError(f"{index.root}: no pair of image and mask; put masks beside the images")
    scanned = list(scan_pairs(index.root, pairs, index.mask_source, depth="masks"))
    masks = [stats.mask for stats in scanned if stats.mask]
    if not masks:
        reason = scanned[0].problems[0].error
        raise DataError(f"none of the {len(pairs)} masks can be read: {reason}")
    encoding = find_encoding(masks, index.declared, instances=instances)
    check_masks(scanned, encoding, index.declared)
    return encoding, describe_masks(masks, encoding, index.declared)
