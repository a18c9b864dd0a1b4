"""The tab Style."""

import io

import httpx
import numpy as np
from PIL import Image

from pixelwise.serving import create_app

from ..conftest import predictor_of, run_server
from .conftest import Site, Visit, halves, png


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
    site.resume.set()
    page.get_by_alt_text("The photo in the style of the painting").wait_for()
    with Image.open(io.BytesIO(desktop.save("Download picture")[1])) as styled:
        assert styled.size == (400, 300)
        assert abs(np.array(styled.getpixel((10, 10))) - (0, 255, 255)).max() < 8


def test_without_style_weights_there_is_no_tab_and_the_route_says_what_to_do(visit: Visit) -> None:
    with run_server(create_app({"only": predictor_of()})) as port:
        tab = visit.page.context.new_page()
        tab.goto(f"http://127.0.0.1:{port}/#style")
        tab.locator("main[aria-busy=false]").wait_for()
        assert tab.get_by_label("Choose a picture").is_visible()
        assert tab.get_by_role("tab").count() == 0  # none that can be seen
        assert not tab.get_by_label("Choose a photo").is_visible()
        tab.close()
        url = f"http://127.0.0.1:{port}/page/style?split=1&side=64"
        headers = {"Content-Type": "application/octet-stream"}
        answer = httpx.post(url, content=b"xx", headers=headers)
        assert answer.status_code == 422
        assert "--style-weights FILE" in answer.json()["error"]["message"]
