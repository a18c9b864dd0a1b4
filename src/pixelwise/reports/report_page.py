"""The page of a run or of an evaluation."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pixelwise.errors import ImageError
from pixelwise.reports.gallery import Table
from pixelwise.reports.render import data_uri, write_page
from pixelwise.reports.samples import Gallery
from pixelwise.reports.score_summary import ScoreSummary

# What every browser shows.
_MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
}


class Picture(NamedTuple):
    """A picture file and its caption; a chart is drawn on white, and shown dark on a dark page."""

    caption: str
    path: Path
    is_chart: bool = False


def write_report(
    path: Path,
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    scores: ScoreSummary | None,
    pictures: Sequence[Picture] = (),
    gallery: Gallery | None = None,
    tables: Sequence[Table] = (),
    notes: Sequence[str] = (),
) -> None:
    """Write `path`, an HTML page: `facts`, scores, pictures under their captions, and
    the rest that is given.

    Any text is allowed anywhere; it is shown, never read
    as HTML. Raises ImageError for a picture that cannot be read, OutputError when `path` cannot be
    written.
    """
    write_page(
        path,
        "report.html.j2",
        title=title,
        facts=facts,
        scores=scores,
        pictures=[(picture, _read_picture(picture.path)) for picture in pictures],
        gallery=gallery,
        tables=tables,
        notes=notes,
    )


def _read_picture(path: Path) -> str:
    """The picture file as a data URI."""
    media_type = _MEDIA_TYPES.get(path.suffix.lower())
    if media_type is None:
        allowed = ", ".join(sorted(_MEDIA_TYPES))
        raise ImageError(f"{path}: a page can show {allowed}; save the picture as one of these")
    try:
        return data_uri(path.read_bytes(), media_type)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror or error})") from error
