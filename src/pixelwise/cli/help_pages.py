"""`pixelwise help`: the pages of documentation that come with the package, in the terminal."""

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Annotated

import typer

from pixelwise.errors import unknown_choice_error

_INSTALLED = "share/pixelwise/docs"
"""Where a wheel puts the pages, below the environment's own folder."""


def help_pages(
    topic: Annotated[
        str | None,
        typer.Argument(help="A page, such as formats, or a command; by default all are listed."),
    ] = None,
) -> None:
    """Show a page of the documentation, or what pages there are."""
    from pixelwise.cli.console import results

    pages = find_pages()
    if topic is None:
        results.print("\n".join(_list_topics(pages)), markup=False)
        return
    if topic not in pages:
        raise unknown_choice_error("topic", topic, sorted(pages))
    text = pages[topic].read_text(encoding="utf-8")
    if not results.is_terminal:
        results.print(text, markup=False, end="")
        return
    from rich.markdown import Markdown

    with results.pager(styles=True):
        results.print(Markdown(text), soft_wrap=False)


def find_pages() -> dict[str, Path]:
    """The pages by topic: those of the installed package, or of the source tree it is run from."""
    tree = Path(__file__).parents[3] / "docs"
    paths = sorted(tree.rglob("*.md")) if (tree / "formats.md").is_file() else _installed_pages()
    return {path.stem: path for path in paths}


def _installed_pages() -> list[Path]:
    try:
        entries = files("pixelwise") or []
    except PackageNotFoundError:  # run from a copy of the package alone
        return []
    return [
        Path(str(entry.locate()))
        for entry in entries
        if _INSTALLED in entry.as_posix() and entry.suffix == ".md"
    ]


def _list_topics(pages: dict[str, Path]) -> list[str]:
    lines = ["pixelwise help TOPIC shows one of"]
    width = max(map(len, pages))
    for topic, path in sorted(pages.items()):
        with path.open(encoding="utf-8") as file:
            title = next((line[2:].strip() for line in file if line.startswith("# ")), "")
        lines.append(f"  {topic:<{width}} {title}")
    return [*lines, "pixelwise COMMAND -h shows the options of a command."]
