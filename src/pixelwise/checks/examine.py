"""The whole examination of a data set, from its folder to its findings."""

from dataclasses import dataclass
from pathlib import Path

from pixelwise.checks.alignment import alignment_hits
from pixelwise.checks.class_balance import Shares, count_shares, share_hits
from pixelwise.checks.class_files import Declared, declared_classes
from pixelwise.checks.duplicates import copy_hits
from pixelwise.checks.findings import Findings
from pixelwise.checks.inspect_pairs import Look, looks
from pixelwise.checks.inventory import Inventory, take_inventory
from pixelwise.checks.masks import label_hits
from pixelwise.checks.pictures import picture_hits, size_hits
from pixelwise.datasets.annotations.mask_per_class import class_names
from pixelwise.datasets.mask_encoding import Encoding, find_encoding, fixed_encoding
from pixelwise.errors import DataError
from pixelwise.io.images import silence_warnings
from pixelwise.progress import Progress


@dataclass(frozen=True)
class Checkup:
    """What an examination found: files, what was seen of each pair, the encoding, shares by split,
    findings.
    """

    inventory: Inventory
    looks: tuple[Look, ...]
    encoding: Encoding
    shares: dict[str, Shares]
    findings: Findings

    def as_dict(self) -> dict[str, object]:
        """JSON values."""
        names = self.encoding.classes.names
        return {
            "data": str(self.inventory.root),
            "format": self.inventory.format,
            "splits": self.inventory.splits(),
            "masks": {"written_as": self.encoding.kind, "evidence": self.encoding.evidence},
            "classes": list(names),
            "void_share": round(self.shares["all"].void, 6),
            "shares": {
                split: {
                    name: {"pixels": round(found.of(label), 8), "images": int(found.images[label])}
                    for label, name in enumerate(names)
                }
                for split, found in self.shares.items()
            },
            "errors": len(self.findings.of("error")),
            "warnings": len(self.findings.of("warning")),
            "notes": len(self.findings.of("note")),
            "findings": [finding.as_dict(self.inventory.root) for finding in self.findings],
        }


def examine(root: Path, *, format: str = "auto", progress: Progress | None = None) -> Checkup:
    """Examine the data set at `root`; every image and mask is decoded once, masks with odd values a
    second time.

    About 2 KB a pair are kept. Raises DataError where there is nothing to examine: no folder, no
    known layout, no pair.
    """
    with silence_warnings():
        return _examined(root, format, progress or Progress())


def _examined(root: Path, format: str, progress: Progress) -> Checkup:
    inventory = take_inventory(root, format)
    findings = Findings()
    findings.add(inventory.hits)
    if not inventory.couples:
        raise DataError(f"{root}: {_nothing(findings)}; nothing can be checked")
    declared, said = declared_classes(root) if inventory.format == "folder" else (Declared(), [])
    findings.add(said)
    layers = class_names([couple.layers for couple in inventory.couples if couple.layers])
    seen = looks(
        inventory.couples,
        layer_classes=layers if len(layers) > 1 else (),
        matte=inventory.format == "matte",
    )
    found = tuple(progress.track(seen, what="reading", total=len(inventory.couples), unit="pairs"))
    masks = [look.mask for look in found if look.mask]
    encoding = fixed_encoding(inventory.format, inventory.classes) or find_encoding(
        masks, declared, layers if len(layers) > 1 else ()
    )
    shares = count_shares(found, encoding)
    for hits in (
        (hit for look in found for hit in picture_hits(look)),
        size_hits(found),
        label_hits(found, encoding, declared),
        alignment_hits(found),
        share_hits(shares, encoding),
        copy_hits(found),
    ):
        findings.add(hits)
    return Checkup(inventory, found, encoding, shares, findings)


def _nothing(findings: Findings) -> str:
    said = [f"{finding.kind.title.lower()} ({finding.places})" for finding in findings]
    return f"no pair of image and mask ({'; '.join(said)})" if said else "no pair of image and mask"
