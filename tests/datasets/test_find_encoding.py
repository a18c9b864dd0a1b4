"""Ways to write masks that all of a set together must tell apart: labels are right, or the set is
refused in training with what check calls an error.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.checks.examine import examine
from pixelwise.classes import VOID
from pixelwise.datasets.open_dataset import open_dataset
from pixelwise.datasets.types import DataOptions
from pixelwise.errors import DataError

Writer = Callable[[np.ndarray, int, Path], None]
OPTIONS = DataOptions(hold_out=False)
COLOURS = np.array([(0, 0, 0), (0, 0, 255), (255, 0, 0), (0, 255, 0)], np.uint8)
CSV = "a,0,0,0\nb,0,0,255\nc,255,0,0\n"


def draw_labels(number: int, classes: int) -> np.ndarray:
    """(40, 50): a block of each class, elsewhere than in other masks."""
    labels = np.zeros((40, 50), int)
    for label in range(1, classes):
        row = (7 * number + 11 * label) % 26
        column = (5 * number + 17 * label) % 36
        labels[row : row + 12, column : column + 12] = label
    return labels


def write(
    root: Path, save: Writer, *, masks: int = 10, classes: int = 3, **files: str
) -> list[np.ndarray]:
    """A plain folder whose masks `save` writes; the labels of each."""
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for name, text in files.items():
        (root / name.replace("_", ".")).write_text(text)
    drawn = []
    for number in range(masks):
        labels = draw_labels(number, classes)
        noise = np.random.default_rng(number).normal(0, 9, (*labels.shape, 3))
        rgb = (60 + 50 * labels[..., None] + noise).clip(0, 255)
        Image.fromarray(rgb.astype(np.uint8)).save(root / f"images/{number:02}.png")
        save(labels, number, root / f"masks/{number:02}.png")
        drawn.append(labels)
    return drawn


def read(root: Path) -> tuple[tuple[str, ...], list[np.ndarray]]:
    data = open_dataset(root, OPTIONS)
    return data.classes.names, [data.read_labels(pair.mask) for pair in data.pairs("train")]


def check(root: Path) -> set[str]:
    return {finding.id for finding in examine(root).findings.of("error")}


def grey(values: np.ndarray, path: Path) -> None:
    Image.fromarray(values.astype(np.uint8)).save(path)


def with_palette(values: np.ndarray, colours: Sequence[Sequence[int]], path: Path) -> None:
    image = Image.fromarray(values.astype(np.uint8))
    image.putpalette([int(channel) for colour in colours for channel in colour])
    image.save(path)


@pytest.mark.parametrize("white", [1, 3, 5, 7])
def test_masks_of_0_and_1_beside_masks_of_0_and_255_are_refused_and_mended(
    tmp_path: Path, white: int
) -> None:
    write(tmp_path, lambda m, n, p: grey(m * (255 if n < white else 1), p), classes=2)
    with pytest.raises(DataError, match=r"of 10 masks are written in another way.*check --fix"):
        open_dataset(tmp_path, OPTIONS)
    assert check(tmp_path) == {"encodings-mixed"}


def test_255_stays_void_where_it_stands_beside_ids_or_the_classes_file_says_so(
    tmp_path: Path,
) -> None:
    def save(labels: np.ndarray, number: int, path: Path) -> None:
        values = labels.copy()
        values[:3] = VOID
        if number == 0:
            values[values == 1] = 0
        grey(values, path)

    write(tmp_path, save, classes=2)
    _, labels = read(tmp_path)
    assert all((mask[:3] == VOID).all() for mask in labels)
    assert "encodings-mixed" not in check(tmp_path)


@pytest.mark.parametrize("table", [[0, 128, 255], [0, 127, 254], [0, 50, 100], [0, 85, 170]])
def test_ids_beside_ids_that_were_stretched_are_refused_and_named(
    tmp_path: Path, table: list[int]
) -> None:
    levels = np.array(table)
    write(tmp_path, lambda m, n, p: grey(levels[m] if n < 5 else m, p))
    with pytest.raises(DataError, match=r"5 of 10 masks .*00\.png: ids times a number"):
        open_dataset(tmp_path, OPTIONS)
    assert check(tmp_path) == {"encodings-mixed"}


def test_ids_with_even_gaps_are_classes_that_are_called_by_their_value(tmp_path: Path) -> None:
    drawn = write(tmp_path, lambda m, _, p: grey(m * 10, p), classes=4)
    names, labels = read(tmp_path)
    assert names == ("class 0", "class 10", "class 20", "class 30")
    assert all(map(np.array_equal, labels, drawn))
    notes = open_dataset(tmp_path, OPTIONS).notes
    assert any("class ids 0, 10, 20, 30, stretched as if for viewing" in note for note in notes)
    assert not check(tmp_path)


@pytest.mark.parametrize(
    ("table", "listed"),
    [
        ([0, 85, 170, 255], "0, 85, 170, 255"),
        ([0, 51, 102, 153], "0, 51, 102, 153"),
        ([0, 127, 255], "0, 127, 255"),
        ([0, 100, 200], "0, 100, 200"),
    ],
)
def test_values_that_are_too_far_apart_are_listed_with_the_file_that_names_them(
    tmp_path: Path, table: list[int], listed: str
) -> None:
    levels = np.array(table)
    write(tmp_path, lambda m, _, p: grey(levels[m], p), classes=len(table))
    with pytest.raises(
        DataError, match=rf"{listed}; if they are the classes.*classes\.json: \[\{{"
    ):
        open_dataset(tmp_path, OPTIONS)
    assert "value-doubtful" in check(tmp_path)
    entries = ", ".join(f'{{"id": {raw}, "name": "of {raw}"}}' for raw in table)
    (tmp_path / "classes.json").write_text(f"[{entries}]")
    names, labels = read(tmp_path)
    assert names == tuple(f"of {raw}" for raw in table)
    assert np.array_equal(labels[3], draw_labels(3, len(table)))


@pytest.mark.parametrize("value", [4, 250])
def test_a_value_that_may_be_void_is_refused_with_the_line_that_says_so(
    tmp_path: Path, value: int
) -> None:
    def save(labels: np.ndarray, _: int, path: Path) -> None:
        grey(np.where(np.arange(40)[:, None] < 4, value, labels), path)

    write(tmp_path, save, classes_txt="a\nb\nc\n")
    data = open_dataset(tmp_path, OPTIONS)
    with pytest.raises(DataError, match=rf'classes\.json \(\{{"id": {value}, "name": "void"\}} if'):
        data.read_labels(data.pairs("train")[0].mask)
    assert check(tmp_path) == {"value-outside-classes"}
    (tmp_path / "classes.txt").unlink()
    rows = ['{"id": 0, "name": "a"}', '{"id": 1, "name": "b"}', '{"id": 2, "name": "c"}']
    rows.append(f'{{"id": {value}, "name": "void"}}')
    (tmp_path / "classes.json").write_text(f"[{', '.join(rows)}]")
    _, labels = read(tmp_path)
    assert (labels[0][:4] == VOID).all()


def permuted(labels: np.ndarray, number: int, path: Path) -> None:
    """Every file with indices of its own, as programs write that reduce colours."""
    order = [[0, 1, 2], [0, 2, 1], [1, 0, 2]][number % 3]
    colours = np.zeros((3, 3), np.uint8)
    colours[order] = COLOURS[:3]
    with_palette(np.array(order)[labels], colours.tolist(), path)


@pytest.mark.parametrize("files", [{}, {"classes_csv": CSV}])
def test_palettes_whose_indices_differ_from_file_to_file_are_read_by_colour(
    tmp_path: Path, files: dict[str, str]
) -> None:
    drawn = write(tmp_path, permuted, **files)
    names, labels = read(tmp_path)
    assert names == (("a", "b", "c") if files else ("rgb 0 0 0", "rgb 0 0 255", "rgb 255 0 0"))
    assert all(map(np.array_equal, labels, drawn))
    assert not check(tmp_path)


def test_declared_colours_go_before_the_order_of_a_palette(tmp_path: Path) -> None:
    csv = "a,0,0,0\nc,255,0,0\nb,0,0,255\n"
    drawn = write(
        tmp_path, lambda m, _, p: with_palette(m, COLOURS[:3].tolist(), p), classes_csv=csv
    )
    names, labels = read(tmp_path)
    assert names == ("a", "c", "b")
    assert all(map(np.array_equal, labels, [np.array([0, 2, 1])[mask] for mask in drawn]))


@pytest.mark.parametrize("files", [{}, {"classes_txt": "a\nb\nc\n"}])
def test_palettes_that_give_a_value_new_colours_are_refused(
    tmp_path: Path, files: dict[str, str]
) -> None:
    def save(labels: np.ndarray, number: int, path: Path) -> None:
        others = [(0, 0, 0), (9, 200, 9), (77, 0, 200)]
        with_palette(labels, others if number == 8 else COLOURS[:3].tolist(), path)

    write(tmp_path, save, **files)
    with pytest.raises(
        DataError, match=r"08\.png: in its palette value 1 is \(9, 200, 9\), elsewh"
    ):
        open_dataset(tmp_path, OPTIONS)
    assert check(tmp_path) == {"palettes-differ"}


def test_a_palette_of_greys_says_nothing_about_values(tmp_path: Path) -> None:
    ramp = [(level, level, level) for level in range(256)]

    def save(labels: np.ndarray, number: int, path: Path) -> None:
        with_palette(labels, ramp if number == 8 else COLOURS[:3].tolist(), path)

    drawn = write(tmp_path, save)
    _, labels = read(tmp_path)
    assert all(map(np.array_equal, labels, drawn))


def test_colours_that_differ_by_a_few_levels_are_not_classes_of_their_own(tmp_path: Path) -> None:
    def save(labels: np.ndarray, number: int, path: Path) -> None:
        rgb = COLOURS[labels].astype(int)
        rgb[..., 0] -= np.where(labels == 2, number % 3, 0)
        grey(rgb, path)

    write(tmp_path, save, masks=6)
    with pytest.raises(DataError, match=r"value \(25[345], 0, 0\) .* the nearest legal is \(25"):
        open_dataset(tmp_path, OPTIONS)
    assert check(tmp_path) == {"colour-stray"}


def test_numbers_in_one_channel_are_not_colours(tmp_path: Path) -> None:
    def save(labels: np.ndarray, number: int, path: Path) -> None:
        grey(np.dstack([labels, 0 * labels, (7 * labels + number) * (labels > 0)]), path)

    write(tmp_path, save)
    with pytest.raises(
        DataError, match=r"its colours are all but alike.*save that channel as grey"
    ):
        open_dataset(tmp_path, OPTIONS)
    assert "colour-stray" in check(tmp_path)


def test_colours_of_objects_are_not_classes(tmp_path: Path) -> None:
    def save(labels: np.ndarray, number: int, path: Path) -> None:
        colours = np.random.default_rng(number).integers(30, 255, (4, 3))
        colours[0] = 0
        grey(colours[labels], path)

    write(tmp_path, save, classes=4)
    with pytest.raises(DataError, match=r"23 of 24 colours are in one mask alone.*--instances"):
        open_dataset(tmp_path, OPTIONS)
    assert "mask-instances" in check(tmp_path)
    data = open_dataset(tmp_path, DataOptions(hold_out=False, instances=True))
    assert np.array_equal(data.read_labels(data.pairs("train")[0].mask), draw_labels(0, 4) > 0)


@pytest.mark.parametrize("value", [1, 255])
def test_one_class_alone_is_refused(tmp_path: Path, value: int) -> None:
    write(tmp_path, lambda m, _, p: grey(0 * m + value, p))
    with pytest.raises(DataError, match=f"all 10 masks hold only {value}"):
        open_dataset(tmp_path, OPTIONS)


def test_one_colour_alone_is_refused(tmp_path: Path) -> None:
    write(tmp_path, lambda m, _, p: grey(COLOURS[0 * m + 2], p))
    with pytest.raises(DataError, match=r"all 10 masks hold only the colour \(255, 0, 0\)"):
        open_dataset(tmp_path, OPTIONS)
    assert "class-alone" in check(tmp_path)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_ids_of_a_lossy_format_are_refused_though_each_has_a_meaning(
    tmp_path: Path, suffix: str
) -> None:
    def save(labels: np.ndarray, _: int, path: Path) -> None:
        image = Image.fromarray(np.dstack([labels.astype(np.uint8)] * 3))
        image.save(path.with_suffix(suffix), quality=90)

    write(tmp_path, save)
    with pytest.raises(DataError, match="which changes class ids; export the masks again, as PNG"):
        open_dataset(tmp_path, OPTIONS)
    assert "mask-lossy" in check(tmp_path)


def test_a_file_of_no_data_value_0_gives_no_doubt_of_class_0(tmp_path: Path) -> None:
    def save(labels: np.ndarray, _: int, path: Path) -> None:
        image = Image.fromarray((labels + 1).astype(np.uint8))
        image.save(path.with_suffix(".tif"), tiffinfo={42113: "0"})

    write(tmp_path, save)
    warnings = {finding.id for finding in examine(tmp_path).findings.of("warning")}
    assert "values-not-from-zero" not in warnings
    names, labels = read(tmp_path)
    assert names == ("class 0", "class 1", "class 2", "class 3")
    assert np.array_equal(labels[1], draw_labels(1, 3) + 1)


def test_no_data_of_value_0_that_masks_hold_is_said_and_may_be_declared_void(
    tmp_path: Path,
) -> None:
    def save(labels: np.ndarray, _: int, path: Path) -> None:
        image = Image.fromarray(labels.astype(np.uint8))
        image.save(path.with_suffix(".tif"), tiffinfo={42113: "0"})

    write(tmp_path, save)
    assert "mask-zero-nodata" in {f.id for f in examine(tmp_path).findings.of("warning")}
    assert any("files call 0 'no data'" in note for note in open_dataset(tmp_path, OPTIONS).notes)
    classes = [{"id": 0, "name": "void"}, {"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    (tmp_path / "classes.json").write_text(json.dumps(classes))
    assert "mask-zero-nodata" not in check(tmp_path)
    names, labels = read(tmp_path)
    assert names == ("a", "b")
    truth = draw_labels(1, 3).astype(int) - 1
    assert np.array_equal(labels[1], np.where(truth < 0, 255, truth))


def test_the_reason_why_no_mask_can_be_read_is_said(tmp_path: Path) -> None:
    def save(labels: np.ndarray, _: int, path: Path) -> None:
        Image.fromarray(labels * np.float32(0.3)).save(path.with_suffix(".tif"))

    write(tmp_path, save)
    with pytest.raises(DataError, match=r"none of the 10 masks .* that are not whole: 0\.3"):
        open_dataset(tmp_path, OPTIONS)
    assert check(tmp_path) == {"mask-unreadable"}


def test_soft_edges_make_no_classes(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    rows, columns = np.mgrid[:96, :96]
    for number in range(4):
        distance = np.hypot(rows - 40 - number, columns - 50)
        alpha = np.clip(255 * (32 - distance) / 4, 0, 255)  # of 1 to 254 along the border alone
        grey(
            np.random.default_rng(number).integers(0, 255, (96, 96)),
            tmp_path / f"images/{number}.png",
        )
        grey(alpha, tmp_path / f"masks/{number}.png")
    # each of the many values is named, and none of them taken for a class
    with pytest.raises(DataError, match=r"of \d+ values.*the nearest legal is 0.*check --fix"):
        open_dataset(tmp_path)
    assert "mask-resampled" in check(tmp_path)
