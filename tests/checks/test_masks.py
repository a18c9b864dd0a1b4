"""Findings about masks."""

from pathlib import Path

import clinic_faults as faults  # conftest.py has put it there
import numpy as np
from PIL import Image
from sample_pictures import object_at, write_set

from pixelwise.checks.examine import examine


def test_a_classes_file_of_void_alone_is_named(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", [object_at(number).astype(np.uint8) for number in range(6)])
    (root / "classes.txt").write_text("void\n")
    found = examine(root).findings
    assert [finding.places for finding in found if finding.id == "classes-misfit"] == [1]


def test_a_stray_pixel_is_named_with_its_row_column_and_nearest_colour(
    sample_set: faults.SampleSet,
) -> None:
    table = np.array(sample_set.palette, np.uint8)
    for path in sorted((sample_set.root / "masks").rglob("*.png")):
        with Image.open(path) as image:
            pixels = table[np.asarray(image)]
        if path.name == "003.png" and path.parent.name == "train":
            pixels[17, 23] = (205, 97, 2)
        Image.fromarray(pixels).save(path)
    rows = [
        f"{name},{r},{g},{b}"
        for name, (r, g, b) in zip(sample_set.names, sample_set.palette, strict=True)
    ]
    (sample_set.root / "classes.txt").unlink()
    (sample_set.root / "classes.csv").write_text("\n".join(rows))
    finding = next(f for f in examine(sample_set.root).findings if f.id == "colour-stray")
    assert [(hit.position, hit.count) for hit in finding.issues] == [((17, 23), 1)]
    assert "the nearest legal is (213, 94, 0)" in finding.issues[0].text


def blobs(number: int) -> np.ndarray:
    """(60, 80) uint8: some squares of 1 anywhere, the rim among it, that fill about a tenth."""
    rng = np.random.default_rng(number)
    labels = np.zeros((60, 80), np.uint8)
    for _ in range(5):
        row, column = rng.integers(0, (52, 72))
        labels[row : row + 10, column : column + 10] = 1
    return labels


def test_one_inverted_mask_whose_objects_are_all_over_is_named(tmp_path: Path) -> None:
    masks = [blobs(number) for number in range(20)]
    masks[7] = 1 - masks[7]
    root = write_set(tmp_path / "set", masks)
    finding = next(f for f in examine(root).findings if f.id == "mask-share")
    assert [issue.mask.name for issue in finding.issues if issue.mask] == ["007.png"]
    assert finding.severity == "warning"
    share = masks[7].mean()
    assert finding.issues[0].text.startswith(f"the upper class fills {share:.0%} of it, ")


def test_masks_of_any_share_are_not_taken_for_inverted(tmp_path: Path) -> None:
    masks = []
    for number in range(20):
        labels = np.zeros((60, 80), np.uint8)
        labels[:, : 4 + 4 * number] = 1
        masks.append(labels)
    found = examine(write_set(tmp_path / "set", masks)).findings
    assert "mask-share" not in found.ids()
