"""The whole examination of a data set, from its folder to its findings."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pixelwise.checks.alignment import find_alignment_issues
from pixelwise.checks.bands import are_trained_by_bands, find_band_issues
from pixelwise.checks.class_balance import Shares, count_shares, find_class_issues
from pixelwise.checks.duplicates import find_duplicate_issues
from pixelwise.checks.findings import Findings
from pixelwise.checks.group_hints import find_group_hints, propose_groups
from pixelwise.checks.group_sources import GroupProposal
from pixelwise.checks.masks import find_mask_issues
from pixelwise.checks.pictures import find_image_issues, find_size_issues
from pixelwise.checks.stray_files import find_stray_files
from pixelwise.datasets.find_encoding import find_encoding
from pixelwise.datasets.index import Index, find_tree_issues
from pixelwise.datasets.issues import Issue, raise_first
from pixelwise.datasets.layers import NEEDS_ONE_CLASS
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.merge_classes import merge_table
from pixelwise.datasets.open_dataset import read_index
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.datasets.scan_pairs import scan_pairs
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError, DataError
from pixelwise.io.bit_depth import find_common_bits, with_common_bits
from pixelwise.io.images import silence_warnings
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress


@dataclass(frozen=True)
class CheckResult:
    """What an examination found: files, what was measured of each pair, the encoding, shares by
    split, findings, and images that belong together.
    """

    index: Index
    pairs: tuple[PairStats, ...]
    encoding: MaskEncoding
    shares: dict[str, Shares]
    findings: Findings
    groups: GroupProposal | None = None

    def splits(self) -> dict[str, int]:
        """Pairs by split."""
        counts: dict[str, int] = {}
        for split, _ in self.index.pairs():
            counts[split] = counts.get(split, 0) + 1
        return counts

    def as_dict(self) -> dict[str, object]:
        """JSON values."""
        findings = self.findings
        return {
            "data": str(self.index.root),
            "format": self.index.format,
            "splits": self.splits(),
            "masks": {"written_as": self.encoding.kind, "evidence": self.encoding.evidence},
            "classes": list(self.encoding.classes.names),
            "void_share": round(self.shares["all"].void, 6),
            "shares": {split: self._shares_as_dict(split) for split in self.shares},
            "errors": len(findings.of("error")),
            "warnings": len(findings.of("warning")),
            "notes": len(findings.of("note")),
            "groups": self.groups
            and {
                "by": self.groups.rule,
                "count": len(set(self.groups.by_image.values())),
            },
            "findings": [finding.as_dict(self.index.root) for finding in findings],
        }

    def _shares_as_dict(self, split: str) -> dict[str, dict[str, float]]:
        shares = self.shares[split]
        rows: dict[str, dict[str, float]] = {}
        for label, name in enumerate(self.encoding.classes.names):
            pixels = round(shares.of(label), 8)
            rows[name] = {"pixels": pixels, "images": int(shares.images[label])}
        return rows


def examine(
    root: Path,
    options: DataOptions | None = None,
    *,
    progress: Progress | None = None,
) -> CheckResult:
    """Examine the data set at `root`, read as `options` say; every image and mask is decoded once,
    masks with odd values a second time, and none that is unchanged since an earlier examination.

    About 2 KB a pair are kept. Raises DataError where there is nothing to examine: no folder, no
    known layout, no pair.
    """
    if options is not None and options.multilabel:
        raise ConfigError(NEEDS_ONE_CLASS)
    with silence_warnings():
        return _examine(root, options or DataOptions(), progress or default_progress())


def _examine(root: Path, options: DataOptions, progress: Progress) -> CheckResult:
    # Without held-out splits: findings are about what is on disk.
    index = read_index(root, replace(options, hold_out=False))
    findings = Findings()
    findings.add(find_stray_files(index))
    findings.add(index.issues)
    entries = index.pairs()
    if not entries:
        raise_first(index.issues)
        raise DataError(f"{root}: {_describe_nothing(findings)}; nothing can be checked")
    scanned = scan_pairs(root, entries, index.mask_source, depth="full")
    tracked = progress.track(scanned, what="reading", total=len(entries), unit="pairs")
    measured = _with_common_depth(tuple(tracked))
    encoding = index.encoding or _find_encoding(measured, index, instances=options.instances)
    findings.add(find_tree_issues(index, encoding.classes.names))
    pairs = tuple(_interpret(stats, encoding) for stats in measured)
    findings.add(find_mask_issues(pairs, index, encoding))
    if options.merge or options.drop:
        encoding = encoding.merged(*merge_table(encoding.classes, options.merge, options.drop))
    shares = count_shares(pairs, encoding)
    for issues in _find_issues(pairs, encoding, shares):
        findings.add(issues)
    groups = propose_groups(pairs, index)
    findings.add(find_group_hints(pairs, index, groups))
    return CheckResult(
        index,
        pairs,
        encoding,
        shares,
        findings,
        groups,
    )


def _with_common_depth(measured: tuple[PairStats, ...]) -> tuple[PairStats, ...]:
    """The statistics with notes on images as all images of the set are read: by one bit depth."""
    images = [stats.image for stats in measured if stats.image]
    bits = find_common_bits(image.notes for image in images)
    if not bits:
        return measured
    return tuple(_with_depth(stats, bits) for stats in measured)


def _with_depth(stats: PairStats, bits: int) -> PairStats:
    if stats.image is None or not stats.image.notes:
        return stats
    image = replace(stats.image, notes=with_common_bits(stats.image.notes, bits))
    return replace(stats, image=image)


def _find_encoding(
    measured: Sequence[PairStats],
    index: Index,
    *,
    instances: bool,
) -> MaskEncoding:
    masks = [stats.mask for stats in measured if stats.mask]
    return find_encoding(masks, index.declared, instances=instances)


def _find_issues(
    pairs: tuple[PairStats, ...],
    encoding: MaskEncoding,
    shares: dict[str, Shares],
) -> Iterator[Iterable[Issue]]:
    """The issues of each family of checks but that of masks, which is about raw values."""
    by_bands = are_trained_by_bands(pairs)
    for stats in pairs:
        yield find_image_issues(stats, by_bands=by_bands)
    yield find_band_issues(pairs)
    yield find_size_issues(pairs)
    yield find_alignment_issues(pairs)
    yield find_class_issues(shares, encoding)
    yield find_duplicate_issues(pairs)


def _interpret(stats: PairStats, encoding: MaskEncoding) -> PairStats:
    """The statistics with the mask's values as all masks of the set are read."""
    if stats.mask is None:
        return stats
    mask = encoding.interpret(stats.mask)
    if mask is stats.mask:
        return stats  # nearly all masks: no second object for each pair
    return replace(stats, mask=mask)


def _describe_nothing(findings: Findings) -> str:
    text = "no pair of image and mask"
    reasons = [f"{finding.type.title.lower()} ({finding.places})" for finding in findings]
    if reasons:
        text += f" ({'; '.join(reasons)})"
    return text
