"""The viewer of classes that overlap."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from .conftest import Visit


def test_layers_are_painted_over_each_other_and_told_apart(desktop: Visit) -> None:
    """Left red, in the middle red and blue, right blue; the last rows are black."""
    rgb = np.zeros((80, 120, 3), np.uint8)
    rgb[:60, :80, 0] = 255
    rgb[:60, 40:, 2] = 255
    page = desktop.page
    page.get_by_label("Model").select_option("layers")
    desktop.upload(rgb, "two.png")
    assert desktop.legend() == {"shirt": "50 %", "logo": "50 %"}
    assert page.get_by_role("radio", name="Confidence").is_hidden()
    assert desktop.painted(10, 10) == [200, 0, 0, 255]
    assert desktop.painted(60, 10) == [100, 0, 100, 255]  # both
    assert desktop.painted(60, 70) == [0, 0, 0, 0]
    page.get_by_role("checkbox", name="logo").uncheck()
    page.mouse.move(0, 0)
    assert desktop.painted(60, 10) == [200, 0, 0, 255]
    assert desktop.painted(110, 10) == [0, 0, 0, 0]
    page.get_by_role("checkbox", name="logo").check()
    box = page.locator("canvas[data-part=layer]").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    assert page.get_by_text("shirt 88 %, logo 88 %").is_visible()
    page.mouse.move(0, 0)
    page.get_by_label("Minimum confidence").fill("95")
    assert desktop.legend() == {"shirt": "0 %", "logo": "0 %"}
    page.get_by_label("Minimum confidence").fill("0")
    name, cutout = desktop.save("Download cut-out")
    assert name == "two_cutout.png"
    alpha = np.asarray(Image.open(io.BytesIO(cutout)))[..., 3]
    assert alpha.tolist() == np.where(rgb.any(2), 255, 0).tolist()
    downloads = []
    page.on("download", lambda one: downloads.append((one.suggested_filename, one.path())))
    with page.expect_download():
        page.get_by_role("button", name="Download mask").click()
    page.wait_for_timeout(300)
    assert sorted(name for name, _ in downloads) == ["two_logo.png", "two_shirt.png"]
    mask = np.asarray(Image.open(Path(dict(downloads)["two_logo.png"])))
    assert mask.tolist() == (255 * (rgb[..., 2] > 0)).tolist()
