"""Which image a mask belongs to by its name: the rules of tools, and what all names of a folder
have in common.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from pixelwise.io.images import IMAGE_SUFFIXES

# Words that tools and public sets put behind or before the name of the image: labelIds is of
# Cityscapes, _L of CamVid, cp_masks of Cellpose.
_WORDS = (
    r"(?:cp_)?masks?|(?:gt(?:fine|coarse)_)?label(?:train)?ids|labels?|gt|ground_?truth|"
    r"seg|segmentations?|annotations?|anno|matte"
)
_ENDING = re.compile(rf"(.+?)[_-](?:{_WORDS}|l)", re.IGNORECASE)
_BEGINNING = re.compile(rf"(?:{_WORDS})[_-](.+)", re.IGNORECASE)
# Pictures for people that tools write beside each mask.
_COMPANION = re.compile(
    r"(.+?)[_-](colou?rs?|colou?red|colormap|palette|rgb|vis|viz|visuali[sz]ation|overlay|blend|"
    r"preview|instance(?:train)?ids|instances?|polygons)",
    re.IGNORECASE,
)
# Of two masks of an image in Cityscapes' names, the one whose ids are the scored classes.
_PREFERRED = re.compile(r".*[_-]labeltrainids", re.IGNORECASE)
_SECOND = re.compile(r".*[_-]labelids", re.IGNORECASE)
# Names have affixes in common from so many files on; so large a part of them must then pair.
_FEWEST = 2
_MOST = 0.5
# Words of affixes that say what a file is.
_SIDE = re.compile(
    r"ima?ge?s?(?![a-z])|leftimg8bit|sat(?![a-z])|photo|rgb|frame|input|raw|"
    r"mask|label|gt|truth|seg|annot?|manual|target|matte",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[_\-. ]+\d+(?=[_\-. ]|$)")
_PART = re.compile(r"[A-Za-z]+(?=\d)|[^_\-. ]+[_\-. ]*|[_\-. ]+")


@dataclass(frozen=True)
class NameMatch:
    """The image's name of each mask's, companions left out.

    `affixes` is a line for the user where names were compared without what they have in common.
    """

    images: dict[str, str] = field(default_factory=dict)
    companions: tuple[str, ...] = ()
    affixes: str = ""


def match_names(images: Collection[str], masks: Sequence[str]) -> NameMatch:
    """Bring names of masks (without ending) to names of images; a mask that belongs to none is in
    neither `images` nor `companions`.

    Only where no name fits by the rules are the affixes compared that all images, or all masks,
    share: `7_sat` and `7_truth`.
    """
    lookup = NameLookup(images)
    matched = {mask: image for mask in masks if (image := lookup.find(mask))}
    affixes = ""
    if not matched:
        matched, affixes = _match_without_affixes(images, masks)
    rest = [mask for mask in masks if mask not in matched]
    companions = _find_companions(rest, matched)
    second = _find_second(matched)
    companions += second
    for mask in second:
        del matched[mask]
    return NameMatch(matched, tuple(companions), affixes)


def image_name(stem: str, images: Iterable[str]) -> str:
    """The name of the image that a mask called `stem` belongs to: its own, or that without `_mask`
    and the like; `stem` where there is none.
    """
    return NameLookup(images).find(stem) or stem


def has_mask_name(stem: str) -> bool:
    """Whether a name says that the file is a mask."""
    return bool(_ENDING.fullmatch(stem) or _BEGINNING.fullmatch(stem))


def is_companion(stem: str) -> bool:
    """Whether a name says that the file is a picture of a mask for people."""
    return bool(_COMPANION.fullmatch(stem))


def _fold(name: str) -> str:
    """What names are compared by: macOS stores accents apart, Windows ignores case."""
    return unicodedata.normalize("NFC", name).casefold()


class NameLookup:
    """Names of images, to find by the names of masks."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name: name for name in names}
        self._folded: dict[str, str | None] = {}
        for name in self._names:
            key = _fold(name)
            # Two names that differ by case alone are told apart by it, or not at all.
            self._folded[key] = None if key in self._folded else name
        self._numbers: dict[int, str | None] = {}
        for name in filter(str.isdecimal, self._names):
            number = int(name)
            self._numbers[number] = None if number in self._numbers else name

    def __contains__(self, stem: str) -> bool:
        return self._find_exactly(stem) is not None

    def find(self, stem: str) -> str | None:
        """The name that a mask called `stem` belongs to, None where there is none."""
        # The whole name first: an image may itself be called as a mask, such as cat_l.
        return self._find_exactly(stem) or self.find_shorter(stem)

    def find_number(self, stem: str) -> str | None:
        """The name that is `stem`, or the only one that is the same number: `7` for `00007`."""
        name = self._find_exactly(stem)
        if name is None and stem.isdecimal():
            name = self._numbers.get(int(stem))
        return name

    def find_shorter(self, stem: str) -> str | None:
        """As `find`, of the names that are shorter than `stem`."""
        shorter = _shorten(stem)
        while shorter is not None:
            name = self._find_exactly(shorter)
            if name is not None:
                return name
            shorter = _shorten(shorter)
        return None

    def _find_exactly(self, stem: str) -> str | None:
        return self._names.get(stem) or self._folded.get(_fold(stem))


def _shorten(stem: str) -> str | None:
    """A mask's name without one more word, or without the ending of a picture (`a.jpg.png`)."""
    root, dot, suffix = stem.rpartition(".")
    if f"{dot}{suffix}".lower() in IMAGE_SUFFIXES:
        return root
    match = _ENDING.fullmatch(stem) or _BEGINNING.fullmatch(stem)
    return match[1] if match else None


def _find_companions(masks: Iterable[str], matched: dict[str, str]) -> list[str]:
    """Pictures that are called as a mask or an image that has one, with `_color` and the like."""
    mask_lookup = NameLookup(matched)
    image_lookup = NameLookup(matched.values())
    companions = []
    for mask in masks:
        match = _COMPANION.fullmatch(mask)
        if match is None:
            continue
        is_called_so = mask_lookup.find(match[1]) or image_lookup.find(match[1])
        if is_called_so or _is_sibling(match, mask_lookup):
            companions.append(mask)
    return companions


def _is_sibling(match: re.Match[str], masks: "NameLookup") -> bool:
    """Whether a name such as `a_gtFine_color` has `a_gtFine_labelIds` beside it."""
    endings = ("labelTrainIds", "labelIds", "label", "mask")
    return any(masks.find(f"{match[1]}_{ending}") for ending in endings)


def _find_second(matched: dict[str, str]) -> list[str]:
    """The labelIds of images that have labelTrainIds as well."""
    with_preferred = {image for mask, image in matched.items() if _PREFERRED.fullmatch(mask)}
    return [
        mask
        for mask, image in matched.items()
        if image in with_preferred and _SECOND.fullmatch(mask)
    ]


def _match_without_affixes(
    images: Collection[str], masks: Sequence[str]
) -> tuple[dict[str, str], str]:
    """Names that are alike but for what all images, and all masks, begin and end with."""
    main = [mask for mask in masks if not is_companion(mask)] or list(masks)
    if min(len(images), len(main)) < _FEWEST:
        return {}, ""
    image_affixes = _common_affixes(images)
    mask_affixes = _common_affixes(main)
    matched = {}
    if _may_differ(image_affixes, mask_affixes):
        matched = _match_cores(images, image_affixes, main, mask_affixes)
    if not matched:
        # All else alike, what one side has more may be a number: 7_0000 and 7.
        suffix = _common_suffix(images, numbers=True)
        matched = _match_cores(images, ("", suffix), main, ("", ""))
    if not matched:
        return {}, ""
    mask, image = next(iter(matched.items()))
    return matched, f"{mask} is taken for the mask of {image}"


def _may_differ(image_affixes: tuple[str, str], mask_affixes: tuple[str, str]) -> bool:
    """Whether affixes that differ say which side is which: cat_1 is no image of dog_1. What masks
    alone, or images alone, have at the end needs no such word.
    """
    image_prefix, image_suffix = image_affixes
    mask_prefix, mask_suffix = mask_affixes
    differing = ""
    if image_prefix != mask_prefix:
        differing = image_prefix + mask_prefix
    elif image_suffix and mask_suffix and image_suffix != mask_suffix:
        differing = image_suffix + mask_suffix
    return not differing or bool(_SIDE.search(differing))


def _match_cores(
    images: Collection[str],
    image_affixes: tuple[str, str],
    masks: Sequence[str],
    mask_affixes: tuple[str, str],
) -> dict[str, str]:
    """The image of each mask by names without their affixes; none where too few have one."""
    cores = {_strip(image, image_affixes): image for image in images}
    if len(cores) < len(images):
        return {}
    lookup = NameLookup(cores)
    matched = {}
    for mask in masks:
        core = lookup.find(_strip(mask, mask_affixes))
        if core:
            matched[mask] = cores[core]
    enough = len(set(matched.values())) > _MOST * min(len(images), len(masks))
    return matched if enough else {}


def _common_affixes(names: Collection[str]) -> tuple[str, str]:
    """What all names begin and end with, whole words alone and no numbers: these tell files
    apart.
    """
    prefix = _keep_words(_PART.findall(_common_beginning(names)), names)
    return prefix, _common_suffix([name[len(prefix) :] for name in names], numbers=False)


def _common_suffix(names: Collection[str], *, numbers: bool) -> str:
    """What all names end with, from a separator on."""
    ending = _common_beginning([name[::-1] for name in names])[::-1]
    match = re.search(r"[_\-. ].*", ending)
    suffix = match[0] if match else ""
    while not numbers and (number := _NUMBER.match(suffix)):
        suffix = suffix[number.end() :]
    # A name that is the ending alone would have no core.
    return suffix if len(suffix) < min(map(len, names)) else ""


def _common_beginning(names: Collection[str]) -> str:
    first = min(names)
    last = max(names)
    length = 0
    while length < min(len(first), len(last)) and first[length] == last[length]:
        length += 1
    return first[:length]


def _keep_words(parts: Sequence[str], names: Collection[str]) -> str:
    """The leading parts that are words and end at a border of a word in every name."""
    prefix = ""
    for part in parts:
        longer = prefix + part
        if part[0].isdigit() and part.strip("_-. ").isdigit():
            break
        if not all(_ends_word(name, len(longer)) for name in names):
            break
        prefix = longer
    return prefix


def _ends_word(name: str, length: int) -> bool:
    if length >= len(name):
        return False
    last = name[length - 1]
    return last in "_-. " or (last.isalpha() and name[length].isdigit())


def _strip(name: str, affixes: tuple[str, str]) -> str:
    prefix, suffix = affixes
    return name.removeprefix(prefix).removesuffix(suffix)
