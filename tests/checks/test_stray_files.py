"""Files and folders among the pictures that are not read."""

import shutil

import clinic_faults as faults  # conftest.py has put it there

from pixelwise.checks.stray_files import find_stray_files
from pixelwise.datasets.beside import find_unused
from pixelwise.datasets.open_dataset import read_index


def strays_of(sample_set: "faults.SampleSet") -> list[tuple[str, str]]:
    index = read_index(sample_set.root)
    issues = [*find_stray_files(index), *find_unused(index)]
    return [(issue.type, issue.file.name) for issue in issues if issue.file]


def test_a_clean_folder_has_no_stray_files(sample_set: "faults.SampleSet") -> None:
    assert strays_of(sample_set) == []


def test_files_folders_and_links_that_are_not_read_are_named(
    sample_set: "faults.SampleSet",
) -> None:
    folder = sample_set.root / "images/train"
    (folder / "notes.txt").write_text("hello")
    (folder / ".hidden").write_text("of the file system")
    (folder / "more").mkdir()
    shutil.copy(folder / "000.jpg", folder / "more/000.jpg")
    (folder / "empty").mkdir()
    (folder / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "self.jpg").symlink_to(folder / "self.jpg")
    (folder / "up").symlink_to(sample_set.root)
    assert sorted(strays_of(sample_set)) == [
        ("file-ignored", "notes.txt"),
        ("link-broken", "gone.jpg"),
        ("link-loop", "self.jpg"),
        ("link-loop", "up"),
        ("subfolder-ignored", "more"),
    ]


def test_a_second_layout_in_the_same_folder_is_named(sample_set: "faults.SampleSet") -> None:
    for name in ("train", "trainannot"):
        (sample_set.root / name).mkdir()
    shutil.copy(sample_set.root / "images/train/000.jpg", sample_set.root / "train/000.jpg")
    shutil.copy(sample_set.root / "masks/train/000.png", sample_set.root / "trainannot/000.png")
    assert [type for type, _ in strays_of(sample_set)] == [
        "layouts-mixed",
        "beside-unused",
        "beside-unused",
    ]
