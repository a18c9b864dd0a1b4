"""Masks of one set that are written in different ways."""

import clinic_faults as faults  # conftest.py has put it there
from PIL import Image

from pixelwise.checks.examine import examine


def test_one_mask_in_colours_does_not_make_the_others_odd(sample_set: faults.SampleSet) -> None:
    """The classes file gives colours, and all other masks are ids with a palette of these
    colours.
    """
    rows = [
        f"{name},{r},{g},{b}"
        for name, (r, g, b) in zip(sample_set.names, sample_set.palette, strict=True)
    ]
    (sample_set.root / "classes.txt").unlink()
    (sample_set.root / "classes.csv").write_text("\n".join(rows) + "\n")
    (_, mask), *_ = sample_set.pairs()
    with Image.open(mask) as image:
        image.convert("RGB").save(mask)
    found = examine(sample_set.root)
    assert found.encoding.kind == "class ids"
    odd = [
        hit.file
        for finding in found.findings
        if finding.id == "encodings-mixed"
        for hit in finding.issues
    ]
    assert odd == [mask]
