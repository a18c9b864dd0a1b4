from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.errors import ConfigError
from pixelwise.inference.cutouts import CutoutRules, soft_alpha
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor, Result

NAMES = ("background", "cat", "dog")
RED = np.array([200, 30, 30], np.uint8)


def result(kind: str = "probabilities") -> Result:
    """A cat of 20 x 30 pixels in a red photo, of which the scores are unsure everywhere."""
    labels = np.zeros((60, 80), np.uint8)
    labels[20:40, 30:60] = 1
    rgb = np.full((60, 80, 3), RED, np.uint8)
    rgb[labels == 1] = (10, 200, 10)
    cat = np.where(labels == 1, 0.6, 0.3)
    scores = np.stack([1 - cat, 0.75 * cat, 0.25 * cat])
    if kind == "logits":
        scores = np.log(scores) + 3
    confidence = np.max(scores, 0).astype(np.float32)
    return Result(
        rgb, labels, confidence, NAMES, ((0, 0, 0),) * 3, {kind: scores.astype(np.float16)}
    )


STAYS = np.isin(np.arange(256), (1, 2))


@pytest.mark.parametrize("kind", ["probabilities", "logits"])
def test_alpha_is_the_probability_at_the_border_and_the_label_elsewhere(kind: str) -> None:
    alpha = soft_alpha(result(kind), STAYS)
    # half a pixel from the border, of two pixels that the edge reaches: three quarters
    assert alpha[30, 30] == pytest.approx(1 + 0.75 * (0.6 - 1), abs=2e-3)
    assert alpha[30, 29] == pytest.approx(0.75 * 0.3, abs=2e-3)
    assert alpha[30, 31] == pytest.approx(1 + 0.25 * (0.6 - 1), abs=2e-3)
    assert alpha[30, 45] == 1
    assert alpha[30, 26] == 0


def test_nothing_and_everything_have_no_edge() -> None:
    whole = result()
    whole.labels[:] = 1
    assert (soft_alpha(whole, STAYS) == 1).all()
    whole.labels[:] = 0
    assert (soft_alpha(whole, STAYS) == 0).all()


def test_a_cut_out_is_the_photo_with_alpha_and_cropped_where_asked() -> None:
    whole = CutoutRules().cut(result())
    assert whole.shape == (60, 80, 4)
    np.testing.assert_array_equal(whole[..., :3], result().rgb)
    cropped = CutoutRules(crop=True).cut(result())
    assert cropped.shape == (24, 34, 4)  # and two pixels of edge on each side
    np.testing.assert_array_equal(cropped, whole[18:42, 28:62])


def test_the_classes_that_stay_can_be_named() -> None:
    nothing = CutoutRules(("dog",), crop=True).cut(result())
    assert nothing.shape == (60, 80, 4)
    assert not nothing[..., 3].any()


def test_behind_it_stands_a_colour_a_picture_or_the_blurred_photo(tmp_path: Path) -> None:
    inside = (slice(24, 36), slice(34, 56))
    for background in ("#0000ff", str(tmp_path / "sky.png")):
        Image.new("RGB", (300, 100), (0, 0, 255)).save(tmp_path / "sky.png")
        picture = CutoutRules(background=background).cut(result())
        assert picture.shape == (60, 80, 3)
        assert (picture[:10] == (0, 0, 255)).all()
        np.testing.assert_array_equal(picture[inside], result().rgb[inside])
        blended = 0.225 * RED + 0.775 * np.array((0, 0, 255))
        np.testing.assert_allclose(picture[30, 29], blended, atol=1)
    blurred = CutoutRules(background="blur").cut(result())
    np.testing.assert_array_equal(blurred[inside], result().rgb[inside])
    # the green of the cat does not run into the red around it
    np.testing.assert_allclose(blurred[30, 20:27], np.tile(RED, (7, 1)), atol=8)


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (CutoutRules(("cow",)), "cow"),
        (CutoutRules(NAMES), "none is cut away"),
        (CutoutRules(background="skyy.png"), "give a colour"),
    ],
)
def test_what_cannot_be_cut_is_refused(rules: CutoutRules, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        rules.check(NAMES)


def test_a_model_without_background_needs_to_know_what_stays() -> None:
    with pytest.raises(ConfigError, match="--foreground"):
        CutoutRules().check(("cat", "dog"))
    CutoutRules(("cat",)).check(("cat", "dog"))


class Green:
    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        cat = 8 * (rgb[:, 1].astype(np.float32) > 100) - 4
        return np.stack([-cat, cat], axis=1)


def test_predict_writes_one_beside_each_mask(tmp_path: Path) -> None:
    Image.fromarray(result().rgb).save(tmp_path / "photo.png")
    predictor = Predictor(Green(), Classes.named(("background", "cat")))
    out = tmp_path / "out"
    choices = PredictOptions(extras=("cutouts",), crop=True)
    predict_files(predictor, [tmp_path / "photo.png"], out, choices=choices)
    assert not list(out.glob("*.npz"))  # of scores that nobody asked for
    with Image.open(out / "photo_cutout.png") as cutout:
        assert cutout.mode == "RGBA"
        assert cutout.size == (34, 24)
    with pytest.raises(ConfigError, match="add --also cutouts"):
        PredictOptions(background="blur")
    choices = PredictOptions(extras=("cutouts",), background="nocolour")
    with pytest.raises(ConfigError, match="give a colour"):
        predict_files(predictor, [tmp_path / "photo.png"], out, choices=choices)
