"""Files of the page, its head, and what it refuses."""

import re
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from pixelwise.serving import Settings, create_app
from pixelwise.serving.page_routes import STATIC

from ..conftest import client_of, predictor_of, run_server
from .conftest import CONNECTED, SETTINGS, Site, Visit


def post(
    site: Site, path: str, data: bytes, kind: str = "application/octet-stream"
) -> httpx.Response:
    return httpx.post(site.url + path, content=data, headers={"Content-Type": kind}, timeout=20)


def test_tabs_go_by_arrow_keys_and_by_address(desktop: Visit, site: Site) -> None:
    page = desktop.page
    style = page.get_by_role("tab", name="Style")
    page.get_by_role("tab", name="Segment").focus()
    page.keyboard.press("ArrowRight")
    assert style.get_attribute("aria-selected") == "true"
    assert page.get_by_role("tabpanel", name="Style").is_visible()
    assert page.url == site.url + "#style"
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tabpanel", name="Segment").is_visible()
    page.evaluate("location.hash = '#style'")
    page.get_by_role("tabpanel", name="Style").wait_for()


def test_dark_and_light_have_readable_text(desktop: Visit) -> None:
    contrast = """() => { const s = getComputedStyle(document.body);
        const light = c => { const [r, g, b] = c.match(/\\d+/g).map(v => (v / 255) ** 2.2);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05 };
        const [a, b] = [light(s.color), light(s.backgroundColor)];
        return Math.max(a, b) / Math.min(a, b) }"""
    grounds = set()
    for scheme in ("dark", "light"):
        desktop.page.emulate_media(color_scheme=scheme)
        assert desktop.page.evaluate(contrast) > 7
        grounds.add(desktop.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


def test_the_page_names_no_other_server_and_calls_none(site: Site) -> None:
    for path in ("", *(f"static/{file.name}" for file in STATIC.iterdir())):
        text = httpx.get(site.url + path).text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search("https?://|['\"(]//", text), path
    assert {host for host, _ in CONNECTED} <= {"127.0.0.1"}


def test_the_page_runs_its_own_files_alone_and_nothing_that_stands_in_it(site: Site) -> None:
    answer = httpx.get(site.url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<style|\bstyle=|\bon\w+=|<script(?![^>]* src=)", answer.text)
    for file in filter(Path.is_file, STATIC.rglob("*")):
        assert not re.search(r"\beval\(|new Function|innerHTML", file.read_text(encoding="utf-8"))


def test_a_browser_asks_whether_a_file_is_new_and_keeps_it_where_it_is_not(site: Site) -> None:
    for path in ("", "static/page.js"):
        assert httpx.get(site.url + path).headers["cache-control"] == "no-cache"
    tag = httpx.get(site.url + "static/page.css").headers["etag"]
    again = httpx.get(site.url + "static/page.css", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-security-policy" not in again.headers  # that of the document kept stays


def test_all_files_that_the_page_names_are_there_and_of_their_kind(site: Site) -> None:
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    named = set(re.findall(r'"static/([\w.]+)"', httpx.get(site.url).text))
    for file in STATIC.glob("*.js"):
        named |= set(re.findall(r'from "\./([\w.]+)"', file.read_text(encoding="utf-8")))
    own = filter(Path.is_file, STATIC.iterdir())
    assert named == {file.name for file in own} - {"index.html"}
    for name in named:
        answer = httpx.get(f"{site.url}static/{name}")
        assert answer.headers["content-type"].startswith(kinds[Path(name).suffix])


def test_all_files_of_the_page_are_installed() -> None:
    root = Path(__file__).parents[3]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["pixelwise"]
    installed = {path for pattern in patterns for path in (root / "src/pixelwise").glob(pattern)}
    assert {path for path in STATIC.rglob("*") if path.is_file()} <= installed


def test_the_page_needs_no_gradio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)  # an import fails
    client = client_of(create_app({"only": predictor_of()}))
    head = client.get("/").text.partition("</head>")[0]
    assert "<title>pixelwise: what is where in a picture</title>" in head
    assert 'property="og:title" content="pixelwise: what is where in a picture"' in head
    assert client.get("/page/settings").json()["models"] == ["only"]


def test_no_path_gives_files_beside_the_pages_own_or_calls_addresses(site: Site) -> None:
    for path in (
        "gradio_api/file=/etc/passwd",
        "gradio_api/proxy=http://127.0.0.1/",
        "gradio_api/queue/data",
        "monitoring",
        "static/%2e%2e/app.py",
        "static/..%2fapp.py",
        "static//etc/passwd",
        "static/",
        "page/examples/3",
        "page/examples/-1",
    ):
        assert httpx.get(site.url + path).status_code == 404, path
    for path in ("gradio_api/upload", "gradio_api/queue/join", "gradio_api/run/predict"):
        assert httpx.post(site.url + path).status_code in (404, 405), path


def test_requests_that_the_page_would_not_make_are_refused(site: Site) -> None:
    assert post(site, "page/segment?model=colours", b"x", "text/plain").status_code == 415
    assert (
        post(site, "page/segment?model=colours", bytes(SETTINGS.max_bytes + 1)).status_code == 413
    )
    assert post(site, "page/segment?model=none", b"x").status_code == 404
    assert "allowed is 64 to 1024" in post(site, "page/style?split=1&side=9999", b"xx").text


def test_with_a_token_the_browsers_password_opens_the_page(visit: Visit) -> None:
    token = "a-long-random-token"
    with run_server(create_app({"only": predictor_of()}, Settings(token=token))) as port:
        credentials = {"username": "anybody", "password": token}
        context = visit.page.context.browser.new_context(http_credentials=credentials)
        tab = context.new_page()
        tab.goto(f"http://127.0.0.1:{port}/")
        tab.get_by_role("button", name="Example: Cat").click()
        tab.get_by_text("Done in").wait_for()
        assert not tab.get_by_label("Model").is_visible()  # there is one alone
        context.close()
