"""What the names of folders say of their pictures: a split, images or masks, or neither."""

import re
from dataclasses import dataclass
from typing import Literal

from pixelwise.datasets.splits import split_of

Role = Literal["images", "masks", ""]

_IMAGE_WORDS = (
    "images",
    "image",
    "imgs",
    "img",
    "jpegimages",
    "photos",
    "photo",
    "pictures",
    "pics",
    "frames",
    "inputs",
    "input",
    "originals",
    "original",
)
_MASK_WORDS = (
    "masks",
    "mask",
    "labels",
    "label",
    "annotations",
    "annotation",
    "annots",
    "annot",
    "anns",
    "ann",
    "anno",
    "segmentationclass",
    "segmentations",
    "segmentation",
    "segs",
    "seg",
    "gts",
    "gt",
    "groundtruths",
    "groundtruth",
    "truth",
    "targets",
    "target",
)
# Pictures of masks for people, and what else tools write beside them.
_COMPANION_WORDS = frozenset(
    {
        "color",
        "colors",
        "colour",
        "colours",
        "rgb",
        "vis",
        "viz",
        "visualization",
        "visualisation",
        "visualizations",
        "overlay",
        "overlays",
        "preview",
        "previews",
        "thumbnails",
        "instance",
        "instances",
        "object",
        "objects",
    }
)
_NEUTRAL_WORDS = frozenset(
    {"dir", "folder", "files", "data", "dataset", "set", "class", "png", "jpg", "jpeg", "ground"}
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")


@dataclass(frozen=True)
class FolderName:
    """What a folder's name says.

    `rank` orders the names of a role, the most usual first; `exact` says that no word is left that
    means something else, `companion` that the pictures are for people.
    """

    words: frozenset[str]
    split: str = ""
    role: Role = ""
    rank: int = 0
    exact: bool = False
    companion: bool = False


def parse_folder_name(name: str) -> FolderName:
    """Read a folder's name, such as `train_labels`, `ann_dir` or `SegmentationClassPNG`."""
    words = [word.lower() for word in _WORD.findall(name)]
    words = [part for word in words for part in _split_word(word)]
    split = next((split for word in words if (split := split_of(word))), "")
    roles: dict[Role, list[int]] = {
        "masks": [_MASK_WORDS.index(word) for word in words if word in _MASK_WORDS],
        "images": [_IMAGE_WORDS.index(word) for word in words if word in _IMAGE_WORDS],
    }
    # Images of masks are masks.
    role: Role = "masks" if roles["masks"] else "images" if roles["images"] else ""
    usual = {*_NEUTRAL_WORDS, *(_MASK_WORDS if role == "masks" else _IMAGE_WORDS)}
    return FolderName(
        frozenset(words),
        split,
        role,
        rank=min(roles[role]) if role else 0,
        exact=bool(role) and all(word in usual or split_of(word) for word in words),
        companion=not _COMPANION_WORDS.isdisjoint(words),
    )


def _split_word(word: str) -> list[str]:
    """The words of one without a border between them, as in trainannot and imgdir."""
    known = {*_IMAGE_WORDS, *_MASK_WORDS, *_NEUTRAL_WORDS, *_COMPANION_WORDS}
    if word in known:
        return [word]
    for end in range(2, len(word) - 1):
        head = word[:end]
        tail = word[end:]
        if tail in known and (head in known or split_of(head)):
            return [head, tail]
    return [word]
