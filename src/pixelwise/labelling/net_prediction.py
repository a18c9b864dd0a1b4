"""What a network says of a photo, in the classes of the project."""

from collections import OrderedDict
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import Classes, Labels, quantize_confidence
from pixelwise.inference.predictor import Predictor
from pixelwise.labelling.class_list import ClassList
from pixelwise.labelling.photo_features import working_level
from pixelwise.labelling.photos import Photo
from pixelwise.labelling.predictions import Predicted
from pixelwise.labelling.rasterise import Box
from pixelwise.labelling.strokes import UNLABELLED

_MAX_HELD = 4


class NetPrediction:
    """Labels and confidence of a whole photo, (H, W) at its working level."""

    def __init__(self, labels: Labels, confidence: NDArray[np.uint8], level: int) -> None:
        self.level = level
        self.size = (labels.shape[0], labels.shape[1])
        self._labels = labels
        self._confidence = confidence

    def window(self, box: Box, step: int = 1) -> Predicted:
        """Every `step`-th pixel of a window."""
        rows, columns = box.window
        place = (slice(rows.start, rows.stop, step), slice(columns.start, columns.stop, step))
        return Predicted(self._labels[place], self._confidence[place])


class Network:
    """A predictor whose classes are matched by name to those of a project; it says nothing where it
    sees a class that the project does not have.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self._held = OrderedDict[str, tuple[Labels, NDArray[np.uint8], int]]()
        self._lock = Lock()

    def predict(self, photo: Photo, classes: ClassList) -> NetPrediction:
        """What it says of a photo; the last ones are remembered."""
        ids, confidence, level = self._run(photo)
        keys = match_classes(self.predictor.classes, classes)[ids]
        return NetPrediction(keys, np.where(keys == UNLABELLED, 0, confidence), level)

    def _run(self, photo: Photo) -> tuple[Labels, NDArray[np.uint8], int]:
        with self._lock:
            if photo.digest in self._held:
                self._held.move_to_end(photo.digest)
                return self._held[photo.digest]
            level = working_level(photo.size)
            result = self.predictor.predict(photo.seen_by(self.predictor, level))
            held = (result.labels, quantize_confidence(result.confidence), level)
            self._held[photo.digest] = held
            while len(self._held) > _MAX_HELD:
                self._held.popitem(last=False)
            return held


def match_classes(model: Classes, classes: ClassList) -> Labels:
    """The class key for each id of a model, (256,), UNLABELLED for those the project lacks."""
    by_name = {name.casefold(): key for key, name in classes.names.items()}
    keys = np.full(256, UNLABELLED, np.uint8)
    for number, name in enumerate(model.names):
        keys[number] = by_name.get(name.casefold(), UNLABELLED)
    return keys
