"""The tab Segment, as a person meets it."""

import base64
import io
import json
import re
import time
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.serving import Settings, create_app

from ..conftest import file_of, predictor_of, run_server
from .conftest import PALETTE, SETTINGS, Site, Visit, halves, png


def test_one_upload_serves_shares_toggles_threshold_opacity_and_hover(desktop: Visit) -> None:
    page = desktop.page
    desktop.upload(halves())
    assert desktop.legend() == {"circle": "50 %", "square": "25 %", "triangle": "25 %"}
    assert desktop.painted(10, 10) == [*PALETTE[0], 255]
    layer = page.locator("canvas[data-part=layer]")
    assert (
        layer.get_attribute("aria-label")
        == "Classes found: circle 50 %, square 25 %, triangle 25 %"
    )

    page.get_by_role("checkbox", name="circle").uncheck()
    assert desktop.painted(900, 10) == [
        *PALETTE[1],
        255,
    ]  # the pointer lies on a hidden class: no other steps back
    page.mouse.move(0, 0)
    assert desktop.painted(10, 10) == [0, 0, 0, 0]
    assert desktop.painted(900, 10) == [*PALETTE[1], 255]

    page.get_by_label("Minimum confidence").fill("60")
    assert desktop.legend() == {
        "circle": "50 %",
        "square": "25 %",
        "triangle": "0 %",
        "void: below the minimum confidence": "25 %",
    }
    # void is hatched, in stripes of three pixels
    assert desktop.painted(903, 900) == [224, 224, 192, 255]
    assert desktop.painted(900, 900) == [0, 0, 0, 0]
    page.get_by_label("Minimum confidence").fill("0")

    page.get_by_label("Opacity").fill("80")
    assert layer.evaluate("c => getComputedStyle(c).opacity") == "0.8"

    box = layer.bounding_box()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.1 * box["height"])
    assert page.get_by_text("square, 100 % sure").is_visible()
    assert desktop.painted(900, 900)[3] < 100  # all others step back
    page.mouse.move(0, 0)
    page.get_by_role("checkbox", name="triangle").hover()
    assert desktop.painted(900, 900)[3] == 255
    assert desktop.painted(900, 10)[3] < 100
    assert (
        sum(request.startswith("POST") for request in desktop.requests) == 1
    )  # the model ran once


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
    desktop.page.get_by_role("checkbox", name="square").uncheck()
    desktop.page.mouse.move(0, 0)
    name, mask = desktop.save("Download mask")
    assert name == "my half_mask.png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(mask))), truth)
    entries = {
        entry["id"]: entry for entry in json.loads(desktop.save("Download data")[1])["classes"]
    }
    assert {label: entry["share"] for label, entry in entries.items()} == {0: 0.5, 1: 0.25, 2: 0.25}
    assert entries[0]["runs"] == [
        0,
        500_000,
        500_000,
    ]  # COCO's: down the columns, from one that is not of the class
    assert entries[1]["runs"] == [500_000, *[500] * 1000]
    name, overlay = desktop.save("Download overlay")
    assert name == "my half_overlay.png"
    with Image.open(io.BytesIO(overlay)) as image:
        saved = np.asarray(image.convert("RGB")).astype(int)
    assert saved.shape == rgb.shape
    assert (
        abs(saved[10, 10] - (0.75 * rgb[10, 10] + 0.25 * np.array(PALETTE[0]))).max() < 6
    )  # the photo went as JPEG
    assert abs(saved[10, 900] - rgb[10, 900]).max() < 6  # hidden: the photo itself


def test_the_cutout_holds_the_ticked_classes_alone_and_never_the_background(
    desktop: Visit,
) -> None:
    rgb = halves()
    desktop.upload(rgb, "my half.png")
    desktop.page.get_by_role("checkbox", name="square").uncheck()
    desktop.page.get_by_label("Minimum confidence").fill("60")
    name, content = desktop.save("Download cut-out")
    assert name == "my half_cutout.png"
    with Image.open(io.BytesIO(content)) as image:
        saved = np.asarray(image)
    assert saved.shape == (1000, 1000, 4)
    assert (saved[:, :500, 3] == 255).all()  # circle
    assert (saved[:, 500:, 3] == 0).all()  # square is hidden, triangle not sure enough
    assert abs(saved[10, 10, :3].astype(int) - rgb[10, 10]).max() < 6  # the photo went as JPEG
    kept = """async () => { const { cutOut } = await import("/static/overlay.js");
        const photo = new Uint8ClampedArray(8).fill(9);
        const classes = [{ colour: [0, 0, 0] }, { colour: [0, 0, 1] }];
        cutOut(photo, { labels: [0, 1], confidence: [255, 255], classes },
            { least: 0, isShown: () => true });
        return [photo[3], photo[7]] }"""
    assert desktop.page.evaluate(kept) == [0, 9]


def test_on_a_phone_everything_fits_and_works(desktop: Visit) -> None:
    phone = desktop
    page = desktop.page
    page.set_viewport_size({"width": 390, "height": 844})
    phone.upload(halves())
    photo = page.get_by_alt_text("The picture", exact=True).bounding_box()
    assert photo["y"] >= 0  # the whole result is in view
    assert photo["y"] + photo["height"] <= 844
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("Opacity").fill("60")
    page.get_by_role("checkbox", name="triangle").uncheck()
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
    summary = desktop.page.get_by_text("Done in")
    page.get_by_role("button", name="Example: Shapes 1").click()
    summary.wait_for()
    assert not page.get_by_role("button", name="Example: Cat").is_visible()
    page.get_by_label("Model").select_option("animals")
    page.locator(".legend b", has_text="dog").wait_for()
    assert not page.get_by_role("button", name="Example: Shapes 1").is_visible()
    assert list(dict.fromkeys(site.models_run)) == ["colours", "animals"]
    decoded = "Uint8Array.from(atob(data), c => c.charCodeAt(0))"
    create_transfer = (
        f"const d = new DataTransfer(); d.items.add(new File([{decoded}], 'a.png', {{type: "
        f"'image/png'}}));"
    )
    data = base64.b64encode(png(halves()[:, 400:])).decode()
    for event in (
        "ClipboardEvent('paste', {clipboardData: d",
        "DragEvent('drop', {dataTransfer: d",
    ):
        page.evaluate(
            f"data => {{ {create_transfer} document.querySelector('#segment').dispatchEvent("
            f"new {event}, bubbles: true}})) }}",
            data,
        )
        page.get_by_text("1000 x 600 pixels").wait_for()
        page.get_by_role("button", name="Example: Cat").click()
        page.get_by_text("300 x 451 pixels").wait_for()
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
    before = site.read_metric("requests_total", "/page/segment")
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
    while site.read_metric("requests_total", "/page/segment") < before + 2:  # both have ended
        time.sleep(0.05)
    site.resume.set()
    while site.read_metric("held", "slow"):
        time.sleep(0.05)
    assert 0 < site.models_run.count("slow") < 16


def test_the_chosen_photo_is_shown_at_once_and_the_result_before_it_goes(
    desktop: Visit, site: Site
) -> None:
    page = desktop.page
    desktop.upload(halves())
    layer = page.locator("canvas[data-part=layer]")
    assert layer.is_visible()
    page.evaluate("document.querySelector('[data-part=model]').value = 'slow'")
    page.get_by_label("Choose a picture").set_input_files(
        {"name": "wide.png", "mimeType": "image/png", "buffer": png(halves()[:400])}
    )
    page.get_by_text(re.compile(r"Segmenting wide.png \.\.\. \d+")).wait_for()
    photo = page.get_by_alt_text("The picture", exact=True)
    assert photo.evaluate("i => [i.naturalWidth, i.naturalHeight]") == [1000, 400]
    assert not layer.is_visible()
    assert not page.get_by_role("button", name="Download mask").is_visible()
    site.resume.set()
    page.get_by_text("Done in").wait_for()
    assert layer.evaluate("c => [c.width, c.height]") == [1000, 400]
    assert layer.is_visible()


def test_the_progress_bar_moves_before_anything_is_done(desktop: Visit) -> None:
    moving = """() => { const bar = document.querySelector("#segment progress");
        bar.hidden = false; bar.removeAttribute("value");
        const name = getComputedStyle(bar).animationName; bar.hidden = true; return name }"""
    assert desktop.page.evaluate(moving) == "wander"


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
    site.resume.set()
    while site.read_metric("held", "slow"):
        time.sleep(0.05)
    assert 0 < site.models_run.count("slow") < 16
    page.evaluate("document.querySelector('[data-part=model]').value = 'colours'")
    desktop.upload(halves())


def test_errors_are_said_in_words_and_the_page_goes_on(desktop: Visit, tmp_path: Path) -> None:
    page = desktop.page
    alert = desktop.page.get_by_role("alert").filter(visible=True)
    (tmp_path / "text.png").write_bytes(b"no picture")
    Image.new("1", (10_100, 10_000)).save(tmp_path / "pixels.png")
    with (tmp_path / "bytes.png").open("wb") as file:
        file.truncate(SETTINGS.max_bytes + 1)
    for name, message in (
        ("text.png", "damaged or of another format than JPEG, PNG, WEBP"),
        ("pixels.png", "10000 x 10100 pixels"),
        ("bytes.png", "the file is too large: at most 3.8 MiB are allowed"),
    ):
        page.get_by_label("Choose a picture").set_input_files(tmp_path / name)
        alert.filter(has_text=message).wait_for()
        assert "Traceback" not in alert.inner_text()
    for model, message in (
        ("broken", "something went wrong"),
        ("wrong", "3 channels but 4"),
        ("colours", ""),
    ):
        page.get_by_label("Model").select_option(model)
        page.get_by_role("button", name="Example: Shapes 1").click()
        if message:
            alert.filter(has_text=message).wait_for()
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
    for _ in range(21):
        order.append(page.evaluate(focused))
        page.keyboard.press("Tab")
    expected = [
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
    places = [order.index(part) for part in expected]
    assert places == sorted(places)
    page.get_by_role("checkbox", name="square").focus()
    page.keyboard.press("Space")
    assert desktop.painted(900, 10)[3] == 0


def test_the_picker_offers_the_formats_that_the_server_reads(visit: Visit) -> None:
    settings = Settings(formats=("PNG", "TIFF", "GIF"))
    with run_server(create_app({"only": predictor_of()}, settings)) as port:
        tab = visit.page.context.new_page()
        tab.goto(f"http://127.0.0.1:{port}/")
        tab.get_by_text("PNG, TIFF, GIF; at most 20 MiB").wait_for()
        picker = tab.get_by_label("Choose a picture")
        assert picker.get_attribute("accept") == "image/png,image/tiff,image/gif"
        for kind in ("TIFF", "GIF"):  # no browser of these shows TIFF before the answer
            picker.set_input_files(
                {
                    "name": kind,
                    "mimeType": f"image/{kind.lower()}",
                    "buffer": file_of(halves()[:50, :60], kind),
                }
            )
            tab.get_by_text("50 x 60 pixels").wait_for()
            assert tab.locator("canvas[data-part=layer]").is_visible()
            tab.evaluate("document.querySelector('[data-part=status]').textContent = ''")
        tab.close()


def test_a_server_that_is_gone_is_said_in_words(visit: Visit) -> None:
    with run_server(create_app({"only": predictor_of()})) as port:
        tab = visit.page.context.new_page()
        tab.goto(f"http://127.0.0.1:{port}/")
        tab.get_by_role("button", name="Example: Cat").wait_for()
    tab.get_by_label("Choose a picture").set_input_files(
        {"name": "half.png", "mimeType": "image/png", "buffer": png(halves()[:50, :50])}
    )
    tab.get_by_role("alert").filter(has_text="the server cannot be reached").wait_for()
    tab.close()
