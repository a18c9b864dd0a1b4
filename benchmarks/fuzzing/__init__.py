"""Small sets drawn at random with a known truth: layout x masks x classes file x pictures x what
systems leave x fault. Used by fuzz_reading.py and by the tests.
"""

import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from . import class_lists, faults, layouts, masks, pictures, quirks, truth
from .oracle import (
    CRASH,
    DISAGREES,
    REFUSED,
    RIGHT,
    SILENT,
    WITH_A_WORD,
    Case,
    Verdict,
    judge,
    judge_transfer,
)

__all__ = [
    "CRASH",
    "GOOD",
    "DISAGREES",
    "REFUSED",
    "RIGHT",
    "SILENT",
    "WITH_A_WORD",
    "Spec",
    "Verdict",
    "draw_spec",
    "try_spec",
]

GOOD = frozenset({RIGHT, WITH_A_WORD, REFUSED})
_WORDS_OF_PICTURES = ("bits", "transparen", "alpha", "frames", "pages")


@dataclass(frozen=True)
class Spec:
    """What a set is made of; everything follows from it."""

    seed: int
    layout: str
    mask: str
    classes: int
    void: bool
    class_list: str
    encoding: str
    end: str
    picture: str
    odd_part: str
    """Which pictures are so: all, or one among JPEGs."""
    stems: str
    splits: tuple[str, ...]
    quirk: str
    fault: str
    transfer: bool
    """Whether a model of these classes is scored on a set in which one of them does not occur."""

    @property
    def is_plain(self) -> bool:
        """Whether there is one right reading, which must not be refused."""
        kind = masks.KINDS[self.mask]
        with_colours = self.class_list in class_lists.WITH_COLOURS
        # What colours or greys mean must be said somewhere, or be the format's own.
        unexplained = kind.colours and (
            (bool(self.class_list) and not with_colours)
            or (self.layout == "voc" and not with_colours)
        )
        unexplained |= self.layout == "voc" and self.mask == "in alpha"
        contradicted = self.mask == "100 and 200" and bool(self.class_list)
        odd = kind.odd or self.picture in pictures.ODD or unexplained or contradicted
        return not odd and not self.fault and not self.transfer


def draw_spec(seed: int) -> Spec:
    """A combination that can exist."""
    rng = np.random.default_rng(seed)

    def choose(options: object) -> str:
        names = list(options)  # type: ignore[call-overload]
        return str(names[int(rng.integers(len(names)))])

    layout_name = choose(layouts.LAYOUTS)
    layout = layouts.LAYOUTS[layout_name]
    mask_name = choose(masks.KINDS) if layout.masks and layout.free_masks else "ids"
    if layout_name == "CVAT masks":
        mask_name = "colours"
    if layout_name in ("PaddleSeg", "nnU-Net", "Cityscapes, flat"):
        mask_name = choose(["ids", "palette", "16 bits"])
    kind = masks.KINDS[mask_name]
    classes = int(rng.choice(kind.classes))
    void = bool(kind.void and layout.void and layout.free_masks and rng.random() < 0.3)
    class_list = ""
    if layout.masks and not layout.named and rng.random() < 0.6:
        class_list = choose(class_lists.LISTS)
    picture = choose(pictures.ODD if rng.random() < 0.25 else pictures.PLAIN)
    splits = ("train", "val", "test")[: int(rng.integers(2, 4))] if layout.splits else ("train",)
    return Spec(
        seed,
        layout_name,
        mask_name,
        classes,
        void,
        class_list,
        choose(class_lists.ENCODINGS),
        choose(class_lists.ENDS),
        picture,
        choose(["all", "one"]),
        choose(quirks.STEMS),
        splits,
        choose(quirks.QUIRKS) if rng.random() < 0.5 else "none",
        choose(faults.FAULTS) if rng.random() < 0.35 else "",
        bool(classes > 2 and layout.free_masks and layout.masks and rng.random() < 0.3),
    )


def try_spec(spec: Spec, root: Path) -> Verdict:
    """Write the set of a spec into the empty folder `root` and judge how it is read."""
    try:
        case = _write(spec, root)
        verdict = judge(case)
        # classes are told apart by brightness there, which a stretch changes
        is_plain = spec.picture in pictures.PLAIN
        if spec.transfer and is_plain and not spec.fault and verdict.outcome == RIGHT:
            return judge_transfer(case, _write_fewer_classes(spec, root.with_name("other")))
        return verdict
    except Exception:  # what must not happen is what is looked for
        return Verdict(CRASH, traceback.format_exc())


def _write_fewer_classes(spec: Spec, root: Path) -> Case:
    """The set of a spec, drawn anew without its first class after the background."""
    return _write(replace(spec, class_list="", quirk="none", seed=spec.seed + 1), root, absent=1)


def _write(spec: Spec, root: Path, absent: int = 0) -> Case:
    """`absent` of the classes, the last ones, occur nowhere."""
    root.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng((spec.seed, 1))
    layout = layouts.LAYOUTS[spec.layout]
    kind = masks.KINDS[spec.mask]
    stems = list(quirks.STEMS[spec.stems])
    drawn = truth.draw(
        rng,
        classes=spec.classes,
        absent=absent,
        single=spec.layout == "class of image",
        stems=stems,
        splits=spec.splits,
        void=spec.void,
    )
    files: faults.Files = {}
    writers = {**pictures.PLAIN, **pictures.ODD}

    def write_picture(scene: truth.Scene, path: Path) -> Path:
        is_first = scene is drawn.scenes[0]
        name = spec.picture if spec.odd_part == "all" or is_first else "jpeg"
        file = writers[name](scene, path)
        files[scene.name] = (file, None)
        return file

    names = {id(scene.labels): scene.name for scene in drawn.scenes}

    def write_mask(labels: truth.Array, path: Path) -> Path:
        file = kind.write(labels, path)
        name = names[id(labels)]
        files[name] = (files[name][0], file)
        return file

    layout.write(drawn, root, write_picture, write_mask)
    if spec.class_list:
        class_lists.write(drawn, root, spec.class_list, spec.encoding, spec.end)
    words: list[str] = []
    if spec.fault:
        fault = faults.FAULTS[spec.fault]
        has_masks = all(mask and mask.suffix != ".npy" for _, mask in files.values())
        if has_masks or not fault.needs_masks:
            words += fault.plant(root, files)
    faulty = bool(words)
    quirks.QUIRKS[spec.quirk](root)
    files = {name: _renamed(pair) for name, pair in files.items()}
    odd_pictures = spec.picture in pictures.ODD
    if odd_pictures:
        words += _WORDS_OF_PICTURES
    has_colours = spec.class_list in class_lists.WITH_COLOURS
    # An ending that all masks share is no name of a class.
    one_ending = "x_CLASS" in spec.layout and spec.classes == 2
    named = (layout.named and not one_ending) or (
        bool(spec.class_list) and (has_colours or not kind.colours)
    )
    return Case(root, drawn, files, named, faulty, tuple(words), odd_pictures)


def _renamed(pair: tuple[Path, Path | None]) -> tuple[Path, Path | None]:
    """A picture whose ending a quirk has put in capitals."""
    image, mask = pair
    capital = image.with_suffix(image.suffix.upper())
    names = {path.name for path in image.parent.iterdir()} if image.parent.is_dir() else set()
    return (capital if capital.name in names and image.name not in names else image, mask)
