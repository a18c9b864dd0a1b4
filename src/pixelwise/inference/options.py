"""What is made of each image, beside its mask."""

from dataclasses import asdict, dataclass

from pixelwise.errors import ConfigError, unknown_choice_error
from pixelwise.models.config import check_scales

SCORES = ("probabilities", "logits")
EXTRAS = (*SCORES, "areas", "polygons", "seams")


@dataclass(frozen=True)
class PredictOptions:
    """What else is written, and what changes the labels.

    overlay: tinted image with a legend. confidence: the label's softmax. extras: any of EXTRAS,
    which are the scores of all classes (`probabilities` or `logits`), a table of `areas` by class,
    `polygons` of georeferenced rasters, and a measure of the `seams` between tiles. tta and scales:
    the mirrored image and other sizes are averaged in (`averaged`). largest: names of classes of
    which an image keeps the largest region alone (`beside_largest`). smallest: regions of fewer
    pixels take the label of their largest neighbour (`sieved`). Raises ConfigError for an unknown
    extra, for both kinds of scores at once, for a scale outside SCALES and for a negative size.
    """

    overlay: bool = False
    confidence: bool = False
    extras: tuple[str, ...] = ()
    tta: bool = False
    scales: tuple[float, ...] = ()
    smallest: int = 0
    largest: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for extra in self.extras:
            if extra not in EXTRAS:
                raise unknown_choice_error("extra", extra, EXTRAS)
        if set(SCORES) <= set(self.extras):
            raise ConfigError(
                "probabilities and logits: choose one of them; each follows from the other"
            )
        check_scales(self.scales)
        if self.smallest < 0:
            raise ConfigError(f"smallest area {self.smallest}: give a number of pixels, 0 for none")

    @property
    def scores(self) -> str | None:
        """`probabilities`, `logits`, or None."""
        return next((extra for extra in self.extras if extra in SCORES), None)

    @property
    def needs_whole(self) -> bool:
        """Whether labels change by what is far from them, so that those of a picture are held at
        once.
        """
        return self.smallest > 1 or bool(self.largest)

    def recipe(self) -> dict[str, object]:
        """The choices that change the labels, as JSON values."""
        return {key: asdict(self)[key] for key in ("tta", "scales", "smallest", "largest")}
