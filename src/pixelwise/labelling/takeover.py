"""The model beside the live one: a network that takes over where it is better."""

from typing import Any

from pixelwise.inference.predictor import Predictor
from pixelwise.labelling.live import LiveModel
from pixelwise.labelling.predictions import Prediction


class Takeover:
    """No network yet: the live model predicts."""

    def __init__(
        self, live: LiveModel, predictor: Predictor | None = None, *, minutes: float = 0.0
    ) -> None:
        self.live = live
        self.predictor = predictor
        self.minutes = minutes

    def close(self) -> None:
        """End what runs."""

    def prediction(self, name: str) -> Prediction | None:
        """What the network says of a photo, where it is the one to ask."""
        return None

    def describe(self) -> dict[str, Any]:
        """For the page."""
        return {"source": "live"}

    def set_paused(self, paused: bool) -> None:
        """Pause the trainings, or go on."""
