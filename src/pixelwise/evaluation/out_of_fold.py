"""Models of folds that answer for the images of their own training: each by the model that has not
seen it.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pixelwise.datasets.types import DataSet, Pair, path_within
from pixelwise.evaluation.data_options import HEADER_OPTIONS
from pixelwise.inference.ensemble import Ensemble, LayerEnsemble, average_thresholds
from pixelwise.inference.layer_predictor import LayerResult
from pixelwise.inference.predictor import Predictor, Result


class OutOfFold(Ensemble):
    """The average of the models of folds, but for the images that these held out: each of them is
    labelled by the models that held it out alone.

    held_out: the numbers of these models by the image's path.
    """

    def __init__(
        self, members: Sequence[Predictor], held_out: Mapping[Path, Sequence[int]]
    ) -> None:
        super().__init__(members)
        self.held_out = held_out

    def predict(self, source: Any, **options: Any) -> Result:
        """As `Predictor.predict`."""
        return super(OutOfFold, self._choose(source)).predict(source, **options)

    def _choose(self, source: object) -> Self:
        """The models that answer for an image."""
        numbers = self.held_out.get(source) if isinstance(source, Path) else None
        if numbers is None:
            return self
        # the first model's classes stand in the first place, as those of the average do
        chosen = self._with_members(self.members[number] for number in numbers)
        chosen._orders = [self._orders[number] for number in numbers]
        return chosen


class LayersOutOfFold(OutOfFold, LayerEnsemble):
    """As OutOfFold, of classes that overlap, with the thresholds of the models that answer."""

    def predict_layers(self, source: Any, **options: Any) -> LayerResult:
        """As `LayerPredictor.predict_layers`."""
        return super(OutOfFold, self._choose(source)).predict_layers(source, **options)

    def _choose(self, source: object) -> Self:
        chosen = super()._choose(source)
        if chosen is not self:
            chosen.thresholds = average_thresholds(chosen.members, self.classes)
        return chosen


def hold_out_images(predictor: Predictor, dataset: DataSet) -> Predictor:
    """The models of folds as OutOfFold, where they held out images of this data set; any other
    predictor as it is.
    """
    if not isinstance(predictor, Ensemble) or isinstance(predictor, OutOfFold):
        return predictor
    names = [frozenset(member.reading.get("val_images", ())) for member in predictor.members]
    if not all(names):
        return predictor
    held_out = {}
    for pair in _all_pairs(dataset):
        name = path_within(dataset.root, pair.image)
        numbers = [number for number, own in enumerate(names) if name in own]
        if numbers:
            held_out[pair.image] = numbers
    if not held_out:
        return predictor
    kind = LayersOutOfFold if isinstance(predictor, LayerEnsemble) else OutOfFold
    return kind(predictor.members, held_out)


def describe_ensemble(predictor: Predictor, pairs: Iterable[Pair]) -> list[str]:
    """What is to be said of several models that are scored together: whether they have seen these
    images.
    """
    if isinstance(predictor, OutOfFold):
        images = [pair.image for pair in pairs]
        count = sum(image in predictor.held_out for image in images)
        if not count:
            return []
        rest = "" if count == len(images) else "; the others by the average of all"
        return [f"{count} images by the model of the folds that has not seen them{rest}"]
    if not isinstance(predictor, Ensemble):
        return []
    readings = [member.reading for member in predictor.members]
    differing = [
        name
        for name in HEADER_OPTIONS
        if any(reading.get(name) != readings[0].get(name) for reading in readings)
    ]
    if not differing:
        return []
    return [
        f"the models were trained on other splits ({', '.join(differing)} differ): images that "
        "one of them has learned from make scores too good"
    ]


def _all_pairs(dataset: DataSet) -> Iterable[Pair]:
    return (pair for pairs in dataset.splits.values() for pair in pairs)
