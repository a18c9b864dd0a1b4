import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pixelwise.classes import Classes
from pixelwise.errors import ConfigError, ImageError, ModelError, OutputError
from pixelwise.inference.backends.torch_runner import TorchRunner
from pixelwise.inference.predictor import Predictor, Result
from pixelwise.io.images import Array, Source, open_image
from pixelwise.models.picture_sizes import PictureSizes

CLASSES = Classes(("red", "green", "blue"), ((200, 0, 0), (0, 200, 0), (0, 0, 200)))


def strongest(rgb: np.ndarray) -> np.ndarray:
    """Logits = the channels: the class is the strongest colour."""
    return rgb.astype(np.float32) / 16


def sided(rgb: np.ndarray) -> np.ndarray:
    """Logits that depend on where in the image a pixel lies."""
    logits = strongest(rgb)
    logits[:, 0] += np.arange(rgb.shape[-1]) / 5
    return logits


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (45, 70, 3), dtype=np.uint8)


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(strongest, CLASSES)


def png(array: np.ndarray) -> bytes:
    held = io.BytesIO()
    Image.fromarray(array).save(held, format="PNG")
    return held.getvalue()


def test_labels_and_confidence_are_argmax_and_softmax_of_the_logits(
    predictor: Predictor, picture: np.ndarray
) -> None:
    result = predictor.predict(picture)
    softmax = np.exp(picture / 16.0)
    softmax /= softmax.sum(axis=2, keepdims=True)
    assert (result.labels == picture.argmax(axis=2)).all()
    np.testing.assert_allclose(result.confidence, softmax.max(axis=2), rtol=1e-5)
    assert (result.labels.dtype.name, result.confidence.dtype.name) == ("uint8", "float32")
    assert (result.classes, result.palette) == (CLASSES.names, CLASSES.palette)


def test_every_kind_of_source_gives_the_same_labels(
    predictor: Predictor, picture: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(picture))
    tensor = torch.from_numpy(picture).permute(2, 0, 1)
    sources: list[Source | Array | Tensor] = [
        path,
        str(path),
        png(picture),
        Image.fromarray(picture),
        tensor,
        tensor.float() / 255,
    ]
    for source in sources:
        result = predictor.predict(source)
        assert (result.rgb == picture).all()
        assert (result.labels == picture.argmax(axis=2)).all()


def test_arrays_of_16_bits_and_grey_ones_are_read_as_files_are(
    predictor: Predictor, picture: np.ndarray
) -> None:
    deep = predictor.predict(picture.astype(np.uint16) << 4)  # a camera of 12 bits
    assert (deep.rgb == picture).all()
    assert [str(note) for note in deep.notes] == [
        f"of 16 bits with values to {int(picture.max()) << 4}, scaled from 12 bits"
    ]
    grey = picture[..., 0]
    for array in (grey, grey.astype(np.uint16) << 8):
        assert (predictor.predict(array).rgb == grey[..., None]).all()


@pytest.mark.parametrize("shape", [(4,), (4, 5, 2), (4, 5, 3, 1), (0, 5)])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_arrays_that_are_no_picture_are_refused(
    predictor: Predictor, shape: tuple[int, ...], kind: type
) -> None:
    with pytest.raises(ImageError, match=r"give a path|at least 1 x 1"):
        predictor.predict(np.zeros(shape, kind))


def test_a_list_gives_a_list(predictor: Predictor, picture: np.ndarray) -> None:
    single = predictor(picture)
    both = predictor([picture, Image.fromarray(picture)])
    assert isinstance(single, Result)
    assert isinstance(both, list)
    assert [(result.labels == single.labels).all() for result in both] == [True, True]


def test_what_they_are_is_said_in_a_line(predictor: Predictor) -> None:
    rgb = np.zeros((4, 10, 3), np.uint8)
    rgb[:, :6, 1] = 200
    rgb[:, 6:, 2] = 200
    assert repr(predictor) == "<Predictor a model: red, green, blue>"
    assert repr(predictor.predict(rgb)) == "<Result 4 x 10: green 60%, blue 40%>"


def test_tiles_do_not_change_what_a_pixelwise_model_says(picture: np.ndarray) -> None:
    whole = Predictor(strongest, CLASSES).predict(picture)
    tiled = Predictor(strongest, CLASSES, tile=(32, 33), overlap=0.4).predict(picture)
    assert (tiled.labels == whole.labels).all()
    np.testing.assert_allclose(tiled.confidence, whole.confidence, atol=1e-5)


def test_logits_made_in_inference_mode_can_be_tiled_and_mirrored(picture: np.ndarray) -> None:
    runner = TorchRunner(torch.nn.Identity(), device=torch.device("cpu"))
    result = Predictor(runner, CLASSES, tile=(32, 32)).predict(picture, tta=True)
    assert (result.labels == picture.argmax(axis=2)).all()


def test_tta_makes_the_labels_of_a_mirrored_image_the_mirror(picture: np.ndarray) -> None:
    predictor = Predictor(sided, CLASSES)
    plain = predictor.predict(picture)
    mirror = predictor.predict(picture[:, ::-1])
    assert (plain.labels != mirror.labels[:, ::-1]).any()
    plain = predictor.predict(picture, tta=True)
    mirror = predictor.predict(picture[:, ::-1], tta=True)
    assert (plain.labels == mirror.labels[:, ::-1]).all()


def test_what_a_predictor_always_does_is_what_each_call_would_give(picture: np.ndarray) -> None:
    predictor = Predictor(sided, CLASSES)
    always = predictor.always(tta=True, scales=(0.5, 1), largest=("red",))
    asked = predictor.predict(picture, tta=True, scales=(0.5, 1), largest=("red",), scores="logits")
    given = always.predict(picture, scores="logits")
    plain = predictor.predict(picture, scores="logits")
    assert (given.scores["logits"] == asked.scores["logits"]).all()
    assert (given.labels == asked.labels).all()
    assert (plain.scores["logits"] != given.scores["logits"]).any()


def test_other_regions_of_a_class_take_the_label_that_comes_next_in_tiles_too() -> None:
    rgb = np.full((80, 120, 3), (10, 60, 20), np.uint8)  # green, then blue
    rgb[5:35, 5:60] = (200, 60, 20)  # the largest red region, across the tiles' edges
    rgb[50:60, 20:40] = (200, 20, 90)
    rgb[60:62, 40:42] = (200, 20, 90)  # touches it at a corner alone
    rgb[70:80, 100:120] = (200, 90, 20)
    predictor = Predictor(strongest, CLASSES, tile=(32, 32))
    plain = predictor.predict(rgb).labels
    alone = predictor.predict(rgb, largest=("red",), scores="probabilities")
    single = alone.labels
    sure = np.take_along_axis(alone.scores["probabilities"], single[None].astype(np.intp), axis=0)[
        0
    ]
    np.testing.assert_allclose(alone.confidence, sure, rtol=2e-3, atol=1e-7)
    expected = plain.copy()
    expected[50:60, 20:40] = expected[60:62, 40:42] = 2
    expected[70:80, 100:120] = 1
    assert (single == expected).all()
    assert (single[5:35, 5:60] == 0).all()
    assert (plain == 0).sum() == (single == 0).sum() + 404


@pytest.mark.parametrize(
    ("names", "said"),
    [(("rad",), "did you mean 'red'"), (("red", "green", "blue"), "all classes are named")],
)
def test_classes_that_cannot_be_made_single_are_refused(
    picture: np.ndarray, names: tuple, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        Predictor(strongest, CLASSES).predict(picture, largest=names)
    with pytest.raises(ConfigError, match=said):
        Predictor(strongest, CLASSES).always(largest=names)


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1)])
def test_tiny_images_keep_their_size(size: tuple[int, int]) -> None:
    result = Predictor(strongest, CLASSES, tile=(32, 32)).predict(
        np.zeros((*size, 3), dtype=np.uint8)
    )
    assert result.labels.shape == result.confidence.shape == size


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (np.zeros((4, 4, 3), dtype=np.float32), "holds float32"),
        (np.zeros((4, 4, 4), dtype=np.uint8), r"shape \(4, 4, 4\)"),
        (np.zeros((3, 4, 4), dtype=np.uint8), r"shape \(3, 4, 4\)"),
        (np.zeros((0, 4, 3), dtype=np.uint8), "empty"),
        (torch.zeros(4, 4, 3), r"shape \(4, 4, 3\)"),
        (torch.zeros(1, 3, 4, 4), r"shape \(1, 3, 4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), "holds int64"),
        (torch.full((3, 4, 4), 255.0), "spans 255 to 255"),
        (torch.full((3, 4, 4), torch.nan), "spans nan"),
        (torch.zeros(3, 0, 4), "empty"),
        ([[0, 0, 0]], "cannot be a list"),
    ],
)
def test_a_wrong_source_is_refused_by_name(predictor: Predictor, source: object, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        predictor.predict(source)  # type: ignore[arg-type]


def test_a_missing_file_is_refused_by_name(predictor: Predictor) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.jpg: no such file"):
        predictor.predict("nowhere.jpg")


def test_a_tile_that_cannot_be_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="tile 16 x 64"):
        Predictor(strongest, CLASSES, tile=(16, 64))


def test_a_model_with_another_number_of_channels_is_refused(picture: np.ndarray) -> None:
    with pytest.raises(ModelError, match="3 channels but 2 classes"):
        Predictor(strongest, Classes.named(("a", "b"))).predict(picture)


def test_save_writes_what_is_asked_with_a_legend_below_the_overlay(
    predictor: Predictor, picture: np.ndarray, tmp_path: Path
) -> None:
    result = predictor.predict(picture)
    written = result.save(tmp_path / "new", "photo.v2", overlay=True, confidence=True)
    assert [path.name for path in written] == [
        "photo.v2.png",
        "photo.v2_overlay.jpg",
        "photo.v2_confidence.png",
    ]
    images = [open_image(path.read_bytes()) for path in written]
    assert images[0].size == images[2].size == (70, 45)
    assert images[1].width >= 70
    assert images[1].height > 45 + 13, "the legend stands below"
    assert [image.mode for image in images] == ["P", "RGB", "L"]
    assert (np.asarray(images[0]) == result.labels).all()
    assert np.abs(np.asarray(images[2]) / 255 - result.confidence).max() <= 0.5 / 255 + 1e-6
    assert sorted((tmp_path / "new").iterdir()) == sorted(written)


def test_save_writes_labels_alone_by_default(
    predictor: Predictor, picture: np.ndarray, tmp_path: Path
) -> None:
    assert predictor.predict(picture).save(tmp_path, "a") == [tmp_path / "a.png"]
    assert list(tmp_path.iterdir()) == [tmp_path / "a.png"]


def test_save_into_a_file_is_refused(
    predictor: Predictor, picture: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        predictor.predict(picture).save(tmp_path / "file", "a")


def test_overlay_has_the_size_of_the_image_and_opacity_1_is_the_palette(
    picture: np.ndarray,
) -> None:
    columns = np.arange(70)
    labels = np.tile(columns // 24, (45, 1)).astype(np.uint8)  # three stripes
    result = Result(
        picture, labels, np.ones(labels.shape, np.float32), CLASSES.names, CLASSES.palette
    )
    assert result.overlay().size == (70, 45)
    inside = np.isin(columns % 24, range(4, 20))  # off the outlines
    painted = np.asarray(result.overlay(opacity=1))
    colours = np.array(CLASSES.palette, dtype=np.uint8)[labels]
    assert (painted[:, inside] == colours[:, inside]).all()
    assert not (painted == colours).all()


class Seen:
    """A runner that keeps the sizes that it is given; its logits are the channels."""

    def __init__(self) -> None:
        self.sizes = list[tuple[int, ...]]()

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        self.sizes.append(rgb.shape[-2:])
        return strongest(rgb)


def halves(height: int, width: int) -> np.ndarray:
    """Red to the left, blue to the right."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[:, : width // 2, 0] = 200
    rgb[:, width // 2 :, 2] = 200
    return rgb


@pytest.mark.parametrize("kind", ["array", "tensor", "file", "image"])
@pytest.mark.parametrize("tile", [1024, 32])
def test_a_large_photo_is_seen_at_the_trainings_size_and_labelled_at_its_own(
    kind: str, tile: int, tmp_path: Path
) -> None:
    rgb = halves(600, 800)
    (tmp_path / "a.png").write_bytes(png(rgb))
    sources = {
        "array": rgb,
        "tensor": torch.from_numpy(rgb.transpose(2, 0, 1).copy()),
        "file": tmp_path / "a.png",
        "image": Image.fromarray(rgb),
    }
    runner = Seen()
    predictor = Predictor(runner, CLASSES, tile=(tile, tile))
    predictor.sizes = PictureSizes(side=70, smallest=50, largest=100, framed=True)
    result = predictor.predict(sources[kind], scores="logits", tta=True)
    assert set(runner.sizes) <= {(61, 81), (32, 32)}
    assert result.labels.shape == (600, 800)
    assert result.scores["logits"].shape == (3, 600, 800)
    assert (result.labels[:, :390] == 0).all()
    assert (result.labels[:, 410:] == 2).all()
    assert [str(note) for note in result.notes] == [
        "much larger than the training's pictures, seen at the training's size; --scale 1 keeps "
        "the full size"
    ]
    assert result.rgb.shape == rgb.shape


def test_scales_that_are_given_look_at_a_photo_as_before() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    expected = Predictor(sided, CLASSES).predict(rgb)
    predictor = Predictor(sided, CLASSES)
    predictor.sizes = PictureSizes(side=70, smallest=50, largest=100, framed=True)
    seen = predictor.predict(rgb)
    assert not np.array_equal(seen.labels, expected.labels)
    for result in (
        predictor.predict(rgb, scales=(1.0,)),
        predictor.always(scales=(1,)).predict(rgb),
    ):
        assert np.array_equal(result.labels, expected.labels)
        assert np.array_equal(result.confidence, expected.confidence)
        assert result.notes == ()


def test_a_photo_of_the_trainings_size_is_seen_as_it_is() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    predictor = Predictor(sided, CLASSES)
    expected = predictor.predict(rgb)
    predictor.sizes = PictureSizes(side=70, smallest=50, largest=100, framed=True)
    result = predictor.predict(rgb)
    assert np.array_equal(result.labels, expected.labels)
    assert np.array_equal(result.confidence, expected.confidence)
    assert result.notes == ()


def test_a_thumbnail_is_seen_enlarged() -> None:
    runner = Seen()
    predictor = Predictor(runner, CLASSES)
    predictor.sizes = PictureSizes(side=70, smallest=50, largest=100, framed=None)
    result = predictor.predict(halves(12, 16))
    assert runner.sizes == [(61, 81)]
    assert result.labels.tolist() == [[0] * 8 + [2] * 8] * 12
