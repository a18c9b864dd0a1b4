"""Pascal VOC 2012, from its own server or any mirror: fetched in parts, checked and unpacked."""

import hashlib
import tarfile
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from pixelwise.errors import DataError, OutputError, first_line
from pixelwise.io.atomic import atomic_folder
from pixelwise.notebook_progress import default_progress
from pixelwise.progress import Progress

FILE = "VOCtrainval_11-May-2012.tar"
URL = f"http://host.robots.ox.ac.uk/pascal/VOC/voc2012/{FILE}"
SHA1 = "4e443f8a2eca6b1dac8a6c57641b67dd40621a49"

_FOLDER = "VOCdevkit/VOC2012"
# What segmentation needs of the archive.
_PARTS = ("ImageSets/Segmentation", "JPEGImages", "SegmentationClass")
_BLOCK = 1 << 20
_PATIENCE = 60.0  # seconds that a server may be silent
_NOTHING_LEFT = 416  # HTTP's answer to a range that begins at or behind the end


def download_voc(
    out: str | Path = ".",
    *,
    mirror: str | None = None,
    sha1: str = SHA1,
    progress: Progress | None = None,
) -> Path:
    """Fetch the archive of VOC 2012 to the folder `out`, check its hash and unpack what a training
    needs. A download that was interrupted goes on where it stopped.

    mirror: the address of the same file elsewhere, or a file that is here already. Returns the
    folder of the data set. Raises DataError where the address does not answer or the file is
    another, OutputError where the folder cannot be written.
    """
    progress = progress or default_progress()
    data = Path(out) / _FOLDER
    if data.exists():
        progress.log(f"{data} is there; nothing is fetched")
        return data
    source = mirror or URL
    archive = Path(source)
    if not archive.is_file():
        archive = Path(out) / FILE
        _fetch(source, archive, progress)
    progress.log(f"checking the SHA-1 of {archive}")
    _check_hash(archive, sha1)
    progress.log(f"unpacking to {data}")
    _unpack(archive, data)
    return data


def _fetch(url: str, archive: Path, progress: Progress) -> None:
    """The file at an address, appended to what an earlier try left in a file beside it."""
    part = archive.with_name(f"{archive.name}.part")
    done = part.stat().st_size if part.is_file() else 0
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        request = Request(url, headers={"Range": f"bytes={done}-"} if done else {})
        with urlopen(request, timeout=_PATIENCE) as answer:
            resumes = answer.status == 206  # a server may know no parts, and sends all again
            total = int(answer.headers.get("Content-Length", 0)) + (done if resumes else 0)
            megabytes = f"{total / 1e6:,.0f} MB" if total else "size unknown"
            progress.log(
                f"fetching {url}, {megabytes}" + (f", from {done:,} on" if resumes else "")
            )
            with part.open("ab" if resumes else "wb") as file:
                while block := answer.read(_BLOCK):
                    file.write(block)
        if part.stat().st_size < total:
            raise URLError("the connection ended early")
        part.replace(archive)
    except (URLError, TimeoutError, HTTPException, ValueError) as error:
        if done and isinstance(error, HTTPError) and error.code == _NOTHING_LEFT:
            part.replace(archive)  # all of it was there already; its hash tells
            return
        raise DataError(
            f"{url}: cannot be fetched ({first_line(error)}); run the command again, which goes on "
            "where it stopped, or name the same file elsewhere with --mirror"
        ) from error
    except OSError as error:
        raise OutputError(
            f"cannot write {part}: {error.strerror or error}; choose another folder with --out"
        ) from error


def _check_hash(archive: Path, sha1: str) -> None:
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha1").hexdigest()
    if digest != sha1:
        raise DataError(
            f"{archive}: its SHA-1 is {digest}, that of {FILE} is {sha1}; the download is damaged "
            "or another file: remove it and fetch it again"
        )


def _unpack(archive: Path, data: Path) -> None:
    """The parts for segmentation, moved to their place when all are there."""
    with atomic_folder(data, None) as stage, tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.partition(f"{_FOLDER}/")[2]
            if member.isfile() and name.startswith(_PARTS):
                tar.extract(member.replace(name=name), stage, filter="data")
