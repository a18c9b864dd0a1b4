"""What systems and people leave in folders; none of it changes what a set means."""

import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path


def nothing(_: Path) -> None:
    """A folder as it was written."""


def macos_side_files(root: Path) -> None:
    files = [path for path in root.rglob("*") if path.is_file()]
    for path in files:
        path.with_name(f"._{path.name}").write_bytes(b"\0\x05\x16\x07" + bytes(60))
    (root / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


def windows_side_files(root: Path) -> None:
    for folder in [root, *[path for path in root.rglob("*") if path.is_dir()]]:
        (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(60))
        (folder / "desktop.ini").write_text("[.ShellClassInfo]\r\n")


def notebook_copies(root: Path) -> None:
    """What Jupyter keeps of opened files."""
    for folder in [path for path in root.rglob("*") if path.is_dir()]:
        files = sorted(path for path in folder.iterdir() if path.is_file())
        if files:
            copies = folder / ".ipynb_checkpoints"
            copies.mkdir()
            name = f"{files[0].stem}-checkpoint{files[0].suffix}"
            shutil.copyfile(files[0], copies / name)


def macosx_folder(root: Path) -> None:
    """What unpacking a ZIP of macOS leaves."""
    folder = root / "__MACOSX" / "images"
    folder.mkdir(parents=True)
    (folder / "._a.jpg").write_bytes(b"\0\x05\x16\x07")


def read_me(root: Path) -> None:
    (root / "README.md").write_text("# My set\n")
    (root / "LICENSE").write_text("CC-BY\n")


def capital_endings(root: Path) -> None:
    """Pictures whose endings are in capitals; annotations that name them are left alone."""
    suffixes = {".jpg", ".png", ".tif", ".bmp"}
    if any(path.suffix in (".json", ".xml", ".yaml", ".txt") for path in root.rglob("*")):
        return
    for path in [path for path in root.rglob("*") if path.suffix in suffixes]:
        path.rename(path.with_suffix(path.suffix.upper()))


def decomposed_names(root: Path) -> None:
    """Accents stored apart, as macOS does, in the folder of masks alone."""
    for path in [path for path in root.rglob("*") if path.is_file()]:
        decomposed = unicodedata.normalize("NFD", path.name)
        if decomposed != path.name and "mask" in str(path.relative_to(root)).lower():
            path.rename(path.with_name(decomposed))


QUIRKS: dict[str, Callable[[Path], None]] = {
    "none": nothing,
    "macOS side files": macos_side_files,
    "Windows side files": windows_side_files,
    "notebook copies": notebook_copies,
    "__MACOSX": macosx_folder,
    "README": read_me,
    "capital endings": capital_endings,
    "decomposed names": decomposed_names,
}

STEMS: dict[str, tuple[str, ...]] = {
    "plain": ("p00", "p01", "p02", "p03", "p04", "p05", "p06", "p07"),
    "numbers": ("0", "1", "2", "3", "10", "11", "12", "13"),
    "blanks": tuple(f"photo ({number})" for number in range(8)),
    "dots": tuple(f"a.{number}.b" for number in range(8)),
    "accents": tuple(f"bär_{number}" for number in range(8)),
    "Chinese": tuple(f"微信图片_{number}" for number in range(8)),
    "underscores": tuple(f"set_a_{number}_l" for number in range(8)),
}
