"""The folder of the masks where none is named."""

from collections.abc import Callable
from itertools import count

from pixelwise.inference.image_info import ImageInfos
from pixelwise.inference.output_folder import OutputFolder
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.sources import Sources
from pixelwise.inference.split_frames import split_frames
from pixelwise.io.storage import open_store

FOLDER = "labelled"


def choose_folder(
    sources: Sources, options: PredictOptions, recipe: Recipe, folder: str = FOLDER
) -> str:
    """`folder`, or the first of FOLDER-2, FOLDER-3 and so on that this call may use: a new one, or
    one with masks of the same model and options, which it goes on with.
    """
    if options.frames == "all":
        sources = split_frames(sources)
    infos = ImageInfos(sources)
    images = list(sources)

    def is_free(folder: str) -> bool:
        store = open_store(folder)
        return OutputFolder(store, images, options, recipe, is_large=infos.may_be_large).is_free()

    return first_free(is_free, folder)


def first_free(is_free: Callable[[str], bool], folder: str = FOLDER) -> str:
    """`folder`, or the first of FOLDER-2, FOLDER-3 and so on that may be used."""
    for number in count(2):
        if is_free(folder):
            return folder
        folder = f"{folder.removesuffix(f'-{number - 1}')}-{number}"
    raise AssertionError  # numbers do not end
