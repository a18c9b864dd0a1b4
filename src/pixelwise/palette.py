"""Colours for classes to which a data set gives none: bright, and apart for colour-blind people."""

# The first seven are those of Okabe & Ito (Color Universal Design, 2008) but black, each further
# one lies as far as can be from all before it, in OKLab, also as people with protanopia,
# deuteranopia and tritanopia see it: benchmarks/palette.py made the table. It stays as it is, as
# masks and models record their colours.
_TABLE = """
    56b4e9 d55e00 f0e442 0072b2 e69f00 009e73 cc79a7 872d0f 3c0fd2 a569ff 694b69 a5c396 00e1ff
    a54b2d 9600ff 780096 e1c35a 965a78 c32dc3 c3f0ff b4a569 8796ff 87d2d2 87ff87 3c5a96 e17800
    965ae1 8787d2 a56996 874b4b d296a5 a5e196 b4694b b40f96 a5964b 783c3c 871eb4 963c1e 87b4c3
    4ba5c3 c3b469 87a587 ffb4f0 0000f0 870078 5ac32d 5a875a e196ff c34b0f f0d25a 4bd2b4 00ffe1
    ff87e1 9678b4 a50fe1 e13c96 ff4bd2 a51e69 d26978 c31ea5 b43cff f02d4b a5b487 a5d296 87e1d2
    3ce1b4 875ac3 e1f0b4 b4d200 c3c378 961e87 c3ff69 d21e78 7887f0 c3e178 3c873c b45ad2 875a5a
    871ed2 961e5a 3c4b87 c32d00 0069a5 781ea5 b487e1 c3e1ff d287a5 78c3c3 f04b69 5aff00 69a51e
    a5f096 c3f069 a5780f b44b87 c369f0 78b44b 78965a d20fe1 6900b4 b41eb4 3c8796 b43c69 69693c
    873c2d f06978 a51ea5 783c78 692dc3 f000b4 6969f0 1ed23c ffa5f0 1e96c3 e14be1 e10f87 f07887
    005a5a a54bd2 5a00c3 78f0b4 ff5aff c35aa5 69c3e1 e18700 a50096 d2b44b 690fe1 963c78 4b7887
    870f87 2d0fff d2a5a5 b47887 9678e1 ff2dc3 e1c3ff 8778a5 c3d278 b4f0d2 f078b4 a5ffc3 d22d3c
    a578c3 784bf0 0f9669 963cd2 b41e00 78a596 e1a5ff b496b4 c3a5d2 a5e100 964ba5 78d2e1 5af0e1
    783cc3 0f693c d24b69 f078f0 ff9687 96e1c3 9696d2 5a78b4 d21eb4 e196b4 96002d a5b400 96d2a5
    78b496 a53c2d f096f0 c378b4 87694b ffd2f0 782d69 c396d2 b4b478 a596f0 c3a55a 4bc3ff 872d4b
    9687ff e187e1 2d78d2 4b692d 5a6987 78e1a5 78ffa5 2d6969 3c87d2 2d7878 a54b96 d2873c 96a55a
    f0b469 96f0c3 963c5a b4d287 69874b 78871e 3cf0a5 ffc3f0 96692d 96c3d2 78e1e1 d287c3 96c387
    96ffd2 f069e1 ffa5d2 b41e69 003cf0 b4e187 1eb4b4 d2f0a5 d2d269 b478a5 5aa54b a5d24b 5aa5f0
    2de11e 783c5a ff96c3 1e87f0 a55a5a 5ac396 a5d2ff 00b478 69964b 2d00e1 c3692d 962d1e b42d3c
    a5d2c3 690fa5 c3871e a5ff78 c36969 d24bff a5003c 2da578 c33c69 87c35a f03c96 b4ff96 0f4bff
    d25ac3 ffc369 9669f0 871e4b 0f4bf0 0f7800 c35a5a a5a51e
"""

CLASS_COLOURS: tuple[tuple[int, int, int], ...] = tuple(
    (int(word[:2], 16), int(word[2:4], 16), int(word[4:], 16)) for word in _TABLE.split()
)
"""RGB of 255 classes, in the order in which they are used."""

BACKGROUND_NAMES = frozenset({"background", "_background_"})
"""Names, in small letters, of the class of what is nothing else."""

BACKGROUND_COLOUR = (0, 0, 0)
"""Black in masks; pictures leave a black class unpainted."""


def default_palette(names: tuple[str, ...]) -> tuple[tuple[int, int, int], ...]:
    """A colour for each class: black for the background, CLASS_COLOURS in their order for others.

    The background is the first class called so; else the value 0 where nobody named the classes,
    and the first of two.
    """
    background = _find_background(names)
    colours = []
    for label in range(len(names)):
        place = label - (background is not None and label > background)
        colour = CLASS_COLOURS[place % len(CLASS_COLOURS)]
        colours.append(BACKGROUND_COLOUR if label == background else colour)
    return tuple(colours)


def _find_background(names: tuple[str, ...]) -> int | None:
    for label, name in enumerate(names):
        if name.lower() in BACKGROUND_NAMES:
            return label
    pair = len(names) == 2
    unnamed = names[:1] == ("class 0",)
    return 0 if pair or unnamed else None
