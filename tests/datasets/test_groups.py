import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.datasets.groups import find_groups
from pixelwise.datasets.splits import complete_splits, hold_out
from pixelwise.datasets.types import DataOptions, Pair
from pixelwise.errors import ConfigError, DataError


def pairs_of(*names: str, root: Path = Path("data")) -> tuple[Pair, ...]:
    return tuple(
        Pair(name, root / f"images/{name}.jpg", root / f"masks/{name}.png") for name in names
    )


FILMS = pairs_of(*(f"film{film}_{frame}" for film in range(6) for frame in range(5)))


def test_groups_by_what_the_brackets_hold() -> None:
    groups = find_groups(Path("data"), [*FILMS, *pairs_of("poster")], r"(.*)_\d+")
    assert groups is not None
    assert groups.of(FILMS[0]) == groups.of(FILMS[4]) == "film0"
    assert groups.of(FILMS[5]) == "film1"
    assert groups.describe() == (
        r"6 groups by '(.*)_\d+' (poster: no group, each for itself), each kept in one split"
    )


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(.*", "no regular expression"),
        (r".*_\d+", "no brackets"),
        (r"(\d+)_.*", "fits no name of an image, such as film0_0"),
    ],
)
def test_patterns_that_cannot_be_used_are_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        find_groups(Path("data"), FILMS, pattern)


@pytest.mark.parametrize("name", ["images/a.jpg", "a.jpg", "a", "images\\a.jpg"])
def test_a_table_names_images_in_any_way(tmp_path: Path, name: str) -> None:
    (tmp_path / "groups.csv").write_text(f"Image;Group\n{name};p 1\nb.jpg;p 1\n", "utf-8-sig")
    a, b, c = pairs_of("a", "b", "c", root=tmp_path)
    groups = find_groups(tmp_path, (a, b, c), None)
    assert groups is not None
    assert groups.of(a) == groups.of(b) == "p 1"
    assert groups.of(c) not in ("p 1", groups.of(a))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "write 'image,group'"),
        ("a,p1\n", "its first line is 'a,p1'; write 'image,group'"),
        ("image,group\na,\n", "line 2: name an image and its group"),
        ("image,group\na,1\na,2\n", "a is of group 1 and of 2"),
        ("image,group\na,1\nz,2\n", "no image is called z"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(DataError, match=reason):
        find_groups(tmp_path, pairs_of("a", root=tmp_path), None)


def test_no_rule_no_groups(tmp_path: Path) -> None:
    assert find_groups(tmp_path, FILMS, None) is None


@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=12),
    st.integers(0, 5),
    st.floats(0.01, 0.49),
)
def test_a_group_is_never_divided_and_both_sides_have_one(
    sizes: list[int], seed: int, fraction: float
) -> None:
    pairs = pairs_of(*(f"g{group}_{i}" for group, size in enumerate(sizes) for i in range(size)))
    groups = find_groups(Path("data"), pairs, r"(.*)_\d+")
    rest, held = hold_out(pairs, fraction, seed, groups)
    assert sorted(map(str, (*rest, *held))) == sorted(map(str, pairs))
    names = [{re.sub("_.*", "", pair.name) for pair in part} for part in (rest, held)]
    assert all(names)
    assert not names[0] & names[1]
    assert hold_out(pairs[::-1], fraction, seed, groups) == (rest, held)


@given(st.integers(1, 40), st.integers(0, 5), st.floats(0.01, 0.49))
def test_groups_of_one_are_held_out_in_the_wished_number(
    count: int, seed: int, fraction: float
) -> None:
    pairs = pairs_of(*(f"a_{i}" for i in range(count)))
    groups = find_groups(Path("data"), pairs, r"(.*)")
    _, held = hold_out(pairs, fraction, seed, groups)
    assert len(held) == (max(1, round(fraction * count)) if count > 1 else 0)


def test_what_is_held_out_does_not_follow_from_where_the_data_lies() -> None:
    names = [*(f"film{number}_1" for number in range(8)), *"abcdefgh"]
    held_out = set()
    for root in (Path("/here/data"), Path("/on/another/machine")):
        pairs = pairs_of(*names, root=root)
        _, held = hold_out(pairs, 0.3, 0, find_groups(root, pairs, r"(.*)_\d+"))
        held_out.add(tuple(pair.name for pair in held))
    assert len(held_out) == 1


def test_images_without_group_that_are_called_alike_divide_no_group(tmp_path: Path) -> None:
    groups = find_groups(Path("data"), FILMS, r"(film0)_\d+")
    splits = {"train": pairs_of("a", *"xy"), "val": pairs_of("a", root=tmp_path)}
    _, notes = complete_splits(splits, DataOptions(), groups=groups)
    assert not any("as well" in note for note in notes)


def test_val_and_test_are_held_out_by_groups_and_said() -> None:
    groups = find_groups(Path("data"), FILMS, r"(.*)_\d+")
    splits, notes = complete_splits({"train": FILMS}, DataOptions(), hold_test=True, groups=groups)
    assert {split: len(pairs) for split, pairs in splits.items()} == {
        "train": 20,
        "val": 5,
        "test": 5,
    }
    assert r"6 groups by '(.*)_\d+', each kept in one split" in notes


def test_one_group_alone_is_refused_and_divided_ones_are_said() -> None:
    groups = find_groups(Path("data"), FILMS, r"(film)\d_\d")
    with pytest.raises(DataError, match="all 30 images are of one group"):
        complete_splits({"train": FILMS}, DataOptions(), groups=groups)
    films = find_groups(Path("data"), FILMS, r"(.*)_\d+")
    splits = {"train": FILMS[:13], "val": FILMS[13:]}
    _, notes = complete_splits(splits, DataOptions(), groups=films)
    assert "groups in train and in val as well: film2; scores may be too good" in notes
