"""The page /docs."""

import re

from fastapi.testclient import TestClient

from pixelwise.serving import create_app
from pixelwise.serving.api_page import describe_routes
from pixelwise.serving.params import SegmentParams

from .conftest import predictor_of

APP = create_app({"a": predictor_of()})


def test_the_page_shows_every_route_parameter_and_status() -> None:
    with TestClient(APP, base_url="http://127.0.0.1:8000") as client:
        answer = client.get("/docs")
        style = client.get("/docs.css")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    page = answer.text
    for path, methods in APP.openapi()["paths"].items():
        for method, operation in methods.items():
            assert f"<code>{method.upper()} {path}</code>" in page
            for status in operation["responses"]:
                assert f'<th scope="row">{status}</th>' in page
    for name in SegmentParams.model_fields:
        assert f'<th scope="row">{name}</th>' in page
    assert "http://127.0.0.1:8000/v1/segment" in page


def test_the_page_needs_nothing_from_elsewhere_and_no_script() -> None:
    with TestClient(APP, base_url="http://localhost") as client:
        page = client.get("/docs").text
        targets = re.findall(r'(?:href|src)="([^"]+)"', page)
        assert "<script" not in page
        assert "<style" not in page  # which the policy of the server's pages forbids
        assert set(targets) == {"docs.css", "openapi.json", ".", "static/icon.svg"}
        for target in targets:
            assert client.get(f"/{target}").status_code == 200


def test_parameters_are_described_in_words() -> None:
    routes = {route.path: route for route in describe_routes(APP.openapi())}
    segment = routes["/v1/segment"]
    known = {parameter.name: parameter for parameter in segment.parameters}
    assert known["format"].allowed == "mask, overlay, confidence, json"
    assert known["threshold"].allowed == "0 to 1"
    assert known["classes"].allowed == "text, once for each"
    assert known["opacity"].default == "0.5"
    assert segment.body == "multipart/form-data, with image: An image file."
    answers = {answer.status: answer.what for answer in segment.answers}
    assert answers["200"] == "image/png, image/jpeg, application/json"
    assert answers["415"] == "Unsupported Media Type"
