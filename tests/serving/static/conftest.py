"""The page as a person meets it: a real server on the loopback, a real browser, mouse and
keyboard.
"""

import io
import sys
import threading
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
from pixelwise.inference.layer_predictor import LayerPredictor
from pixelwise.inference.predictor import Predictor
from pixelwise.serving import Settings, create_app

from ..conftest import run_server

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
LAYERS = Classes(("shirt", "logo"), ((200, 0, 0), (0, 0, 200)))
# Addresses that this process connected to.
CONNECTED: list[tuple[str, int]] = []


def _record_connection(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        CONNECTED.append(arguments[1][:2])


def by_channel(rgb: np.ndarray) -> np.ndarray:
    """The strongest of red, green and blue is the class; nearly grey is not sure."""
    return np.float32(0.04) * rgb.astype(np.float32)


def by_red_and_blue(rgb: np.ndarray) -> np.ndarray:
    """Logits of classes that overlap: where there is red, and where there is blue."""
    return np.where(rgb[:, [0, 2]] > 100, 2.0, -2.0).astype(np.float32)


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
    models_run: list[str] = field(default_factory=list)
    resume: threading.Event = field(default_factory=threading.Event)

    def predictor(self, model: str) -> Predictor:
        def run(rgb: np.ndarray) -> np.ndarray:
            self.models_run.append(model)
            if model == "broken":
                raise RuntimeError("secret of the server")
            if model == "wrong":
                raise ModelError("the model gives 3 channels but 4 classes are named")
            if (
                model == "slow" and self.models_run.count(model) == 1
            ):  # one tile: other pictures need the other turns
                assert self.resume.wait(30)
            return by_channel(rgb)

        names = ("cat", "dog", "cow") if model == "animals" else ("circle", "square", "triangle")
        return Predictor(run, Classes(names, PALETTE), tile=(320, 320))

    def read_metric(self, name: str, label: str) -> float:
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
        assert self.resume.wait(30)
        return 255 - content


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    server = Site()
    models = {
        model: server.predictor(model)
        for model in ("colours", "animals", "slow", "broken", "wrong")
    }
    models["layers"] = LayerPredictor(by_red_and_blue, LAYERS, thresholds=(0.5, 0.6))
    sys.addaudithook(_record_connection)
    with run_server(create_app(models, SETTINGS, style=server.style)) as port:
        server.url = f"http://127.0.0.1:{port}/"
        yield server
        server.resume.set()


@dataclass
class Visit:
    """A page that was opened, and the requests that it made."""

    page: Any
    requests: list[str]
    errors: list[str]

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


@pytest.fixture(scope="module")  # Playwright keeps an event loop running in this thread
def visit(site: Site) -> Iterator[Visit]:
    """One browser with one page for a module: it takes seconds to start."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.is_file():
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        page = chromium.new_context(permissions=["camera"]).new_page()
        page.set_default_timeout(30_000)
        visit = Visit(page, [], [])
        page.on("request", lambda request: visit.requests.append(f"{request.method} {request.url}"))
        page.on(
            "console",
            lambda message: visit.errors.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        page.goto(site.url)
        page.locator("main[aria-busy=false]").wait_for()
        yield visit
        chromium.close()


@pytest.fixture
def desktop(visit: Visit, site: Site) -> Iterator[Visit]:
    """The page as it comes, and afterwards nothing asked of other servers and no error in its
    console.
    """
    visit.page.set_viewport_size({"width": 1280, "height": 900})
    visit.page.get_by_role("tab", name="Segment").click()
    visit.page.evaluate(RESET)
    visit.requests.clear()
    site.models_run.clear()
    site.resume.clear()
    yield visit
    own = (site.url, "data:", "blob:", "about:")
    assert [
        request for request in visit.requests if not request.partition(" ")[2].startswith(own)
    ] == []
    assert visit.errors == []


RESET = """() => {
    const part = name => document.querySelector(`[data-part=${name}]`);
    for (const [name, value] of [["opacity", 50], ["least", 0], ["compare", 0]]) {
        part(name).value = value;
        part(name).dispatchEvent(new Event("input"));
    }
    part("classes").checked = true;
    part("classes").dispatchEvent(new Event("change"));
    part("model").value = "colours";
    for (const button of part("examples").querySelectorAll("button")) {
        button.hidden = !button.title.startsWith("Shapes");
    }
}"""


def png(rgb: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, format="PNG", compress_level=1)
    return file.getvalue()
