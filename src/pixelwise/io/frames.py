"""Files of several frames or pages: how one of them is named, counted and chosen.

A frame is named FILE#frame=NUMBER, from 1 as viewers count them.
"""

import re
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from pixelwise.io.decode_images import list_frames
from pixelwise.io.open_images import open_header, silence_warnings
from pixelwise.io.reading_notes import ReadingNote
from pixelwise.io.tiff import count_pages, list_page_numbers

# The type of the note that a picture was read by its first frame.
FRAMES = "image-frames"

_NAMED = re.compile(r"(.+)#frame=([1-9]\d*)", re.DOTALL)


class Frame(NamedTuple):
    """One of a file's frames; number: from 0."""

    path: Path
    number: int


def parse_frame(image: str) -> Frame | None:
    """The frame that an image's name means; None for a file of its own."""
    match = _NAMED.fullmatch(image)
    return Frame(Path(match[1]), int(match[2]) - 1) if match else None


def file_of(image: str) -> Path:
    """The file on disk that an image is, or is a frame of."""
    frame = parse_frame(image)
    return frame.path if frame else Path(image)


def name_frames(path: Path) -> list[str]:
    """The names of a file's frames, of a TIFF file without overviews; the file's own where it has
    one, and where it cannot be opened.
    """
    try:
        with silence_warnings(), open_header(path) as image:
            numbers = list_frames(image)
    # what the parsers of a format raise on damaged headers is no closed list
    except Exception:
        numbers = _list_pages(path)  # those of a TIFF file that PIL does not know how to unpack
    return [name_frame(path, number) for number in numbers] if len(numbers) > 1 else [str(path)]


def name_frame(path: Path, number: int) -> str:
    """The name of one frame, whose number counts from 0."""
    return f"{path}#frame={number + 1}"


def _list_pages(path: Path) -> list[int]:
    try:
        with path.open("rb") as file:
            return list_page_numbers(file)
    except OSError:
        return []


def seek_frame(image: Image.Image, number: int) -> None:
    """Let PIL stand at a frame. Raises ValueError where the file breaks off before it, and what
    PIL raises.
    """
    if number == 0:
        return
    image.info.pop("icc_profile", None)  # PIL would keep the first page's for one without
    try:
        with silence_warnings():
            image.seek(number)
    except (EOFError, TypeError) as error:
        raise ValueError("the file breaks off before it or in its directory") from error


def frames_note(frames: int) -> ReadingNote:
    """That a picture of several frames was read by its first."""
    what = "of up to {highest} frames or pages"
    return ReadingNote(FRAMES, what, "read by the first of them alone", frames)


def note_of_pages(path: Path) -> ReadingNote | None:
    """The note of a TIFF file of several pages, None of another file."""
    try:
        with path.open("rb") as file:
            pages = count_pages(file)
    except OSError:
        return None  # reading it will say what is wrong
    return frames_note(pages) if pages > 1 else None
