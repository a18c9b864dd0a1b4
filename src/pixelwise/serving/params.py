"""Parameters of POST /v1/segment, checked before any work."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from pixelwise.errors import unknown_choice_error
from pixelwise.serving.error_handlers import ApiError

Format = Literal["mask", "overlay", "confidence", "json"]
FORMAT_OF_MEDIA_TYPE: dict[str, Format] = {
    "image/png": "mask",
    "application/json": "json",
    "image/jpeg": "overlay",
    "image/*": "mask",
    "application/*": "json",
    "*/*": "mask",
}


class SegmentParams(BaseModel, extra="forbid"):
    """What is made of an image."""

    model: str | None = Field(
        None, description="A name from /v1/models; the first one if none is given."
    )
    format: Format | None = Field(
        None,
        description=(
            "mask: palette PNG of class ids, 255 where void. overlay: the image tinted, JPEG. "
            "confidence: grey PNG, 255 = sure. json: shares and regions. If not given, Accept "
            "decides: PNG, JPEG (overlay) or JSON. Where the model's classes overlap, mask (255 "
            "where the class is) and confidence are of the one class that `classes` names."
        ),
    )
    threshold: float = Field(
        0,
        ge=0,
        le=1,
        description=(
            "Pixels of less confidence become void; of overlapping classes, the score from which a "
            "pixel is of a class, in place of the model's."
        ),
    )
    classes: list[Annotated[str, Field(max_length=200)]] = Field(
        [],
        description="Names of classes to keep; others become void. All if none are given.",
        max_length=255,
    )
    opacity: float = Field(0.5, ge=0, le=1, description="Of the overlay.")
    regions: Literal["runs", "polygons", "none"] = Field(
        "runs",
        description=(
            "In JSON. runs: COCO's uncompressed run-lengths by class, down the columns. polygons: "
            "a list of regions, each a list of rings of (column, row) corners, the outer ring "
            "first."
        ),
    )


def choose_format(params: SegmentParams, accept: str) -> Format:
    """What `format` or else the header Accept asks for. Raises ApiError where nothing of that can
    be made.
    """
    if params.format is not None:
        return params.format
    ranges = [part.replace(" ", "").lower().partition(";") for part in accept.split(",")]
    ranges.sort(key=lambda entry: _parse_quality(entry[2]), reverse=True)
    for media_type, _, parameters in ranges:
        if media_type in FORMAT_OF_MEDIA_TYPE and _parse_quality(parameters) > 0:
            return FORMAT_OF_MEDIA_TYPE[media_type]
    raise ApiError(
        406, "not_acceptable", "Accept allows none of image/png, image/jpeg and application/json"
    )


def check_single(query: Sequence[tuple[str, str]]) -> None:
    """Raises ApiError for a parameter, other than classes, that is given twice: one of its values
    would count for nothing.
    """
    values = dict[str, str]()
    for name, value in query:
        earlier = values.setdefault(name, value)
        if earlier != value and name != "classes":
            raise ApiError(
                422,
                "invalid_parameter",
                f"{name}: is given twice, as {earlier[:40]!r} and {value[:40]!r}; give it once",
            )


def check_class_names(params: SegmentParams, names: tuple[str, ...]) -> None:
    """Raises ConfigError for a class that is not among `names`."""
    for name in params.classes:
        if name not in names:
            raise unknown_choice_error("class", name, names)


def _parse_quality(parameters: str) -> float:
    """The q of a range of Accept (RFC 9110, 12.4.2): 1 if there is none, 0 if it is no number."""
    values = [part[2:] for part in parameters.split(";") if part.startswith("q=")]
    try:
        return float(values[0]) if values else 1.0
    except ValueError:
        return 0.0
