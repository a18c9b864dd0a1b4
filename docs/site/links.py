"""Whether the links of all pages and notebooks lead somewhere: files, and anchors in them.

python docs/site/links.py

Addresses on the web are not asked. Anchors are as GitHub makes them.
"""

import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = ("*.md", "docs/**/*.md", "benchmarks/results/*.md", "src/**/*.md", "examples/**/*.ipynb")


def find_links(text: str) -> list[str]:
    """The targets of a page's links and pictures, but for addresses and what is code."""
    prose = re.sub(r"`[^`\n]*`", "", _without_blocks(text))
    targets = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [target for target in targets if not re.match(r"\w+:", target)]


def find_headings(text: str) -> list[str]:
    """A page's headings, of any level."""
    return re.findall(r"^#+ (.+)$", _without_blocks(text), re.MULTILINE)


def _without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def slug(heading: str) -> str:
    """The anchor of a heading."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


@cache
def read(path: Path) -> str:
    """A page's text, or that of a notebook's cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def broken_links(root: Path = ROOT) -> Iterator[str]:
    """`page: link` for each that leads nowhere."""
    for path in sorted(path for place in PLACES for path in root.glob(place)):
        for link in find_links(read(path)):
            file, _, anchor = link.partition("#")
            target = path.parent / file if file else path
            is_there = target.exists()
            if is_there and anchor and target.suffix in (".md", ".ipynb"):
                is_there = anchor in map(slug, find_headings(read(target)))
            if not is_there:
                yield f"{path.relative_to(root)}: {link} leads nowhere"


if __name__ == "__main__":
    sys.exit("\n".join(broken_links()) or None)
