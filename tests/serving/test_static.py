"""The page as a person meets it: a real server on the loopback, a real browser, mouse and
keyboard.
"""

import base64
import io
import json
import re
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.errors import ModelError
from pixelwise.inference.predictor import Predictor
from pixelwise.serving import Settings, create_app
from pixelwise.serving.page import STATIC

from .conftest import asking, live, predictor_of

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
ARGS += ["--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream"]
SETTINGS = Settings(max_bytes=4_000_000)
PALETTE = ((250, 120, 0), (10, 200, 90), (60, 60, 250))
CALLED: list[tuple[str, int]] = []
"""Addresses that this process connected to."""


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        CALLED.append(arguments[1][:2])


def by_channel(rgb: np.ndarray) -> np.ndarray:
    """The strongest of red, green and blue is the class; nearly grey is not sure."""
    return np.float32(0.04) * rgb.astype(np.float32)


def halves() -> np.ndarray:
    """A megapixel: the left half red, the right half green above, and below grey with a trace of
    blue.
    """
    rgb = np.empty((1000, 1000, 3), np.uint8)
    rgb[:, :500] = (255, 0, 0)
    rgb[:500, 500:] = (0, 255, 0)
    rgb[500:, 500:] = (100, 100, 110)  # softmax of 4, 4, 4.4: 43 % sure
    return rgb


@dataclass
class Site:
    """A running server, and which models ran a tile."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def predictor(self, model: str) -> Predictor:
        def run(rgb: np.ndarray) -> np.ndarray:
            self.asked.append(model)
            if model == "broken":
                raise RuntimeError("secret of the server")
            if model == "wrong":
                raise ModelError("the model gives 3 channels but 4 classes are named")
            if (
                model == "slow" and self.asked.count(model) == 1
            ):  # one tile: other pictures need the other turns
                assert self.go_on.wait(30)
            return by_channel(rgb)

        names = ("cat", "dog", "cow") if model == "animals" else ("red", "green", "blue")
        return Predictor(run, Classes(names, PALETTE), tile=(320, 320))

    def told(self, name: str, label: str) -> float:
        """What /metrics says."""
        lines = httpx.get(self.url + "metrics", timeout=20).text.splitlines()
        return sum(
            float(line.split()[-1])
            for line in lines
            if line.startswith(f"pixelwise_{name}{{") and label in line
        )

    def style(
        self, content: np.ndarray, style: np.ndarray, side: int, progress: Callable[[float], None]
    ) -> np.ndarray:
        assert (content.shape, style.shape, side) == ((300, 400, 3), (200, 200, 3), 384)
        progress(0.5)
        assert self.go_on.wait(30)
        return 255 - content


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    here = Site()
    models = {
        model: here.predictor(model) for model in ("colours", "animals", "slow", "broken", "wrong")
    }
    sys.addaudithook(_heard)
    with live(create_app(models, SETTINGS, style=here.style)) as port:
        here.url = f"http://127.0.0.1:{port}/"
        yield here
        here.go_on.set()


@dataclass
class Visit:
    """A page that was opened, and the requests that it made."""

    page: Any
    requests: list[str]
    said: list[str]

    def upload(self, rgb: np.ndarray, name: str = "half.png") -> None:
        self.page.get_by_label("Choose a picture").set_input_files(
            {"name": name, "mimeType": "image/png", "buffer": png(rgb)}
        )
        self.page.get_by_text("Done in").wait_for()

    def legend(self) -> dict[str, str]:
        items = self.page.locator(".legend li:visible").all()
        return {i.locator("b").inner_text(): i.locator("span").inner_text() for i in items}

    def painted(self, x: int, y: int) -> list[int]:
        """RGBA of the layer over the picture at a place of the picture."""
        read = "(c, [x, y]) => [...c.getContext('2d').getImageData(x, y, 1, 1).data]"
        return list(self.page.locator("canvas[data-part=layer]").evaluate(read, [x, y]))

    def save(self, button: str) -> tuple[str, bytes]:
        with self.page.expect_download() as waiting:
            self.page.get_by_role("button", name=button).click()
        return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


@pytest.fixture(scope="module")
def visit(site: Site) -> Iterator[Visit]:
    """One browser with one page for all: it takes seconds to load."""
    if not CHROMIUM.is_file():
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        page = chromium.new_context(permissions=["camera"]).new_page()
        page.set_default_timeout(30_000)
        found = Visit(page, [], [])
        page.on("request", lambda request: found.requests.append(f"{request.method} {request.url}"))
        page.on(
            "console",
            lambda message: found.said.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: found.said.append(str(error)))
        page.goto(site.url)
        page.locator("main[aria-busy=false]").wait_for()
        yield found
        chromium.close()


@pytest.fixture
def desktop(visit: Visit, site: Site) -> Iterator[Visit]:
    """The page as it comes, and afterwards nothing asked of other servers and no error in its
    console.
    """
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    visit.page.get_by_role("tab", name="Segment").click()
    visit.page.evaluate(AS_IT_COMES)
    visit.requests.clear()
    site.asked.clear()
    site.go_on.clear()
    yield visit
    own = (site.url, "data:", "blob:", "about:")
    assert [asked for asked in visit.requests if not asked.partition(" ")[2].startswith(own)] == []
    assert visit.said == []


AS_IT_COMES = """() => {
    const part = name => document.querySelector(`[data-part=${name}]`);
    for (const [name, value] of [["opacity", 50], ["least", 0], ["compare", 0]]) {
        part(name).value = value;
        part(name).dispatchEvent(new Event("input"));
    }
    part("classes").checked = true;
    part("classes").dispatchEvent(new Event("change"));
    part("model").value = "colours";
}"""


def png(rgb: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, format="PNG", compress_level=1)
    return file.getvalue()


def test_one_upload_serves_shares_toggles_threshold_opacity_and_hover(desktop: Visit) -> None:
    page = desktop.page
    desktop.upload(halves())
    assert desktop.legend() == {"red": "50 %", "green": "25 %", "blue": "25 %"}
    assert desktop.painted(10, 10) == [*PALETTE[0], 255]
    layer = page.locator("canvas[data-part=layer]")
    assert layer.get_attribute("aria-label") == "Classes found: red 50 %, green 25 %, blue 25 %"

    page.get_by_role("checkbox", name="red").uncheck()
    assert desktop.painted(900, 10) == [
        *PALETTE[1],
        255,
    ]  # the pointer lies on a hidden class: no other steps back
    page.mouse.move(0, 0)
    assert desktop.painted(10, 10) == [0, 0, 0, 0]
    assert desktop.painted(900, 10) == [*PALETTE[1], 255]

    page.get_by_label("Least confidence").fill("60")
    assert desktop.legend() == {
        "red": "50 %",
        "green": "25 %",
        "blue": "0 %",
        "void: below the least confidence": "25 %",
    }
    assert desktop.painted(900, 900) == [224, 224, 192, 255]
    page.get_by_label("Least confidence").fill("0")

    page.get_by_label("Opacity").fill("80")
    assert layer.evaluate("c => getComputedStyle(c).opacity") == "0.8"

    box = layer.bounding_box()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.1 * box["height"])
    assert page.get_by_text("green, 100 % sure").is_visible()
    assert desktop.painted(900, 900)[3] < 100  # all others step back
    page.mouse.move(0, 0)
    page.get_by_role("checkbox", name="blue").hover()
    assert desktop.painted(900, 900)[3] == 255
    assert desktop.painted(900, 10)[3] < 100
    assert sum(asked.startswith("POST") for asked in desktop.requests) == 1  # the model ran once


def test_the_slider_shows_before_and_after_and_the_confidence_view_its_colours(
    desktop: Visit,
) -> None:
    page = desktop.page
    desktop.upload(halves())
    page.get_by_label("Before and after").focus()
    page.keyboard.press("End")
    assert (
        page.locator("canvas[data-part=layer]").evaluate("c => c.style.clipPath").endswith("100%)")
    )
    for _ in range(3):
        page.keyboard.press("PageDown")
    assert page.locator("[data-part=edge]").evaluate("e => e.style.left") == "70%"
    page.get_by_label("Confidence", exact=True).check()
    assert desktop.painted(10, 10)[:2] == [255, 234]  # sure: the bright end of cividis
    assert (
        abs(np.array(desktop.painted(900, 900)[:3]) - (109, 112, 111)).max() <= 2
    )  # .43 of the way, by hand


def test_downloads_hold_what_the_model_found_and_the_overlay_what_is_seen(
    desktop: Visit, site: Site
) -> None:
    rgb = halves()
    truth = site.predictor("colours").predict(rgb).labels
    desktop.upload(rgb, "my half.png")
    desktop.page.get_by_label("Opacity").fill("25")
    desktop.page.get_by_role("checkbox", name="green").uncheck()
    desktop.page.mouse.move(0, 0)
    name, mask = desktop.save("Download mask")
    assert name == "my half_mask.png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(mask))), truth)
    found = {
        entry["id"]: entry for entry in json.loads(desktop.save("Download data")[1])["classes"]
    }
    assert {label: entry["share"] for label, entry in found.items()} == {0: 0.5, 1: 0.25, 2: 0.25}
    assert found[0]["runs"] == [
        0,
        500_000,
        500_000,
    ]  # COCO's: down the columns, from one that is not of the class
    assert found[1]["runs"] == [500_000, *[500] * 1000]
    name, overlay = desktop.save("Download overlay")
    assert name == "my half_overlay.png"
    with Image.open(io.BytesIO(overlay)) as image:
        made = np.asarray(image.convert("RGB")).astype(int)
    assert made.shape == rgb.shape
    assert (
        abs(made[10, 10] - (0.75 * rgb[10, 10] + 0.25 * np.array(PALETTE[0]))).max() < 6
    )  # the photo went as JPEG
    assert abs(made[10, 900] - rgb[10, 900]).max() < 6  # hidden: the photo itself


def test_on_a_phone_everything_fits_and_works(desktop: Visit) -> None:
    phone = desktop
    page = desktop.page
    page.set_viewport_size({"width": 390, "height": 844})
    phone.upload(halves())
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Opacity").fill("60")
    page.get_by_role("checkbox", name="blue").uncheck()
    assert phone.painted(900, 900) == [0, 0, 0, 0]
    assert phone.save("Download mask")[0] == "half_mask.png"
    small = page.locator(".button:visible").evaluate_all(
        "all => all.filter(b => b.offsetHeight < 40).length"
    )
    assert small == 0  # wide enough for a thumb


def test_examples_the_choice_of_a_model_paste_drop_and_camera_all_bring_a_picture(
    desktop: Visit, site: Site
) -> None:
    page = desktop.page
    done = desktop.page.get_by_text("Done in")
    page.get_by_role("button", name="Example: Shapes 1").click()
    done.wait_for()
    page.get_by_label("Model").select_option("animals")
    page.locator(".legend b", has_text="dog").wait_for()
    assert list(dict.fromkeys(site.asked)) == ["colours", "animals"]
    sent = "Uint8Array.from(atob(data), c => c.charCodeAt(0))"
    carried = (
        f"const d = new DataTransfer(); d.items.add(new File([{sent}], 'a.png', {{type: "
        f"'image/png'}}));"
    )
    data = base64.b64encode(png(halves()[:, 400:])).decode()
    for event in (
        "ClipboardEvent('paste', {clipboardData: d",
        "DragEvent('drop', {dataTransfer: d",
    ):
        page.evaluate(
            f"data => {{ {carried} document.querySelector('#segment').dispatchEvent("
            f"new {event}, bubbles: true}})) }}",
            data,
        )
        page.get_by_text("1000 x 600 pixels").wait_for()
        page.get_by_role("button", name="Example: Shapes 2").click()
        page.get_by_text("360 x 480 pixels").wait_for()
    page.get_by_role("button", name="Use the camera").click()
    while not page.evaluate("document.querySelector('video').videoWidth"):
        time.sleep(0.05)
    page.get_by_role("button", name="Take the picture").click()
    page.get_by_text("Segmenting camera.jpg").or_(
        page.get_by_text("480 x 640 pixels")
    ).first.wait_for()
    page.get_by_text("480 x 640 pixels").wait_for()
    assert page.get_by_role("dialog").count() == 0


def test_progress_is_shown_and_a_newer_picture_ends_the_work_for_an_older_one(
    desktop: Visit, site: Site
) -> None:
    page = desktop.page
    before = site.told("requests_total", "/page/segment")
    page.evaluate(
        "document.querySelector('[data-part=model]').value = 'slow'"
    )  # without asking for the last picture
    page.get_by_label("Choose a picture").set_input_files(
        {"name": "half.png", "mimeType": "image/png", "buffer": png(halves())}
    )
    page.get_by_text(re.compile(r"Segmenting half.png \.\.\. \d+")).wait_for()
    assert 0 <= page.get_by_role("progressbar", name="Progress").evaluate("p => p.value") < 1
    page.evaluate("document.querySelector('[data-part=model]').value = 'colours'")
    page.get_by_role("button", name="Example: Shapes 1").click()
    page.get_by_text("360 x 480 pixels").wait_for()
    while site.told("requests_total", "/page/segment") < before + 2:  # both have ended
        time.sleep(0.05)
    site.go_on.set()
    while site.told("held", "slow"):
        time.sleep(0.05)
    assert 0 < site.asked.count("slow") < 16


def test_stop_ends_the_work_of_the_server_and_the_page_goes_on(desktop: Visit, site: Site) -> None:
    page = desktop.page
    page.evaluate("document.querySelector('[data-part=model]').value = 'slow'")
    page.get_by_label("Choose a picture").set_input_files(
        {"name": "half.png", "mimeType": "image/png", "buffer": png(halves())}
    )
    page.get_by_text(re.compile(r"Segmenting half.png \.\.\. \d+")).wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped.").wait_for()
    assert page.get_by_role("progressbar", name="Progress").count() == 0
    assert page.get_by_role("alert").filter(visible=True).count() == 0
    site.go_on.set()
    while site.told("held", "slow"):
        time.sleep(0.05)
    assert 0 < site.asked.count("slow") < 16
    page.evaluate("document.querySelector('[data-part=model]').value = 'colours'")
    desktop.upload(halves())


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


def test_errors_are_said_in_words_and_the_page_goes_on(desktop: Visit, tmp_path: Path) -> None:
    page = desktop.page
    alert = desktop.page.get_by_role("alert").filter(visible=True)
    (tmp_path / "text.png").write_bytes(b"no picture")
    Image.new("1", (10_100, 10_000)).save(tmp_path / "pixels.png")
    with (tmp_path / "bytes.png").open("wb") as file:
        file.truncate(SETTINGS.max_bytes + 1)
    for name, told in (
        ("text.png", "damaged or of another format than JPEG, PNG, WEBP"),
        ("pixels.png", "10000 x 10100 pixels"),
        ("bytes.png", "the file is too large: at most 4000000 bytes"),
    ):
        page.get_by_label("Choose a picture").set_input_files(tmp_path / name)
        alert.filter(has_text=told).wait_for()
        assert "Traceback" not in alert.inner_text()
    for model, told in (
        ("broken", "something went wrong"),
        ("wrong", "3 channels but 4"),
        ("colours", ""),
    ):
        page.get_by_label("Model").select_option(model)
        page.get_by_role("button", name="Example: Shapes 1").click()
        if told:
            alert.filter(has_text=told).wait_for()
            assert "secret" not in alert.inner_text()
    page.get_by_text("Done in").wait_for()
    assert alert.count() == 0


def test_the_keyboard_reaches_everything_and_everything_has_a_name(desktop: Visit) -> None:
    page = desktop.page
    desktop.upload(halves())
    nameless = """all => all.filter(e => !((e.labels && e.labels[0]?.innerText) || e.getAttribute('aria-label')
        || e.innerText || e.querySelector?.('img')?.alt).trim()).map(e => e.outerHTML)"""
    controls = page.locator(":is(input, select, button, progress, video, canvas):visible")
    assert controls.count() > 15
    assert controls.evaluate_all(nameless) == []
    assert page.locator("img:visible:not([alt])").count() == 0
    page.get_by_label("Choose a picture").focus()
    order = []
    focused = """() => { const e = document.activeElement;
        return e.dataset.part ?? e.labels?.[0]?.innerText ?? e.title }"""
    for _ in range(17):
        order.append(page.evaluate(focused))
        page.keyboard.press("Tab")
    wanted = [
        "file",
        "camera",
        "model",
        "Shapes 1",
        "compare",
        "classes",
        "opacity",
        "least",
        "all",
        "none",
        "save-mask",
    ]
    places = [order.index(part) for part in wanted]
    assert places == sorted(places)
    page.get_by_role("checkbox", name="green").focus()
    page.keyboard.press("Space")
    assert desktop.painted(900, 10)[3] == 0


def test_a_style_is_painted_in_the_second_tab(desktop: Visit, site: Site) -> None:
    page = desktop.page
    page.get_by_role("tab", name="Style").click()
    photo = halves()[:300, :400]
    painting = halves()[:200, :200]
    for label, rgb in (("Choose a photo", photo), ("Choose a painting", painting)):
        page.get_by_label(label).set_input_files(
            {"name": "a.png", "mimeType": "image/png", "buffer": png(rgb)}
        )
    page.get_by_role("button", name="Paint", exact=True).click()
    page.get_by_text("Painting ... 50 %").wait_for()
    site.go_on.set()
    page.get_by_alt_text("The photo in the style of the painting").wait_for()
    with Image.open(io.BytesIO(desktop.save("Download picture")[1])) as made:
        assert made.size == (400, 300)
        assert abs(np.array(made.getpixel((10, 10))) - (0, 255, 255)).max() < 8


def post(
    site: Site, path: str, data: bytes, kind: str = "application/octet-stream"
) -> httpx.Response:
    return httpx.post(site.url + path, content=data, headers={"Content-Type": kind}, timeout=20)


def test_requests_that_the_page_would_not_make_are_refused(site: Site) -> None:
    assert post(site, "page/segment?model=colours", b"x", "text/plain").status_code == 415
    assert (
        post(site, "page/segment?model=colours", bytes(SETTINGS.max_bytes + 1)).status_code == 413
    )
    assert post(site, "page/segment?model=none", b"x").status_code == 404
    assert "allowed is 64 to 1024" in post(site, "page/style?split=1&side=9999", b"xx").text


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


def test_the_page_names_no_other_server_and_calls_none(site: Site) -> None:
    for path in ("", *(f"static/{file.name}" for file in STATIC.iterdir())):
        text = httpx.get(site.url + path).text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search("https?://|['\"(]//", text), path
    assert {host for host, _ in CALLED} <= {"127.0.0.1"}


def test_the_page_runs_its_own_files_alone_and_nothing_that_stands_in_it(site: Site) -> None:
    answer = httpx.get(site.url)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<style|\bstyle=|\bon\w+=|<script(?![^>]* src=)", answer.text)
    for file in STATIC.iterdir():
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
    assert named == {file.name for file in STATIC.iterdir()} - {"index.html"}
    for name in named:
        answer = httpx.get(f"{site.url}static/{name}")
        assert answer.headers["content-type"].startswith(kinds[Path(name).suffix])


def test_all_files_of_the_page_are_installed() -> None:
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["pixelwise"]
    installed = {path for pattern in patterns for path in (root / "src/pixelwise").glob(pattern)}
    assert {path for path in STATIC.rglob("*") if path.is_file()} <= installed


def test_the_page_needs_no_gradio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)  # an import fails
    client = asking(create_app({"only": predictor_of()}))
    assert "<title>pixelwise</title>" in client.get("/").text
    assert client.get("/page/settings").json()["models"] == ["only"]


def test_without_style_weights_the_tab_says_what_to_do(visit: Visit) -> None:
    with live(create_app({"only": predictor_of()})) as port:
        tab = visit.page.context.new_page()
        tab.goto(f"http://127.0.0.1:{port}/#style")
        tab.get_by_text("Style transfer is off: start the server").wait_for()
        assert tab.get_by_role("tab", name="Style").get_attribute("aria-selected") == "true"
        assert (
            tab.get_by_label("Choose a photo").count() == 0
            or not tab.get_by_label("Choose a photo").is_visible()
        )
        tab.close()
        url = f"http://127.0.0.1:{port}/page/style?split=1&side=64"
        headers = {"Content-Type": "application/octet-stream"}
        assert httpx.post(url, content=b"xx", headers=headers).status_code == 422


def test_a_server_that_is_gone_is_said_in_words(visit: Visit) -> None:
    with live(create_app({"only": predictor_of()})) as port:
        tab = visit.page.context.new_page()
        tab.goto(f"http://127.0.0.1:{port}/")
        tab.get_by_role("button", name="Example: Shapes 1").wait_for()
    tab.get_by_label("Choose a picture").set_input_files(
        {"name": "half.png", "mimeType": "image/png", "buffer": png(halves()[:50, :50])}
    )
    tab.get_by_role("alert").filter(has_text="the server cannot be reached").wait_for()
    tab.close()


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
