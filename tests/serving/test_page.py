import base64
import gzip
import io
import json

import numpy as np
from PIL import Image

from pixelwise.inference.predictor import Result
from pixelwise.serving.page import MAX_VIEW_PIXELS, describe_result

NAMES = ("ground", "cat", "dog")
PALETTE = ((0, 0, 0), (250, 120, 0), (60, 60, 250))


def result(labels: np.ndarray, confidence: float = 0.75) -> Result:
    rgb = np.repeat((labels * 80)[:, :, None], 3, axis=2)
    return Result(rgb, labels, np.full(labels.shape, confidence, np.float32), NAMES, PALETTE)


def plane(text: object) -> np.ndarray:
    return np.frombuffer(gzip.decompress(base64.b64decode(str(text))), np.uint8)


def test_the_viewer_gets_labels_and_confidence_as_they_are_and_a_mask_in_the_palette() -> None:
    labels = np.array([[0, 1, 1], [2, 2, 255]], np.uint8)
    sent = json.loads(json.dumps(describe_result(result(labels), "pets")))
    assert (sent["size"], sent["view"]) == ([2, 3], [2, 3])
    assert plane(sent["labels"]).tolist() == [0, 1, 1, 2, 2, 255]
    assert set(plane(sent["confidence"]).tolist()) == {191}  # of 255
    assert sent["classes"][1] == {"name": "cat", "colour": [250, 120, 0]}
    told = json.loads(sent["data"])
    assert told["model"] == "pets"
    assert {entry["name"]: entry["pixels"] for entry in told["classes"]} == {
        "cat": 2,
        "dog": 2,
        "ground": 1,
        "void": 1,
    }
    with Image.open(io.BytesIO(base64.b64decode(sent["mask"]))) as mask:
        assert mask.mode == "P"
        assert np.array_equal(np.asarray(mask), labels)
        assert mask.convert("RGB").getpixel((1, 0)) == (250, 120, 0)


def test_a_large_picture_is_shown_smaller_but_saved_whole() -> None:
    labels = np.zeros((2100, 2000), np.uint8)
    labels[:, 1000:] = 1
    sent = describe_result(result(labels), "pets")
    assert sent["view"] == (1050, 1000)
    assert 1050 * 1000 <= MAX_VIEW_PIXELS < labels.size
    assert plane(sent["labels"]).reshape(1050, 1000).mean() == 0.5
    with Image.open(io.BytesIO(base64.b64decode(str(sent["mask"])))) as mask:
        assert mask.size == (2000, 2100)
    with Image.open(io.BytesIO(base64.b64decode(str(sent["image"]).partition(",")[2]))) as photo:
        assert photo.size == (1000, 1050)
