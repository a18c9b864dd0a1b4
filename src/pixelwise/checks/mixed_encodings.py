"""Masks of one data set that are written in different ways."""

from collections.abc import Iterator, Sequence

from pixelwise.datasets.issues import Issue
from pixelwise.datasets.mask_encoding import MaskEncoding
from pixelwise.datasets.mask_issues import variant_issue
from pixelwise.datasets.pair_stats import MaskStats, PairStats
from pixelwise.datasets.strays import find_variant

MeasuredMask = tuple[PairStats, MaskStats]


def find_mixed_encodings(masks: Sequence[MeasuredMask], encoding: MaskEncoding) -> Iterator[Issue]:
    """Colours among numbers, numbers among colours, and ids among ids that were multiplied."""
    coloured = sum(mask.coloured for _, mask in masks)
    mostly_coloured = 2 * coloured > len(masks)
    for stats, mask in masks:
        variant = find_variant(mask, encoding)
        if variant:
            yield variant_issue(stats, variant)
        elif mask.coloured and encoding.colours and not mostly_coloured:
            yield stats.mask_issue("encodings-mixed", "in colours, where most masks hold numbers")
        elif not mask.coloured and mostly_coloured and encoding.form == "colours":
            yield stats.mask_issue(
                "encodings-mixed", "numbers, where the other masks are in colours"
            )
