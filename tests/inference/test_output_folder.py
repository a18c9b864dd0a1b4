import os
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from pixelwise.errors import ConfigError
from pixelwise.inference.manifest import read_manifest
from pixelwise.inference.output_folder import OutputFolder
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.io.storage import Store, open_store
from pixelwise.progress import Progress

RECIPE = Recipe({"model": "m"})


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return open_store(tmp_path / "out" if request.param == "disk" else f"memory://{tmp_path}")


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    paths = [tmp_path / "in" / f"{name}.jpg" for name in "abc"]
    paths[0].parent.mkdir()
    for path in paths:
        Image.new("RGB", (8, 6)).save(path)
    return [str(path) for path in paths]


def opened(store: Store, images: list[str], recipe: Recipe | None = RECIPE) -> OutputFolder:
    return OutputFolder(store, images, PredictOptions(), recipe)


def label(store: Store, images: list[str], *, record: bool = True) -> None:
    """Masks of images, as a command leaves them."""
    folder = opened(store, images)
    folder.begin()
    for image in images:
        mask = f"{Path(image).stem}.png"
        store.write(mask, "labels")
        if record:
            folder.record({"image": image, "state": "done", "mask": mask, "reason": ""})
    folder.close()


def test_what_is_recorded_is_finished_until_its_image_changes(
    store: Store, photos: list[str]
) -> None:
    assert opened(store, photos).find_finished() == {}
    label(store, photos[:2])
    names = {photos[0]: "a.png", photos[1]: "b.png"}
    assert opened(store, photos).find_finished() == names
    os.utime(photos[0], (0, 0))
    assert opened(store, photos).find_finished() == {photos[1]: "b.png"}
    Path(photos[1]).unlink()
    assert opened(store, photos).find_finished() == {}, "reading it will say what is wrong"


def test_an_image_that_was_moved_is_known_and_another_one_of_its_name_is_not_taken_for_it(
    store: Store, photos: list[str], tmp_path: Path
) -> None:
    label(store, photos)
    moved = [str(tmp_path / "moved" / Path(photo).name) for photo in photos]
    Path(photos[0]).parent.rename(tmp_path / "moved")
    assert len(opened(store, moved).find_finished()) == 3
    Image.new("RGB", (9, 9)).save(moved[1])
    with pytest.raises(ConfigError, match=r"mask b\.png of .*/in/b\.jpg, another image than"):
        opened(store, moved).find_finished()
    again = Recipe(RECIPE.made_with, overwrite=True)
    assert opened(store, moved, again).find_finished() == {}


def test_masks_that_no_manifest_names_count_while_their_images_are_older(
    store: Store, photos: list[str]
) -> None:
    label(store, photos, record=False)
    folder = opened(store, photos)
    assert len(folder.find_finished()) == 3
    folder.record_earlier(dict.fromkeys(photos))
    folder.close()
    assert read_manifest(store).keys() == set(photos)
    later = max(store.times().values()) + 10**10
    os.utime(photos[2], ns=(later, later))
    assert opened(store, photos).find_finished().keys() == set(photos[:2])


def test_a_mask_of_before_the_recipe_counts_for_nothing(store: Store, photos: list[str]) -> None:
    store.write("a.png", "labels of another model")
    with pytest.raises(ConfigError, match="masks of 1 of these images, made with another model"):
        opened(store, photos).find_finished()
    opened(store, photos, Recipe(RECIPE.made_with, overwrite=True)).begin()
    assert opened(store, photos).find_finished() == {}


def test_without_a_recipe_nothing_is_looked_up_and_nothing_recorded(
    store: Store, photos: list[str]
) -> None:
    folder = opened(store, photos, None)
    folder.begin()
    folder.record({"image": photos[0], "state": "done", "mask": "a.png", "reason": ""})
    folder.close()
    assert store.times() == {}
    assert read_manifest(store) == {}


def test_a_folder_of_the_first_version_is_gone_on_with(photos: list[str], tmp_path: Path) -> None:
    store = open_store(tmp_path / "out")
    label(store, photos, record=False)
    status = Path(photos[0]).stat()
    other = ["b.png", "/elsewhere/b.jpg", 5, 6]
    lines = [["a.png", photos[0], status.st_size, status.st_mtime_ns], other]
    text = "\n".join(str(line).replace("'", '"') for line in lines) + "\n"
    store.write(".pixelwise-origins.jsonl", text)
    assert opened(store, photos[:1]).find_finished() == {photos[0]: "a.png"}
    with pytest.raises(ConfigError, match=r"mask b\.png of /elsewhere/b\.jpg, another image"):
        opened(store, photos).find_finished()
    shutil.copy(photos[1], photos[0])
    assert opened(store, photos[:1]).find_finished() == {}


@pytest.mark.parametrize("name", ["mask.png", "Mask.TIF", "a/b.jpeg"])
def test_an_output_folder_named_like_a_picture_is_refused_with_the_folder_to_give(
    name: str, tmp_path: Path, photos: list[str]
) -> None:
    out = tmp_path / name
    folder = OutputFolder(open_store(str(out)), photos, PredictOptions())
    message = f"--out is a folder.*name the folder, such as {re.escape(str(out.with_suffix('')))}"
    with pytest.raises(ConfigError, match=message):
        folder.check(Progress())
    assert not out.exists()
    out.mkdir(parents=True)  # one that exists is meant
    folder.check(Progress())


def test_a_map_of_objects_takes_the_place_of_no_other_mask(
    tmp_path: Path,
) -> None:
    images = [str(tmp_path / "a.jpg"), str(tmp_path / "a_objects.jpg")]
    options = PredictOptions(extras=("objects",))
    folder = OutputFolder(open_store(tmp_path / "out"), images, options)
    with pytest.raises(ConfigError, match=r"a_objects\.png, the map of the objects in .*a\.jpg"):
        folder.check(Progress())
    OutputFolder(open_store(tmp_path / "out"), images, PredictOptions()).check(Progress())
