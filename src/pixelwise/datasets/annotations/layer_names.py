"""Classes by the names of layers: which words are classes, and which files are parts of one."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

FOREGROUND = "foreground"
"""The class of parts whose names say no class."""

Words = Mapping[str, Collection[str]]
"""What is left of the names of each image's layers, by the image's name."""

_HASH = re.compile(r"(?=.*\d)[0-9a-f]{8,}|[0-9a-f]{8}-[0-9a-f-]{27}", re.IGNORECASE)
_NUMBER_BEHIND = re.compile(r"[ _\-.(]*\d+\)?$")
# What tools put before the name of a class, and call a file of all classes.
_BEFORE_CLASS = re.compile(r"class[_-](.+)", re.IGNORECASE)
_ALL = frozenset({"all", "all_objects", "all_classes", "combined", "merged", "union"})
# Words that say mask, not what of.
_PLAIN = frozenset(
    {"", "mask", "masks", "label", "labels", "object", "obj", "instance", "part", "seg", "gt"}
)
# So many of the words must be those of several images: classes come again, objects do not.
_REPEATED = 0.5


@dataclass(frozen=True)
class LayerClasses:
    """The class of each word, and the words of files that hold all classes at once.

    `problem` says why the words are neither classes nor numbers; it is empty where they are.
    """

    by_word: dict[str, str] = field(default_factory=dict)
    wholes: frozenset[str] = frozenset()
    problem: str = ""

    @property
    def one_class(self) -> bool:
        """Whether all files are parts of one class."""
        return set(self.by_word.values()) == {FOREGROUND}


def find_layer_classes(words: Words) -> LayerClasses:
    """The class that each word means. Numbers, hashes and a single word are parts of one class;
    several words are classes where they come again in other images.
    """
    used = {word for of_image in words.values() for word in of_image}
    wholes = frozenset(word for word in used if word.lower() in _ALL)
    names = {word: class_of_word(word) for word in sorted(used - wholes)}
    named = [name for name in names.values() if name]
    if named and all(_BEFORE_CLASS.fullmatch(name) for name in named):
        names = {word: _BEFORE_CLASS.sub(r"\1", name) for word, name in names.items()}
    classes = sorted({name for name in names.values() if name})
    if not classes or (len(classes) == 1 and all(names.values())):
        return LayerClasses(dict.fromkeys(names, FOREGROUND), wholes)
    problem = _find_problem(words, names, classes)
    return LayerClasses({word: name or FOREGROUND for word, name in names.items()}, wholes, problem)


def _find_problem(words: Words, names: Mapping[str, str], classes: list[str]) -> str:
    plain = [word for word, name in names.items() if not name]
    if plain:
        return f"'{classes[0]}' may be a class, but '{plain[0]}' says none"
    images: Counter[str] = Counter()
    for of_image in words.values():
        images.update({names[word] for word in of_image if word in names})
    once = [name for name in classes if images[name] == 1]
    if len(words) > 1 and len(once) > _REPEATED * len(classes):
        return f"{len(once)} of {len(classes)} names are those of one image each, as '{once[0]}' is"
    return ""


def class_of_word(word: str) -> str:
    """The class in a word, without the number of an object; empty where it says none."""
    if _HASH.fullmatch(word):
        return ""
    name = _NUMBER_BEHIND.sub("", word)
    return "" if name.lower() in _PLAIN or name.isdigit() else name
