"""What MkDocs does not know of this repository: pages outside `docs`, and links to them.

The README is the first page; the glossary, the changes, the measured results and the notebooks are
pages too. A link to a file that is no page, such as a script, stays as its text.
"""

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from pymdownx.slugs import slugify

ROOT = Path(__file__).parents[2]
RESULTS = "benchmarks/results"
NOTEBOOKS = "examples/notebooks"

# Pages by their path in the repository.
PAGES = {
    "README.md": "index.md",
    "README.zh.md": "zh.md",
    "GLOSSARY.md": "glossary.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "licence.txt",
    "src/pixelwise/bundled/animals.md": "animals.md",
    f"{RESULTS}/README.md": "benchmarks/index.md",
}


def on_config(config: Any) -> Any:
    """Anchors as GitHub makes them, of Chinese headings too."""
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages and pictures outside `docs`."""
    for path in sorted((ROOT / RESULTS).iterdir()):
        PAGES.setdefault(f"{RESULTS}/{path.name}", f"benchmarks/{path.name}")
    for path in sorted((ROOT / NOTEBOOKS).glob("*.ipynb")):
        PAGES.setdefault(f"{NOTEBOOKS}/{path.name}", f"notebooks/{path.stem}.md")
    for source, page in PAGES.items():
        path = ROOT / source
        if path.suffix == ".ipynb":
            files.append(File.generated(config, page, content=read_notebook(path)))
        else:
            files.append(File.generated(config, page, abs_src_path=str(path)))
    return files


def read_notebook(path: Path) -> str:
    """A notebook's cells as a page."""
    texts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        texts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    note = f"*This page is the notebook `{NOTEBOOKS}/{path.name}` of the repository.*"
    return "\n\n".join([*texts, note]) + "\n"


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Let links lead to where the pages are on the site."""
    here = page.file.src_uri
    sources = {target: source for source, target in PAGES.items()}
    folder = posixpath.dirname(sources.get(here, f"docs/{here}"))

    def relink(match: re.Match[str]) -> str:
        mark, text, link = match.groups()
        path, anchor = re.fullmatch(r"([^#]*)(#?.*)", link).groups()  # type: ignore[union-attr]
        if "://" in link or not path:
            return match[0]
        source = posixpath.normpath(posixpath.join(folder, path))
        target = PAGES.get(source, source.removeprefix("docs/"))
        if files.get_file_from_path(target) is None:
            return match[0] if mark else text
        return (
            f"{mark}[{text}]({posixpath.relpath(target, posixpath.dirname(here) or '.')}{anchor})"
        )

    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    parts[::2] = [re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", relink, part) for part in parts[::2]]
    return "".join(parts)
