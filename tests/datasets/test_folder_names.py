"""What the names of folders say."""

import pytest

from pixelwise.datasets.folder_names import parse_folder_name


@pytest.mark.parametrize(
    ("name", "split", "role", "exact"),
    [
        ("images", "", "images", True),
        ("JPEGImages", "", "images", True),
        ("img_dir", "", "images", True),
        ("images_raw", "", "images", False),
        ("SegmentationClassPNG", "", "masks", True),
        ("GT", "", "masks", True),
        ("label_images", "", "masks", False),
        ("masks_machine", "", "masks", False),
        ("train_labels", "train", "masks", True),
        ("valannot", "val", "masks", True),
        ("TrainDataset", "train", "", False),
        ("1st_manual", "", "", False),
    ],
)
def test_words_of_a_name(name: str, split: str, role: str, exact: bool) -> None:
    folder = parse_folder_name(name)
    assert (folder.split, folder.role, folder.exact) == (split, role, exact)


@pytest.mark.parametrize("name", ["labels_color", "SegmentationClassVisualization", "overlays"])
def test_pictures_for_people_are_companions(name: str) -> None:
    assert parse_folder_name(name).companion
