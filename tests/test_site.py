"""The site holds every page, asks no other server for anything, and quotes true messages."""

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PLACEHOLDER = "…"


def nav_pages(node: object) -> list[str]:
    if isinstance(node, str):
        return [node]
    items = node if isinstance(node, list) else dict(node).values()  # type: ignore[call-overload]
    return [page for item in items for page in nav_pages(item)]


def test_every_page_of_docs_is_in_the_navigation_once() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = nav_pages(config["nav"])
    assert len(listed) == len(set(listed))
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    assert pages <= set(listed)


class Resources(HTMLParser):
    """What a browser fetches for a page without being asked by a person."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        fetched = {"script": "src", "img": "src", "iframe": "src", "link": "href"}.get(tag)
        if (
            fetched
            and values.get(fetched)
            and values.get("rel") not in ("canonical", "prev", "next")
        ):
            self.addresses.append(values[fetched] or "")


def test_the_site_builds_strictly_and_asks_no_other_server(tmp_path: Path) -> None:
    build = pytest.importorskip("mkdocs.commands.build")
    config = pytest.importorskip("mkdocs.config").load_config(
        str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True
    )
    build.build(config)
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > 60
    for page in pages:
        resources = Resources()
        resources.feed(page.read_text(encoding="utf-8"))
        assert resources.addresses, page
        assert not [name for name in resources.addresses if "//" in name], page
    for sheet in tmp_path.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", text), sheet


def literals(path: Path) -> set[str]:
    """The texts in a module, with a placeholder for what an f-string puts in."""
    texts = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else PLACEHOLDER for v in node.values]
            texts.add("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
    return texts


def test_the_messages_of_the_troubleshooting_page_exist() -> None:
    source = {text for path in (ROOT / "src/pixelwise").rglob("*.py") for text in literals(path)}
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^### `(.+)`$", page, re.MULTILINE)
    assert len(quoted) > 30
    for message in quoted:
        pieces = map(re.escape, message.strip(PLACEHOLDER + " ").split(PLACEHOLDER))
        pattern = re.compile(".*?".join(pieces))
        assert any(map(pattern.search, source)), message
