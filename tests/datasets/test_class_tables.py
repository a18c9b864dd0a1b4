"""Lists of classes as tables of spreadsheets and tools."""

import pytest

from pixelwise.datasets.class_entries import ClassEntry
from pixelwise.datasets.class_tables import parse_csv

SWAPPED = [ClassEntry(0, "background"), ClassEntry(2, "dog"), ClassEntry(1, "cat")]


@pytest.mark.parametrize(
    "header",
    [
        "label,name",
        "class,name",
        "label,class",
        "Mask Value,Class Name",
        "trainId,category",
        ",name",
    ],
)
def test_numbers_under_any_heading_before_the_names_are_ids(header: str) -> None:
    assert parse_csv(f"{header}\n0,background\n2,dog\n1,cat\n") == SWAPPED


@pytest.mark.parametrize("header", ["name,pixel_value", "class_name,label_id", "name,class"])
def test_numbers_after_the_names_are_ids(header: str) -> None:
    assert parse_csv(f"{header}\nbackground,0\ndog,2\ncat,1\n") == SWAPPED


def test_numbers_that_may_be_ids_under_an_unknown_heading_are_refused() -> None:
    with pytest.raises(ValueError, match="column 'level' may hold the ids of classes: call it id"):
        parse_csv("name,level\nbackground,0\ndog,2\ncat,1\n")


def test_counts_and_rows_that_are_numbered_anyway_are_no_ids() -> None:
    expected = [ClassEntry(0, "dog"), ClassEntry(1, "cat")]
    assert parse_csv("name,count\ndog,44\ncat,31\n") == expected
    assert parse_csv("name,level\ndog,0\ncat,1\n") == expected


@pytest.mark.parametrize("heading", ["classes", "Category", "Klasse", "ClassName", "labels"])
def test_the_heading_of_one_column_is_no_class(heading: str) -> None:
    assert parse_csv(f"{heading}\ndog\ncat\n") == [ClassEntry(0, "dog"), ClassEntry(1, "cat")]


@pytest.mark.parametrize(
    "text",
    [
        "ID;Name;Rot;Grün;Blau\n0;dog;0;0;0\n1;cat;255;0;0\n",
        "sep=;\nname;r;g;b\ndog;0;0;0\ncat;255;0;0\n",
        "dog,0,0,0,\ncat,255,0,0,\n",
        "name,hex\ndog,#000000\ncat,#F00\n",
        "name,color\ndog,0x000000\ncat,0xFF0000\n",
        "name,color\ndog,BLACK\ncat,RED\n",
        'name,rgb\ndog,"0,0,0"\ncat,"(255, 0, 0)"\n',
        "name,b,g,r\ndog,0,0,0\ncat,0,0,255\n",
    ],
)
def test_colours_are_read_as_people_write_them(text: str) -> None:
    assert parse_csv(text) == [ClassEntry(0, "dog", (0, 0, 0)), ClassEntry(1, "cat", (255, 0, 0))]


def test_a_row_of_more_cells_than_the_header_is_refused() -> None:
    with pytest.raises(ValueError, match="1, traffic, light has more cells than the header"):
        parse_csv("id,name\n0,road\n1,traffic,light\n")
