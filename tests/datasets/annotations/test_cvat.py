from pathlib import Path

import pytest
from PIL import Image

from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions, DataSet
from pixelwise.errors import DataError

OPTIONS = DataOptions(hold_out=False)
CVAT = """<?xml version="1.0"?>
<annotations><version>1.1</version><meta><task><labels>
<label><name>dog</name><color>#0000ff</color></label><label><name>cat</name></label>
</labels></task></meta>
<image id="0" name="a.jpg" width="6" height="4" subset="val">
<polygon label="cat" points="1,1;3,1;3,3;1,3" z_order="1"/>
<box label="dog" xtl="0" ytl="0" xbr="2" ybr="2" z_order="0"/>
<mask label="dog" rle="1, 2, 1" left="4" top="2" width="2" height="2" z_order="0"/>
<ellipse label="dog" cx="4.5" cy="0.5" rx="0.6" ry="0.6" z_order="0"/>
<polyline label="dog" points="0,0;6,4" z_order="2"/>
</image></annotations>"""


def picture(path: Path, size: tuple[int, int] = (4, 6)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1]).save(path)
    return path


def only(data: DataSet) -> list[list[int]]:
    ((pair,),) = data.splits.values()
    return data.read_labels(pair.mask).tolist()


def test_cvat_shapes_by_height(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.jpg")
    (tmp_path / "annotations.xml").write_text(CVAT)
    data = open_dataset(tmp_path, OPTIONS)
    assert (data.format, list(data.splits), data.classes.names) == (
        "cvat",
        ["val"],
        ("background", "dog", "cat"),
    )
    assert data.classes.palette[1] == (0, 0, 255)
    assert only(data) == [
        [1, 1, 0, 0, 1, 0],
        [1, 2, 2, 0, 0, 0],
        [0, 2, 2, 0, 0, 1],
        [0, 0, 0, 0, 1, 0],
    ]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("</image>", "", r"malformed XML at line 11, column 3: mismatched tag"),
        ("<annotations>", '<!DOCTYPE x [<!ENTITY a "aa">]><annotations>', "never expanded"),
        ("<image ", '<track id="0"/><image ', "tracks of a video"),
        ('name="a.jpg"', 'name="b.jpg"', r"1 of 1 images of annotations\.xml are not here: b\.jpg"),
        ('name="a.jpg"', "", "'name' is missing"),
        ("#0000ff", "blue", "not laid out as its format demands"),
        ("<name>cat</name>", "<name>dog</name>", "stand twice: dog"),
    ],
)
def test_cvat_files_that_cannot_be_used_are_refused(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    picture(tmp_path / "images/a.jpg")
    assert old in CVAT
    (tmp_path / "annotations.xml").write_text(CVAT.replace(old, new))
    with pytest.raises(DataError, match=reason):
        open_dataset(tmp_path)
