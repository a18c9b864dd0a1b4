import pytest

from pixelwise.export.bioimage_description import licence_id, to_identifiers


def test_names_become_identifiers_of_which_no_two_are_alike() -> None:
    names = ("traffic light", "traffic-light", "2", "class", "Straße", "!")
    identifiers = to_identifiers(names)
    assert identifiers == [
        "traffic_light",
        "traffic_light_1",
        "class_2",
        "class_class",
        "Straße",
        "class_5",
    ]
    assert all(name.isidentifier() for name in identifiers)


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("CC BY 4.0", "CC-BY-4.0"),
        ("ours, ask", None),
        ("unknown", None),
    ],
)
def test_licences_are_called_as_in_the_list_of_spdx(licence: str, expected: str | None) -> None:
    assert licence_id(licence) == expected
