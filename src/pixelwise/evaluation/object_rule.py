"""What counts as an object when a model is scored: the same objects that `predict` writes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pixelwise.classes import VOID, Classes
from pixelwise.datasets.object_truth import Ids
from pixelwise.errors import ConfigError
from pixelwise.inference.object_sums import label_strip
from pixelwise.inference.objects import BACKGROUND, object_classes
from pixelwise.inference.split_objects import split_touching
from pixelwise.io.images import Array
from pixelwise.metrics.object_matching import ObjectScores, number_objects
from pixelwise.optional import require_package


@dataclass(frozen=True)
class ObjectRule:
    """classes (256,): which labels are of objects. split: whether predicted ones that touch are
    parted.
    """

    classes: NDArray[np.bool_]
    split: bool = False

    @classmethod
    def of(cls, classes: Classes, *, split: bool = False) -> "ObjectRule":
        """Of all classes but the background. Raises ConfigError where there is no other, and to
        split without scikit-image.
        """
        if split:
            require_package("skimage.segmentation")
        of_objects = object_classes(classes.names)
        if not of_objects.any():
            raise ConfigError(
                f"objects: {', '.join(classes.names)} are no objects, as the names "
                f"{', '.join(sorted(BACKGROUND))} are of what lies around them; rename a class"
            )
        return cls(of_objects, split)

    def count(self, scores: ObjectScores, ids: Ids | None, truth: Array, labels: Array) -> None:
        """Add the objects of one image: ids (H, W) of the true ones, 0 for none and below 0 for
        several that nobody told apart, None where truth has classes alone; truth and labels (H, W)
        are true and predicted classes.
        """
        scores.split = self.split
        predicted = label_strip(labels, self.classes)
        if self.split:
            predicted = split_touching(predicted)
        void = truth == VOID
        if ids is None:
            ids = label_strip(truth, self.classes)
        else:
            scores.instances += 1
            void |= ids < 0
        scores.update(
            number_objects(ids, truth, self.classes),
            number_objects(predicted, labels, self.classes),
            void,
        )
