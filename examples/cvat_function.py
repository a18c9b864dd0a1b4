"""Masks of a model as annotations in CVAT, by an auto-annotation function for cvat-cli or cvat-sdk.

cvat-cli task auto-annotate 137 --function-file examples/cvat_function.py -p model=str:runs/first
"""

from collections.abc import Sequence

import cvat_sdk.auto_annotation as cvataa
import PIL.Image
from cvat_sdk.masks import encode_mask

import pixelwise
from pixelwise.classes import VOID
from pixelwise.datasets.annotations.rasterize import uncovered_label
from pixelwise.datasets.annotations.thin_outlines import find_polygons

TOLERANCE = 1.0  # pixels by which polygons may leave the mask's outline


class Segmentation:
    """One mask a class that occurs, the background left out; with --conv-mask-to-poly one polygon a
    region, whose holes are lost, as CVAT's polygons have none.
    """

    def __init__(self, model: str = "animals") -> None:
        self.predictor = pixelwise.load(model)
        self.classes = self.predictor.classes
        kinds = enumerate(self.classes.names)
        labels = [cvataa.label_spec(name, number, type="any") for number, name in kinds]
        self.spec = cvataa.DetectionFunctionSpec(labels=labels)

    def detect(
        self, context: cvataa.DetectionFunctionContext, image: PIL.Image.Image
    ) -> Sequence[cvataa.DetectionAnnotation]:
        threshold = context.conf_threshold or 0
        labels = self.predictor.predict(image, threshold=threshold).labels
        if context.conv_mask_to_poly:
            regions = find_polygons(labels, self.classes, TOLERANCE)
            return [
                cvataa.polygon(number, [float(x) for point in rings[0] for x in point])
                for _, number, rings in regions
                if number != VOID
            ]
        numbers = set(labels.ravel().tolist()) - {VOID, uncovered_label(self.classes)}
        return [cvataa.mask(number, encode_mask(labels == number)) for number in sorted(numbers)]


create = Segmentation
