"""Masks of a model as predictions in Label Studio, by an ML backend.

PIXELWISE_MODEL=runs/first label-studio-ml start BACKEND, where BACKEND is a folder that
`label-studio-ml init BACKEND --script examples/label_studio_backend.py` made
"""

import os
from typing import Any

from label_studio_ml.model import LabelStudioMLBase

import pixelwise
from pixelwise.datasets.annotations.write_labelstudio import describe_regions

PREDICTOR = pixelwise.load(os.environ.get("PIXELWISE_MODEL", "animals"))


class Segmentation(LabelStudioMLBase):
    """A brush mask for each class that occurs, the background left out."""

    def predict(self, tasks: list[dict[str, Any]], **_: Any) -> list[dict[str, Any]]:
        tags = self.parsed_label_config.items()
        brush, info = next(tag for tag in tags if tag[1]["type"] == "BrushLabels")
        image = info["inputs"][0]["value"]
        answers = []
        for task in tasks:
            result = PREDICTOR.predict(self.get_local_path(task["data"][image]))
            regions = describe_regions(result.labels, PREDICTOR.classes)
            for region in regions:
                region |= {"from_name": brush, "to_name": info["to_name"][0]}
            score = float(result.confidence.mean())
            answers.append({"model_version": PREDICTOR.name, "result": regions, "score": score})
        return answers
