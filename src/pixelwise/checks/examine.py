"""The whole examination of a data set, from its folder to its findings."""

from dataclasses import dataclass, replace
from pathlib import Path

from pixelwise.checks.alignment import find_alignment_issues
from pixelwise.checks.class_balance import Shares, count_shares, find_class_issues
from pixelwise.checks.duplicates import find_duplicate_issues
from pixelwise.checks.findings import Findings
from pixelwise.checks.masks import find_mask_issues
from pixelwise.checks.pictures import find_image_issues, find_size_issues
from pixelwise.checks.stray_files import find_stray_files
from pixelwise.datasets.find_encoding import find_encoding
from pixelwise.datasets.index import Index
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.open_dataset import read_index
from pixelwise.datasets.pair_stats import PairStats
from pixelwise.datasets.scan_pairs import scan_pairs
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError
from pixelwise.io.images import silence_warnings
from pixelwise.progress import Progress


@dataclass(frozen=True)
class CheckResult:
    """What an examination found: files, what was measured of each pair, the encoding, shares by
    split, findings.
    """

    index: Index
    pairs: tuple[PairStats, ...]
    encoding: MaskEncoding
    shares: dict[str, Shares]
    findings: Findings

    def splits(self) -> dict[str, int]:
        """Pairs by split."""
        counts: dict[str, int] = {}
        for split, _ in self.index.pairs():
            counts[split] = counts.get(split, 0) + 1
        return counts

    def as_dict(self) -> dict[str, object]:
        """JSON values."""
        names = self.encoding.classes.names
        return {
            "data": str(self.index.root),
            "format": self.index.format,
            "splits": self.splits(),
            "masks": {"written_as": self.encoding.kind, "evidence": self.encoding.evidence},
            "classes": list(names),
            "void_share": round(self.shares["all"].void, 6),
            "shares": {
                split: {
                    name: {"pixels": round(share.of(label), 8), "images": int(share.images[label])}
                    for label, name in enumerate(names)
                }
                for split, share in self.shares.items()
            },
            "errors": len(self.findings.of("error")),
            "warnings": len(self.findings.of("warning")),
            "notes": len(self.findings.of("note")),
            "findings": [finding.as_dict(self.index.root) for finding in self.findings],
        }


def examine(root: Path, *, format: str = "auto", progress: Progress | None = None) -> CheckResult:
    """Examine the data set at `root`; every image and mask is decoded once, masks with odd values a
    second time, and none that is unchanged since an earlier examination.

    About 2 KB a pair are kept. Raises DataError where there is nothing to examine: no folder, no
    known layout, no pair.
    """
    with silence_warnings():
        return _examine(root, format, progress or Progress())


def _examine(root: Path, format: str, progress: Progress) -> CheckResult:
    index = read_index(root, DataOptions(format=format, hold_out=False))
    findings = Findings()
    findings.add(find_stray_files(index))
    findings.add(index.issues)
    entries = index.pairs()
    if not entries:
        raise DataError(f"{root}: {_describe_nothing(findings)}; nothing can be checked")
    scanned = scan_pairs(root, entries, index.mask_source, depth="full")
    measured = tuple(progress.track(scanned, what="reading", total=len(entries), unit="pairs"))
    masks = [stats.mask for stats in measured if stats.mask]
    encoding = index.encoding or find_encoding(masks, index.declared)
    pairs = tuple(_interpret(stats, encoding) for stats in measured)
    shares = count_shares(pairs, encoding)
    for issues in (
        (issue for stats in pairs for issue in find_image_issues(stats)),
        find_size_issues(pairs),
        find_mask_issues(pairs, index, encoding),
        find_alignment_issues(pairs),
        find_class_issues(shares, encoding),
        find_duplicate_issues(pairs),
    ):
        findings.add(issues)
    return CheckResult(index, pairs, encoding, shares, findings)


def _interpret(stats: PairStats, encoding: MaskEncoding) -> PairStats:
    """The statistics with the mask's values as all masks of the set are read."""
    if stats.mask is None:
        return stats
    mask = encoding.interpret(stats.mask)
    return stats if mask is stats.mask else replace(stats, mask=mask)


def _describe_nothing(findings: Findings) -> str:
    reasons = [f"{finding.type.title.lower()} ({finding.places})" for finding in findings]
    why = f" ({'; '.join(reasons)})" if reasons else ""
    return f"no pair of image and mask{why}"
