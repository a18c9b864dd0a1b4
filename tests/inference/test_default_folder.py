from pathlib import Path

import pytest
from PIL import Image

from pixelwise.inference.default_folder import choose_folder
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_options import PredictOptions

OPTIONS = PredictOptions()
FIRST = Recipe({"model": "first"})
SECOND = Recipe({"model": "second"})


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (4, 3)).save("photo.jpg")


def label(folder: str, recipe: Recipe) -> None:
    Path(folder).mkdir()
    Path(folder, ".pixelwise.json").write_text(recipe.as_json())
    Image.new("L", (4, 3)).save(Path(folder, "photo.png"))


def choose(recipe: Recipe) -> str:
    return choose_folder({"photo.jpg": None}, OPTIONS, recipe)


def test_a_new_or_empty_folder_is_taken() -> None:
    assert choose(FIRST) == "labelled"
    Path("labelled").mkdir()
    assert choose(FIRST) == "labelled"


def test_masks_of_the_same_model_go_on_and_those_of_another_stay() -> None:
    label("labelled", FIRST)
    assert choose(FIRST) == "labelled"
    assert choose(SECOND) == "labelled-2"
    label("labelled-2", SECOND)
    assert choose(SECOND) == "labelled-2"
    assert choose(Recipe({"model": "third"})) == "labelled-3"
    assert choose(Recipe({"model": "third"}, overwrite=True)) == "labelled"


@pytest.mark.parametrize("name", ["labelled/notes.txt", "labelled"])
def test_what_is_not_ours_is_left_alone(name: str) -> None:
    path = Path(name)
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert choose(Recipe({"model": "first"}, overwrite=True)) == "labelled-2"
