"""Lists of classes in the JSON of tools."""

import pytest

from pixelwise.datasets.class_entries import ClassEntry
from pixelwise.datasets.class_json import parse_json


@pytest.mark.parametrize("key", ["id", "value", "label", "pixel_value", "trainId", "class_id"])
def test_ids_are_read_under_the_keys_of_tools(key: str) -> None:
    text = f'[{{"name": "dog", "{key}": 2}}, {{"name": "cat", "{key}": 1}}]'
    assert parse_json(text) == [ClassEntry(2, "dog"), ClassEntry(1, "cat")]


def test_an_id_counts_before_other_numbers() -> None:
    text = '[{"name": "dog", "trainId": 0, "id": 7}, {"name": "cat", "trainId": 1, "id": 8}]'
    assert parse_json(text) == [ClassEntry(7, "dog"), ClassEntry(8, "cat")]


def test_objects_by_id_and_colours_by_name_are_read() -> None:
    assert parse_json('{"1": {"name": "cat", "color": "#ff0000"}, "0": {"name": "dog"}}') == [
        ClassEntry(0, "dog"),
        ClassEntry(1, "cat", (255, 0, 0)),
    ]
    assert parse_json('{"dog": [0, 0, 255], "cat": "red"}') == [
        ClassEntry(0, "dog", (0, 0, 255)),
        ClassEntry(1, "cat", (255, 0, 0)),
    ]


def test_an_object_without_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no name in"):
        parse_json('[{"id": 1}]')
