"""Options of `pixelwise label`; importing this imports neither NumPy nor PyTorch."""

from dataclasses import dataclass
from pathlib import Path

from pixelwise.config_fields import Range, check_fields, option


@dataclass(frozen=True)
class LabelOptions:
    """How a project is opened and worked on. Raises ConfigError for a value out of range."""

    classes: str | None = option(None, own=True, metavar="NAMES|FILE")
    """Class names with commas between them, or a file: classes.txt, .json or .csv. Needed where
    neither a model nor a data set has any.
    """

    model: str | None = option(None, own=True, metavar="MODEL")
    """Run folder, model file or bundled model whose predictions the page shows until the live
    model is better.
    """

    queue: Path | None = option(None, own=True, metavar="FILE")
    """Table whose column `image` says which photos come first, such as suspects.csv."""

    copy: bool = option(False, own=True)
    """Copy the photos into the data set; by default it refers to them by links."""

    cache: float = option(
        4.0, own=True, valid=Range(0, 1000, text="a number of GiB from 0 to 1000"), metavar="GIB"
    )
    """Disk space for the features of photos, in GiB; the oldest go first."""

    minutes: float = option(
        10.0, own=True, valid=Range(0, 1000, text="a number of minutes from 0 to 1000")
    )
    """Minutes of each training behind the page; 0 for none."""

    token: str | None = option(None, own=True)
    """Token that browsers must send: at least 16 ASCII characters. Required where others reach the
    host.
    """

    def __post_init__(self) -> None:
        check_fields(self)
