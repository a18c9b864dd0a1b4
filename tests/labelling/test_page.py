"""The labelling page as a person meets it: a real server, a real browser, mouse, touch and keys."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from threading import Thread
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image

from pixelwise.classes import VOID
from pixelwise.labelling.app import create_label_app
from pixelwise.labelling.desk import Desk
from pixelwise.labelling.session import Session
from pixelwise.labelling.strokes import UNLABELLED

CHROMIUM = Path("/usr/bin/chromium")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
ARGS += ["--disable-background-networking", "--disable-component-update"]
TIMEOUT = 60


@contextmanager
def serve(desk: Desk, port: int = 0) -> Iterator[int]:
    config = uvicorn.Config(create_label_app(desk), log_level="warning", ws="none")
    server = uvicorn.Server(config)
    with create_server(("127.0.0.1", port)) as listener:
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join()


@pytest.fixture(scope="module")  # Playwright keeps an event loop running in this thread
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.is_file():
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        yield browser
        browser.close()


class Visit:
    """A page, and how to act on it by shares of the stage."""

    def __init__(self, chromium: Any, port: int, width: int, height: int, **context: Any) -> None:
        self.errors: list[str] = []
        size = {"width": width, "height": height}
        self.page = chromium.new_context(viewport=size, **context).new_page()
        self.page.set_default_timeout(1000 * TIMEOUT)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(f"http://127.0.0.1:{port}/#1")
        self.page.locator("main[aria-busy=false]").wait_for()

    def place(self, x: float, y: float) -> tuple[float, float]:
        box = self.page.locator("[data-part=stage]").bounding_box()
        return box["x"] + box["width"] * x, box["y"] + box["height"] * y

    def stroke(self, *places: tuple[float, float]) -> None:
        first, *others = (self.place(*place) for place in places)
        self.page.mouse.move(*first)
        self.page.mouse.down()
        for place in others:
            self.page.mouse.move(*place, steps=3)
        self.page.mouse.up()

    def touch(self, *places: tuple[float, float]) -> None:
        """A stroke by one finger."""
        devtools = self.page.context.new_cdp_session(self.page)
        self.page.locator("[data-part=stage]").scroll_into_view_if_needed()
        for number, place in enumerate(places):
            x, y = self.place(*place)
            kind = "touchMove" if number else "touchStart"
            event = {"type": kind, "touchPoints": [{"x": x, "y": y, "id": 0}]}
            devtools.send("Input.dispatchTouchEvent", event)
        devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def view(self) -> str:
        """The pixels of the photo's canvas, which change with zoom and place."""
        return str(self.page.evaluate("document.querySelector('[data-part=photo]').toDataURL()"))


def wait_for(test: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not test():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def strokes(session: Session, name: str = "a.png") -> int:
    record = session.project.photos.get(name)
    return len(record.active) if record else 0


def test_a_person_paints_zooms_undoes_accepts_and_loads_the_page_again(
    chromium: Any, make_desk: Callable[[], Desk]
) -> None:
    desk = make_desk()
    session = desk.session
    with serve(desk) as port:
        visit = Visit(chromium, port, 1280, 860)
        page = visit.page
        assert page.locator(".stage").bounding_box()["height"] > 700, "the photo has the room"
        page.keyboard.press("2")
        visit.stroke((0.3, 0.2), (0.7, 0.2))
        page.keyboard.press("1")
        visit.stroke((0.3, 0.8), (0.7, 0.8))
        wait_for(lambda: strokes(session) == 2)
        labels = session.labels("a.png")
        assert labels[12, 40] == 1
        assert labels[48, 40] == 0
        # the overlay shows the prediction where nothing was painted
        page.mouse.move(*visit.place(0.5, 0.4))
        page.get_by_text("predicted sky").wait_for()
        # the view stays where it is after a stroke
        page.mouse.wheel(0, -400)
        zoomed = visit.view()
        page.keyboard.press("0")
        visit.stroke((0.5, 0.5), (0.52, 0.5))
        wait_for(lambda: strokes(session) == 3)
        assert visit.view() == zoomed
        assert (session.labels("a.png") == VOID).any()
        page.keyboard.press("Control+z")
        wait_for(lambda: strokes(session) == 2)
        page.reload()
        page.locator("main[aria-busy=false]").wait_for()
        page.get_by_role("button", name="Redo").click()
        wait_for(lambda: strokes(session) == 3)
        page.get_by_role("button", name="Accept").click()
        wait_for(lambda: session.project.photos["a.png"].is_accepted)
        page.get_by_text("accepted", exact=True).wait_for()
        page.keyboard.press("n")
        page.locator("[data-part=photo-name]").get_by_text("a.png").wait_for(state="detached")
        assert visit.errors == []


def test_all_is_done_by_keys_alone(chromium: Any, make_desk: Callable[[], Desk]) -> None:
    desk = make_desk()
    with serve(desk) as port:
        visit = Visit(chromium, port, 1000, 800)
        page = visit.page
        page.locator("[data-part=stage]").focus()
        for key in ("2", "Enter", "Shift+ArrowRight", "Shift+ArrowRight", "Enter"):
            page.keyboard.press(key)
        wait_for(lambda: strokes(desk.session) == 1)
        assert desk.session.labels("a.png")[30, 41] == 1
        page.keyboard.press("e")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        wait_for(lambda: strokes(desk.session) == 2)
        assert (desk.session.labels("a.png") == UNLABELLED).any()
        assert visit.errors == []


def test_a_stroke_during_an_outage_is_kept_when_the_server_is_back(
    chromium: Any, make_desk: Callable[[], Desk]
) -> None:
    with serve(make_desk()) as port:
        visit = Visit(chromium, port, 1000, 800)
    visit.stroke((0.4, 0.3), (0.6, 0.3))
    visit.page.get_by_text("The server cannot be reached").wait_for()
    desk = make_desk()
    with serve(desk, port):
        wait_for(lambda: strokes(desk.session) == 1)
        assert visit.errors == []


DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_merge_is_undone_on_the_page(
    chromium: Any, make_desk: Callable[[], Desk], size: dict[str, Any]
) -> None:
    desk = make_desk()
    desk.session.add_class("tree")
    with serve(desk) as port:
        visit = Visit(chromium, port, **size)
        page = visit.page
        paint = visit.touch if size is PHONE else visit.stroke
        paint((0.3, 0.5), (0.7, 0.5))  # grass, the first class
        wait_for(lambda: strokes(desk.session) == 1)
        page.get_by_role("button", name="Change grass").click()
        page.get_by_label("Merge into").select_option("tree")
        page.get_by_role("button", name="Save").click()
        undo = page.get_by_role("button", name="Undo the merge of grass")
        undo.wait_for()
        assert desk.session.labels("a.png")[30, 40] == 2
        page.locator("[data-part=classes]").get_by_text("tree").click()
        paint((0.3, 0.7), (0.7, 0.7))
        wait_for(lambda: strokes(desk.session) == 2)
        undo.click()
        undo.wait_for(state="detached")
        labels = desk.session.labels("a.png")
        assert labels[30, 40] == 0
        assert (labels == 2).any()  # painted since, and stays
        names = page.locator("[data-part=classes] bdi").all_text_contents()
        assert names == ["grass", "sky", "tree", "void"]
        assert visit.errors == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_stroke_that_did_not_arrive_outlives_loading_the_page_again(
    chromium: Any, make_desk: Callable[[], Desk], size: dict[str, Any]
) -> None:
    desk = make_desk()
    with serve(desk) as port:
        visit = Visit(chromium, port, **size)
        page = visit.page
        paint = visit.touch if size is PHONE else visit.stroke
        page.route("**/label/photos/*/*", lambda route: route.abort())
        paint((0.3, 0.3), (0.7, 0.3))
        page.get_by_text("The server cannot be reached").wait_for()
        paint((0.3, 0.6), (0.7, 0.6))
        page.on("dialog", lambda dialog: dialog.accept())  # it asks whether to leave
        page.unroute("**/label/photos/*/*")
        page.reload()
        page.locator("main[aria-busy=false]").wait_for()
        assert strokes(desk.session) == 2
        middle = desk.session.labels("a.png")[:, 40]
        assert np.diff(np.flatnonzero(middle == 0)).max() > 1  # two lines, not one
        page.get_by_role("button", name="Undo", exact=True).click()
        wait_for(lambda: strokes(desk.session) == 1)
        page.reload()
        page.locator("main[aria-busy=false]").wait_for()
        assert strokes(desk.session) == 1  # nothing is sent twice
        assert visit.errors == []


def test_a_stroke_reaches_its_photo_where_photos_have_other_numbers_by_now(
    chromium: Any, make_desk: Callable[[], Desk], photos: Path
) -> None:
    with serve(make_desk()) as port:
        visit = Visit(chromium, port, **DESKTOP)
    Image.new("RGB", (80, 60)).save(photos / "0.png")  # the first photo from now on
    desk = make_desk()
    with serve(desk, port):
        visit.stroke((0.3, 0.5), (0.7, 0.5))
        visit.page.get_by_text("load this page again").wait_for()
        visit.page.get_by_text("load it again").wait_for()  # beside the stroke
        assert desk.session.version == 1
        visit.page.reload()
        visit.page.locator("main[aria-busy=false]").wait_for()
        assert strokes(desk.session, "a.png") == 1
        assert strokes(desk.session, "0.png") == 0
        assert visit.errors == []


def test_a_phone_paints_with_one_finger_and_moves_with_two(
    chromium: Any, make_desk: Callable[[], Desk]
) -> None:
    desk = make_desk()
    with serve(desk) as port:
        visit = Visit(chromium, port, 390, 844, has_touch=True, is_mobile=True)
        page = visit.page
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390
        page.locator("[data-part=classes]").get_by_text("sky").tap()
        devtools = page.context.new_cdp_session(page)

        def touch(kind: str, *places: tuple[float, float]) -> None:
            points = [
                {"x": x, "y": y, "id": number}
                for number, (x, y) in enumerate(visit.place(*place) for place in places)
            ]
            devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touch("touchStart", (0.4, 0.5))
        touch("touchMove", (0.6, 0.5))
        touch("touchEnd")
        wait_for(lambda: strokes(desk.session) == 1)
        before = visit.view()
        touch("touchStart", (0.4, 0.4), (0.6, 0.6))
        touch("touchMove", (0.2, 0.2), (0.8, 0.8))
        touch("touchEnd")
        wait_for(lambda: visit.view() != before)
        assert strokes(desk.session) == 1
        assert visit.errors == []


def test_what_is_refused_is_said_beside_the_place(
    chromium: Any, make_desk: Callable[[], Desk]
) -> None:
    desk = make_desk()
    with serve(desk) as port:
        visit = Visit(chromium, port, 1000, 800)
        page = visit.page
        page.keyboard.press("f")
        page.mouse.click(*visit.place(0.3, 0.3))
        alert = page.locator("[data-part=alert]")
        alert.get_by_text("a stroke of each of two classes").wait_for()
        box = alert.bounding_box()
        x, y = visit.place(0.3, 0.3)
        assert np.hypot(box["x"] - x, box["y"] - y) < 60
        name = page.get_by_label("Name of a new class")
        name.fill("Sky")
        name.press("Enter")
        page.get_by_text("there is a class 'sky' already").wait_for()
        name.fill("<img src=x onerror=alert(1)> سماء")
        name.press("Enter")
        page.locator(".classes bdi").get_by_text("<img src=x").wait_for()
        assert len(desk.session.classes.names) == 3
        assert visit.errors == []
