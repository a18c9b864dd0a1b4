"""Every fault of the clinic, planted in generated data: it is found, named rightly, and repaired
where it is promised.
"""

import hashlib
import json
import shutil
import zlib
from pathlib import Path

import clinic_faults as faults  # conftest.py has put it there
import pytest

from pixelwise.checks.examine import examine
from pixelwise.checks.repair import repair
from pixelwise.datasets.issue_types import ISSUE_TYPES
from pixelwise.progress import Progress

# A few faults show only in photographs or need more classes than shapes have; the benchmark covers
# them.
ONLY_REAL = {
    "exchanged",
    "off by one",
    "mask is photo",
    "tiny class",
    "class only in test",
    "upside down",
    "mirrored",
    "all mirrored",
}
CASES = [fault for fault in faults.FAULTS if fault.name not in ONLY_REAL]


def snapshot(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("fault", CASES, ids=lambda fault: fault.name)
def test_a_fault_is_named_and_none_of_what_fix_promises_is_left(
    fault: "faults.Fault", request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    sample_set = request.getfixturevalue("binary" if fault.sets == ("people",) else "sample_set")
    fault.plant(sample_set, False)
    before = snapshot(sample_set.root)
    found = examine(sample_set.root)
    assert set(fault.kinds) & found.findings.ids(), sorted(found.findings.ids())
    done = repair(found, tmp_path / "repaired", progress=Progress())
    again = examine(tmp_path / "repaired")
    left = {kind for kind in again.findings.ids() if ISSUE_TYPES[kind].repaired}
    assert not left, [
        hit.text for finding in again.findings for hit in finding.issues if finding.id in left
    ]
    assert snapshot(sample_set.root) == before
    log = [
        json.loads(line) for line in (tmp_path / "repaired/fixes.jsonl").read_text().splitlines()
    ]
    assert len(log) == done.changes
    assert sum(entry["change"] == "left out" for entry in log) <= done.left_out
    assert done.written == len(again.pairs)


def test_clean_data_has_no_error_and_no_warning(clean: Path, clean_binary: Path) -> None:
    for root in (clean, clean_binary):
        found = examine(root).findings
        assert [f.id for f in found.of("error")] == []
        assert [f.id for f in found.of("warning")] == []


def copy_sample(source: Path, target: Path) -> None:
    """Copy one pair of twelve, the same ones each time, and the lists of files with these alone."""
    for path in source.rglob("*"):
        copy = target / path.relative_to(source)
        if path.is_file() and (path.suffix == ".txt" or is_in_sample(path.stem)):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            if path.suffix == ".txt":
                copy.write_text("\n".join(filter(is_in_sample, path.read_text().split())))


def is_in_sample(stem: str) -> bool:
    return zlib.crc32(stem.removesuffix("_matte").encode()) % 12 == 0


@pytest.mark.parametrize("name", ["camvid", "voc", "portraits"])
def test_a_sample_of_the_real_sets_has_no_error(real_data: Path, tmp_path: Path, name: str) -> None:
    """Whole, they are examined by benchmarks/clinic.py."""
    copy_sample(real_data / name, tmp_path)
    result = examine(tmp_path)
    assert len(result.pairs) >= 20
    assert [f.id for f in result.findings.of("error")] == []
