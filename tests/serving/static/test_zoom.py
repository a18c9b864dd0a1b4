"""Zoom and pan of the result, by mouse, keys, buttons and fingers."""

import time
from typing import Any

import pytest

from .conftest import Visit, halves

PLACE = """() => { const stage = document.querySelector("[data-part=stage]").getBoundingClientRect();
    return ["photo", "layer"].map(name => {
        const box = document.querySelector(`[data-part=${name}]`).getBoundingClientRect();
        const x = (box.left - stage.left) / stage.width;
        const y = (box.top - stage.top) / stage.height;
        return [box.width / stage.width, x, y] }) }"""


def look(visit: Visit) -> list[float]:
    """How many times as wide as the stage the picture is, and where its corner lies, in stages."""
    photo, layer = visit.page.evaluate(PLACE)
    assert layer == pytest.approx(photo, abs=1e-3)  # both always lie together
    return [round(value, 2) for value in photo]


def stage_point(visit: Visit, x: float, y: float) -> tuple[float, float]:
    box: dict[str, Any] = visit.page.locator("[data-part=stage]").bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def test_wheel_double_click_and_drag_move_photo_and_classes_together(desktop: Visit) -> None:
    page = desktop.page
    desktop.upload(halves())
    page.mouse.move(*stage_point(desktop, 0.75, 0.25))
    page.mouse.wheel(0, -433.2)  # exp(433.2 * .0016) is 2
    assert look(desktop) == [2, -0.75, -0.25]  # the place under the pointer stays
    assert page.get_by_text("square, 100 % sure (column 7").is_visible()
    page.mouse.down()
    page.mouse.move(*stage_point(desktop, 0.85, 0.15))
    page.mouse.up()
    assert look(desktop) == [2, -0.65, -0.35]
    page.mouse.down()
    page.mouse.move(*stage_point(desktop, 3, 3))  # never beyond a border, also outside
    page.mouse.up()
    assert look(desktop) == [2, 0, 0]
    page.mouse.dblclick(*stage_point(desktop, 0.5, 0.5))
    assert look(desktop) == [1, 0, 0]
    page.mouse.dblclick(*stage_point(desktop, 0.5, 0.5))
    assert look(desktop) == [3, -1, -1]
    desktop.upload(halves()[:400])  # another picture is shown whole
    assert look(desktop) == [1, 0, 0]


def test_the_wheel_scrolls_the_page_where_there_is_nothing_to_zoom_out(desktop: Visit) -> None:
    page = desktop.page
    page.set_viewport_size({"width": 1280, "height": 500})
    desktop.upload(halves())
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(*stage_point(desktop, 0.5, 0.2))
    page.mouse.wheel(0, 100)
    end = time.monotonic() + 10
    while not page.evaluate("scrollY"):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert look(desktop) == [1, 0, 0]


def test_keys_and_buttons_zoom_and_arrows_move(desktop: Visit) -> None:
    page = desktop.page
    desktop.upload(halves())
    page.locator("[data-part=stage]").focus()
    for key in "++":
        page.keyboard.press(key)
    page.keyboard.press("-")
    page.keyboard.press("ArrowRight")
    assert look(desktop) == [1.5, -0.35, -0.25]
    page.keyboard.press("0")
    assert look(desktop) == [1, 0, 0]
    page.get_by_role("button", name="Zoom in").click()
    assert look(desktop)[0] == 1.5
    page.get_by_role("button", name="Zoom out").click()
    assert look(desktop) == [1, 0, 0]
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Fit").click()
    assert look(desktop) == [1, 0, 0]


def test_two_fingers_zoom_on_a_phone_and_the_page_does_not_move(desktop: Visit) -> None:
    page = desktop.page
    page.set_viewport_size({"width": 390, "height": 844})
    desktop.upload(halves())
    top = page.evaluate("scrollY")
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [
            {"id": number, "x": x, "y": y}
            for number, (x, y) in enumerate(stage_point(desktop, *place) for place in places)
        ]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", (0.4, 0.5))
    fingers("touchStart", (0.4, 0.5), (0.6, 0.5))
    for spread in (0.15, 0.2, 0.25, 0.3):
        fingers("touchMove", (0.5 - spread, 0.5), (0.5 + spread, 0.5))
    fingers("touchEnd")
    assert look(desktop) == [3, -1, -1]
    fingers("touchStart", (0.5, 0.5))
    fingers("touchMove", (0.5, 0.3))
    fingers("touchMove", (0.5, 0.1))
    fingers("touchEnd")
    assert look(desktop) == [3, -1, -1.4]
    assert page.evaluate("[scrollY, visualViewport.scale]") == [top, 1]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
