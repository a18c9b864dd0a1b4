"""The classes that a model and a data set share: by name, or by colour where nobody named them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixelwise.classes import (
    VOID,
    Classes,
    ClassTree,
    Colour,
    colour_of_name,
    is_named_by_value,
    name_of_colour,
    voc_colormap,
)
from pixelwise.datasets.class_tree import find_members, join_trees
from pixelwise.datasets.types import Pair, first
from pixelwise.errors import ImageError, ModelError
from pixelwise.io.channels import Mask
from pixelwise.io.images import Array, void_invalid
from pixelwise.palette import default_palette

# With one class alone every pixel that counts is of it, and any model is right.
_FEWEST = 2
_NAME_THEM = (
    "write classes.csv (one class a line: name,r,g,b) into the data, with the model's names: "
)


@dataclass(frozen=True)
class ClassMatch:
    """The classes that model and data set share, and how each side's ids become ids of these:
    tables (256,) uint8 with void for all others.
    """

    classes: Classes
    from_data: Array
    from_model: Array
    notes: tuple[str, ...]

    @property
    def model_ids(self) -> list[int]:
        """The model's id of each shared class."""
        return [int(np.flatnonzero(self.from_model == label)[0]) for label in range(self._count)]

    @property
    def _count(self) -> int:
        return len(self.classes)

    def model_labels(self) -> Array:
        """(256,) uint8: the model's id of each id of the data, void for classes that it does not
        know.
        """
        to_model = np.full(256, VOID, np.uint8)
        to_model[: self._count] = self.model_ids
        return to_model[self.from_data]

    def truth(
        self,
        read_labels: Callable[[Path], Array],
        pair: Pair,
        size: tuple[int, ...],
        valid: Mask | None = None,
    ) -> Array:
        """True ids (H, W) of a pair in the shared classes, void where the image is not `valid`.
        Raises ImageError where they are not of the image's size.
        """
        truth = self.from_data[read_labels(pair.mask)]
        if truth.shape != size:
            raise ImageError(
                f"{pair.image}: {size} pixels, but its mask has {truth.shape} (height, width)"
            )
        return void_invalid(truth, valid)


def match_classes(
    model: Classes, data: Classes, *, model_name: str = "model", by_tree: bool = False
) -> ClassMatch:
    """The classes that both have; all else is void. With `by_tree` those of one side that the other
    knows as what is above them, in the tree of either, are that: several of the model's ids may
    then be one. Raises ModelError where classes are fewer than two, and as `names_for_data`.
    """
    renamed = names_for_data(model, data, model_name=model_name)
    model_names = renamed
    data_names = data.names
    tree = join_trees(data.tree, model.tree)
    if by_tree:
        model_names, data_names = _meet_in_tree(tree, model_names, data_names)
    shared = tuple(dict.fromkeys(name for name in data_names if name in model_names))
    if len(shared) < _FEWEST:
        raise _too_few_error(model, data, shared, model_name)
    # The data's colours: pages show prediction and truth alike.
    palette = tuple(data.palette[data_names.index(name)] for name in shared)
    return ClassMatch(
        Classes(shared, palette, data.guessed, tree),
        from_data=_lookup_table(data_names, shared),
        from_model=_lookup_table(model_names, shared),
        notes=(
            *_describe_renamed(model.names, renamed),
            *_describe_met(renamed, model_names, data.names, data_names),
            *_describe_unshared(model_names, data_names),
        ),
    )


def _meet_in_tree(
    tree: ClassTree, model_names: tuple[str, ...], data_names: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of both sides, with what is above them where the other side knows that alone."""
    for parent, members in find_members(tree).items():
        in_model = any(name in members for name in model_names)
        in_data = any(name in members for name in data_names)
        if parent in data_names and parent not in model_names and not in_data:
            model_names = tuple(parent if name in members else name for name in model_names)
        elif parent in model_names and parent not in data_names and not in_model:
            data_names = tuple(parent if name in members else name for name in data_names)
    return model_names, data_names


def names_for_data(model: Classes, data: Classes, *, model_name: str = "model") -> tuple[str, ...]:
    """The names of the model's classes as the data has them.

    Declared names stay. Classes that nobody named are those of the same value or colour, whatever
    their number. Raises ModelError where numbered classes have other colours on either side.
    """
    if any(map(colour_of_name, (*model.names, *data.names))):
        return _rename_by_colour(model, data)
    if _are_numbered_otherwise(model, data):
        return _rename_by_palette(model, data, model_name)
    return model.names


def _rename_by_colour(model: Classes, data: Classes) -> tuple[str, ...]:
    """The model's names, where one side names classes by their colours."""
    data_names = {colour: name for name, colour in _known_colours(data).items()}
    colours = _known_colours(model)
    renamed = []
    for name in model.names:
        other = data_names.get(colours.get(name), name)
        by_colour = colour_of_name(name) or colour_of_name(other)
        new = name not in data.names and other not in model.names
        renamed.append(other if by_colour and new else name)
    return tuple(renamed)


def _known_colours(classes: Classes) -> dict[str, Colour | None]:
    """Colours by name; none where they say nothing: two are alike, or they are those that stand in
    for values whose colour nobody knows.
    """
    shown = zip(classes.names, classes.palette, strict=True)
    colours = {name: colour_of_name(name) or colour for name, colour in shown}
    stand_ins = (default_palette(classes.names), voc_colormap(len(classes)))  # of earlier versions
    invented = classes.guessed and classes.palette in stand_ins
    if invented or len(set(colours.values())) < len(classes):
        return {name: colour for name, colour in colours.items() if colour_of_name(name)}
    return dict(colours)


def _are_numbered_otherwise(model: Classes, data: Classes) -> bool:
    """Whether `class 1` may be another class in the data than in the model."""
    numbered = [name for name in data.names if is_named_by_value(name) and name in model.names]
    if not numbered:
        return False
    colours = _known_colours(model)
    data_colours = _known_colours(data)
    if colours and data_colours:
        moved = [name for name in numbered if colours[name] != data_colours[name]]
        if any(data_colours[name] in colours.values() for name in moved):
            return True
    # Earlier versions numbered colours as well, in the order of their values, and did not say so.
    packed = list(model.palette)
    may_be_colours = not model.guessed and data.guessed and packed == sorted(packed)
    return may_be_colours and any(_palette_differs(model, data, name) for name in numbered)


def _palette_differs(
    model: Classes,
    data: Classes,
    name: str,
) -> bool:
    colour = model.palette[model.names.index(name)]
    return colour != data.palette[data.names.index(name)]


def _rename_by_palette(
    model: Classes,
    data: Classes,
    model_name: str,
) -> tuple[str, ...]:
    """The model's names by colour. Raises ModelError unless each of the data's colours is one of
    the model's.
    """
    data_names = {colour: name for name, colour in _known_colours(data).items()}
    colours = set(_known_colours(model).values())
    if not data_names or not data_names.keys() <= colours:
        raise _numbering_error(model, data, model_name)
    # A number of the model that is another class in the data must not match by chance.
    return tuple(data_names.get(colour, name_of_colour(colour)) for colour in model.palette)


def _numbering_error(
    model: Classes,
    data: Classes,
    model_name: str,
) -> ModelError:
    name = next(
        name for name in data.names if name in model.names and _palette_differs(model, data, name)
    )
    colour = model.palette[model.names.index(name)]
    data_colour = data.palette[data.names.index(name)]
    return ModelError(
        f"the classes of {model_name} and of the data were numbered, not named, and '{name}' is "
        f"{colour} in the model but {data_colour} in the data; {_NAME_THEM}{first(model.names)}"
    )


def _too_few_error(
    model: Classes,
    data: Classes,
    shared: tuple[str, ...],
    model_name: str,
) -> ModelError:
    what = f"share only {shared[0]}" if shared else "share no class"
    text = (
        f"{model_name} and data {what}, which leaves nothing to score: the model knows "
        f"{first(model.names)}; the data has {first(data.names)}; "
    )
    alike = [
        f"'{name}' is '{other}'" for name in data.names if (other := _alike(name, model.names))
    ]
    if alike:
        return ModelError(f"{text}write names as the model does in classes.txt: {first(alike)}")
    if data.guessed or model.guessed:
        return ModelError(f"{text}{_NAME_THEM}{first(model.names)}")
    return ModelError(f"{text}rename them in the data's classes.txt")


def _alike(name: str, others: tuple[str, ...]) -> str:
    """The name among `others` that differs from `name` in letter case, blanks or dashes alone."""
    if name in others:
        return ""
    return next((other for other in others if _plain(other) == _plain(name)), "")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _describe_renamed(names: tuple[str, ...], renamed: tuple[str, ...]) -> tuple[str, ...]:
    pairs = zip(names, renamed, strict=True)
    changes = [f"{name} is {other}" for name, other in pairs if name != other]
    return (f"matched by their colours: {first(changes)}",) if changes else ()


def _describe_met(
    names: tuple[str, ...], met: tuple[str, ...], data: tuple[str, ...], data_met: tuple[str, ...]
) -> tuple[str, ...]:
    changes = [
        f"{name} as {parent}"
        for name, parent in (*zip(names, met, strict=True), *zip(data, data_met, strict=True))
        if name != parent
    ]
    return (f"counted by the tree: {first(changes)}",) if changes else ()


def _describe_unshared(
    model_names: tuple[str, ...], data_names: tuple[str, ...]
) -> tuple[str, ...]:
    unknown = [name for name in data_names if name not in model_names]
    extra = [name for name in model_names if name not in data_names]
    notes = []
    if unknown:
        notes.append(f"the model does not know {', '.join(unknown)}: their pixels are void")
    for name in unknown:
        other = _alike(name, model_names)
        if other:
            notes.append(
                f"'{name}' may be the model's '{other}': write it so in the data's classes file"
            )
    if extra:
        notes.append(
            f"the data has no {', '.join(extra)}: pixels predicted so are counted as wrong"
        )
    return tuple(notes)


def _lookup_table(names: tuple[str, ...], shared: tuple[str, ...]) -> Array:
    # one step over an image for all classes: labels of a picture index the table at once
    table = np.full(256, VOID, dtype=np.uint8)
    for label, name in enumerate(names):
        if name in shared:
            table[label] = shared.index(name)
    return table
