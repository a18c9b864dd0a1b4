"""What becomes of other tools' shapes is told by check as it is by convert."""

import json
import os
import warnings
from pathlib import Path

import clinic_faults as faults  # conftest.py has put it there
import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.check_dataset import check
from pixelwise.checks.examine import examine
from pixelwise.checks.repair import repair
from pixelwise.datasets.conversion import convert
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import ConfigError
from pixelwise.progress import Progress


def labelme(folder: Path, name: str, shapes: list[tuple[str, str, list[list[float]]]]) -> None:
    rgb = np.random.default_rng(len(name)).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    Image.fromarray(rgb).save(folder / f"{name}.png")
    drawn = [
        {"label": label, "shape_type": kind, "points": points} for label, kind, points in shapes
    ]
    record = {
        "version": "5",
        "shapes": drawn,
        "imagePath": f"{name}.png",
        "imageHeight": 40,
        "imageWidth": 60,
    }
    (folder / f"{name}.json").write_text(json.dumps(record))


def test_shapes_cut_at_the_border_overlapping_or_blank_are_found_and_mended(tmp_path: Path) -> None:
    source = tmp_path / "set"
    source.mkdir()
    box = [[5, 5], [20, 5], [20, 20], [5, 20]]
    labelme(
        source, "whole", [("cat", "polygon", box), ("dog", "polygon", [[30, 5], [50, 5], [50, 30]])]
    )
    labelme(
        source, "odd", [("cat", "polygon", [[-3, 5], [20, 5], [20, 20]]), ("dog", "polygon", box)]
    )
    labelme(source, "line", [("cat", "polygon", box), ("dog", "line", [[1, 1], [30, 30]])])
    found = examine(source)
    told = {
        f.id: (f.severity, [(hit.file.name, hit.count) for hit in f.issues if hit.file])
        for f in found.findings
    }
    done = convert(source, tmp_path / "converted", to="folder")
    assert (
        told["shapes-clipped"]
        == ("warning", [("odd.png", done.clipped.total())])
        == ("warning", [("odd.png", 1)])
    )
    assert told["shapes-overlap"] == ("note", [("odd.png", done.overlapped.total())])
    assert done.overlapped.total() > 50
    assert (
        told["shapes-blank"]
        == ("note", [("line.png", done.blank.total())])
        == ("note", [("line.png", 1)])
    )
    repair(found, tmp_path / "repaired", progress=Progress())
    assert not {
        kind for kind in examine(tmp_path / "repaired").findings.ids() if kind.startswith("shapes")
    }


def test_malformed_json_is_named_with_line_and_column(sample_set: faults.SampleSet) -> None:
    (sample_set.root / "classes.txt").unlink()
    (sample_set.root / "classes.json").write_text('{\n "0": "ground",\n "1" "circle"\n}')
    finding = next(f for f in examine(sample_set.root).findings if f.id == "classes-malformed")
    assert finding.issues[0].position == (3, 6)
    assert "line 3" in finding.issues[0].text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_said(sample_set: faults.SampleSet) -> None:
    (sample_set.root / "masks/test").chmod(0)
    try:
        assert "folder-unreadable" in examine(sample_set.root).findings.ids()
    finally:
        (sample_set.root / "masks/test").chmod(0o755)


def test_a_folder_whose_listing_fails_is_said(
    sample_set: faults.SampleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> list[Path]:
        if folder.name == "test" and folder.parent.name == "masks":
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    from pixelwise.datasets import types as layout

    listed = layout.list_images
    monkeypatch.setattr(layout, "list_images", refuse)
    found = examine(sample_set.root).findings
    assert "folder-unreadable" in found.ids()


def test_an_examination_puts_warning_filters_back(sample_set: faults.SampleSet) -> None:
    before = list(warnings.filters)
    examine(sample_set.root)
    assert warnings.filters == before


def test_shares_are_those_of_merged_classes(sample_set: faults.SampleSet, tmp_path: Path) -> None:
    names = sample_set.names
    whole = examine(sample_set.root).shares["all"]
    options = DataOptions(merge=(f"both={names[1]},{names[2]}",), drop=(names[3],))
    result = examine(sample_set.root, options)
    assert "both" in result.encoding.classes.names
    merged = result.shares["all"]
    label = result.encoding.classes.names.index("both")
    assert merged.pixels[label] == whole.pixels[1] + whole.pixels[2]
    assert merged.pixels[255] == whole.pixels[255] + whole.pixels[3]
    with pytest.raises(ConfigError, match="merge and drop do not go with fix"):
        check(sample_set.root, fix=tmp_path / "copy", drop=(names[1],))
