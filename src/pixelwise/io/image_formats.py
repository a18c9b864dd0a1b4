"""Which files are pictures: by their names, and by their first bytes where they are none."""

import importlib
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from PIL import features

from pixelwise.io.text import is_side_file
from pixelwise.optional import is_installed

_ALWAYS = [
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".apng",
    ".bmp",
    ".dib",
    ".tif",
    ".tiff",
    ".gif",
    ".ppm",
    ".pgm",
    ".pbm",
    ".pnm",
    ".tga",
]
# By what PIL must have been built with.
_WITH_FEATURE = {
    "webp": (".webp",),
    "avif": (".avif",),
    "jpg_2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
}
_HEIF = (".heic", ".heif", ".hif")
_DICOM = (".dcm",)
_ARRAYS = (".npy",)
_HEIF_PACKAGE = "pillow_heif"
_INSTALL_HEIF = "pip install 'pixelwise[heif]'"

# What programs that know of places on the earth leave beside a picture.
_RASTER_SIDE_FILES = [
    ".tfw",
    ".jgw",
    ".pgw",
    ".wld",
    ".aux.xml",
    ".ovr",
    ".msk",
    ".prj",
    ".qml",
    ".tifw",
    ".jpgw",
    ".pngw",
]


# Files left aside that are looked into, and names that the line on them has.
_MAX_SNIFFED = 1000
_MAX_NAMES = 3


def _suffixes() -> frozenset[str]:
    built = [
        s for name, suffixes in _WITH_FEATURE.items() if features.check(name) for s in suffixes
    ]
    heif = _HEIF if is_installed(_HEIF_PACKAGE) else ()
    medical = _DICOM if is_installed("pydicom") else ()
    return frozenset((*_ALWAYS, *built, *heif, *medical, *_ARRAYS))


IMAGE_SUFFIXES = _suffixes()
"""The endings of files that are read as pictures here, in lower case."""

STREAMED_SUFFIXES = IMAGE_SUFFIXES.difference(_ARRAYS, _DICOM)
"""Those whose bytes suffice, as in archives."""

# Those of MP4 and QuickTime, and of HEIC.
_VIDEO_BRANDS = re.compile("iso[m2456]|mp4[12]|avc1|dash|MSNV|3g[p2].|qt|M4V|f4v")
_HEIF_BRANDS = re.compile("hei[cxms]|hev[cm]|m[is]f1")
_FRAMES = "extract frames, as with `ffmpeg -i CLIP frames/%05d.png`"
_EXPORT = "export it as JPEG, PNG or TIFF"

# By the first bytes: what a file is, and what to do.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1aE\xdf\xa3", "a video", _FRAMES),
    (b"\0\0\x01\xba", "a video", _FRAMES),
    (b"%PDF", "a PDF document", _EXPORT),
    (b"PK\x03\x04", "a ZIP archive", "unpack it"),
    (b"\x1f\x8b", "a gzip archive", "unpack it"),
    (b"\x93NUMPY", "a NumPy array", "save it as PNG or TIFF"),
    (b"\x89HDF", "an HDF5 file", _EXPORT),
    (b"SIMPLE  =", "a FITS file", _EXPORT),
    (b"gimp xcf", "a GIMP project", _EXPORT),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the file with `git lfs pull`"),
)


def describe_contents(head: bytes) -> tuple[str, str]:
    """What a file is that is no picture, by its first 512 bytes, and what to do about it; both
    empty where nobody knows.
    """
    for signature, kind, advice in _SIGNATURES:
        if head.startswith(signature):
            return kind, advice
    if head[4:8] == b"ftyp":
        return _describe_box(head[8:12].decode("latin-1").strip())
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "a video", _FRAMES
    if head[128:132] == b"DICM":
        return "a DICOM file", "train a model on such files, which reads them, or " + _EXPORT
    return _describe_markup(head.lstrip(b"\xef\xbb\xbf \t\r\n").lower())


def _describe_markup(start: bytes) -> tuple[str, str]:
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<!-- ")):
        return "an HTML page", "download the picture itself"
    if b"<svg" in start and start.startswith((b"<svg", b"<?xml", b"<!doctype svg")):
        return "an SVG drawing", "export it as PNG"
    return ("an XML file", "give the picture itself") if start.startswith(b"<?xml") else ("", "")


def _describe_box(brand: str) -> tuple[str, str]:
    if _HEIF_BRANDS.fullmatch(brand):
        if is_installed(_HEIF_PACKAGE):
            return "", ""
        return "a HEIC picture", f"{_INSTALL_HEIF} to read it, or convert it to JPEG"
    if brand in ("avif", "avis"):
        return "an AVIF picture", "update Pillow to 11.3 or later, or convert it to JPEG"
    return ("a video", _FRAMES) if _VIDEO_BRANDS.fullmatch(brand) else ("", "")


@lru_cache(maxsize=1)
def register_heif() -> None:
    """Teach PIL to read HEIC, where the extra `heif` is installed."""
    if is_installed(_HEIF_PACKAGE):
        importlib.import_module(_HEIF_PACKAGE).register_heif_opener()


def list_images(folder: Path) -> list[Path]:
    """The pictures directly in `folder`, by name; hidden and side files are left out, and arrays
    that are called as another picture.
    """
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not is_side_file(path) and not path.is_dir()
    )
    arrays = {path for path in paths if path.suffix.lower() in _ARRAYS}
    stems = {path.stem for path in paths if path not in arrays} if arrays else set()
    return [path for path in paths if path not in arrays or path.stem not in stems]


def list_left_aside(folder: Path, *, used: Iterable[str] = ()) -> list[Path]:
    """The files directly in `folder` that are read as no picture, by name; without hidden and side
    files, and those whose names end in one of `used`.
    """
    endings = (*IMAGE_SUFFIXES, *_RASTER_SIDE_FILES, *used)
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.lower().endswith(endings) and not is_side_file(path) and path.is_file()
    )


def describe_left_aside(names: Iterable[str | Path]) -> str:
    """The line on files that are left aside, counted by ending; empty where there is none. Of files
    on disk, by their paths, those are named that are pictures all the same.
    """
    paths = [Path(name) for name in names]
    counts = Counter(path.suffix.lower() or "without ending" for path in paths)
    total = counts.total()
    if not total:
        return ""
    by_ending = ", ".join(f"{ending} {count}" for ending, count in counts.most_common())
    line = f"{total} {'file' if total == 1 else 'files'} left aside: {by_ending}"
    if counts.keys() & set(_HEIF):
        line += f"; for HEIC: {_INSTALL_HEIF}"
    pictures = [path.name for path in paths[:_MAX_SNIFFED] if _is_picture(path)]
    if pictures:
        more = f" and {len(pictures) - _MAX_NAMES} more" if len(pictures) > _MAX_NAMES else ""
        line += f"; pictures without their ending: {', '.join(pictures[:_MAX_NAMES])}{more}"
    return line


def _is_picture(path: Path) -> bool:
    """Whether a file on disk begins as a JPEG, PNG, GIF or WebP does."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    is_webp = head[:4] == b"RIFF" and head[8:] == b"WEBP"
    return is_webp or head.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8"))
