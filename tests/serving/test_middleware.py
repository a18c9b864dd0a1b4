"""Token, headers and logs."""

import base64
import json
import logging

import pytest
from fastapi.testclient import TestClient

from pixelwise.serving import Settings, create_app
from pixelwise.serving.middleware import JsonLines

from .conftest import client_of, file_of, pixels, post, predictor_of

TOKEN = "a-long-random-token"


@pytest.fixture(scope="module")
def guarded() -> TestClient:
    return client_of(create_app({"a": predictor_of()}, Settings(token=TOKEN)))


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer",
        "Bearer wrong",
        f"Bearer {TOKEN}x",
        TOKEN,
        "Basic !",
        basic(TOKEN),
        basic("a:b"),
        "Bearer ä",
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/openapi.json", "/", "/nowhere"])
def test_without_the_token_nothing_is_told(guarded: TestClient, path: str, shown: str) -> None:
    answer = guarded.get(path, headers={"Authorization": shown.encode()})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "no_token"
    assert "Bearer" in answer.headers["www-authenticate"]


@pytest.mark.parametrize("shown", [f"Bearer {TOKEN}", f"bearer  {TOKEN}", basic(f"me:{TOKEN}")])
def test_the_token_opens(guarded: TestClient, shown: str) -> None:
    assert guarded.get("/v1/models", headers={"Authorization": shown}).status_code == 200


def test_health_needs_no_token(guarded: TestClient) -> None:
    assert guarded.get("/healthz").status_code == guarded.get("/readyz").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/nowhere", "/v1/segment"])
def test_every_answer_has_strict_headers_and_none_allows_other_origins(
    guarded: TestClient, path: str
) -> None:
    answer = guarded.get(
        path, headers={"Origin": "http://evil.example", "Authorization": f"Bearer {TOKEN}"}
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "access-control-allow-origin" not in answer.headers


def test_a_request_is_one_line_of_json_without_its_content(guarded: TestClient, caplog) -> None:
    with caplog.at_level(logging.INFO, "pixelwise.serving"):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        files = {"image": ("my-face.png", file_of(pixels()))}
        guarded.post("/v1/segment?model=a", files=files, headers=headers)
    (record,) = [record for record in caplog.records if record.name == "pixelwise.serving"]
    line = JsonLines().format(record)
    assert "\n" not in line
    assert "my-face" not in line
    assert TOKEN not in line
    fields = json.loads(line)
    assert (fields["method"], fields["route"], fields["status"]) == ("POST", "/v1/segment", 200)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "192.168.1.5",
        "[::2]:80",
        "[",
        "",
        "localhost.evil.example",
    ],
)
def test_without_a_token_no_other_name_leads_here(host: str) -> None:
    """A page whose name is made to lead to this machine (DNS rebinding) is of the same origin as
    the answer.
    """
    client = client_of(create_app({"a": predictor_of()}))
    for path in ("/v1/models", "/", "/metrics"):
        answer = client.get(path, headers={"Host": host})
        assert (answer.status_code, answer.json()["error"]["code"]) == (421, "other_host")
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:80", "[::1]:8000"])
def test_the_own_machines_names_do_and_with_a_token_all(guarded: TestClient, host: str) -> None:
    assert (
        client_of(create_app({"a": predictor_of()}))
        .get("/v1/models", headers={"Host": host})
        .status_code
        == 200
    )
    shown = {"Host": "segment.example.org", "Authorization": f"Bearer {TOKEN}"}
    assert guarded.get("/v1/models", headers=shown).status_code == 200


@pytest.mark.parametrize(
    ("site", "status"),
    [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)],
)
def test_pages_of_other_origins_may_not_spend_the_models_time(
    guarded: TestClient, site: str, status: int
) -> None:
    headers = {"Sec-Fetch-Site": site, "Authorization": f"Bearer {TOKEN}"}
    assert (
        guarded.post("/v1/segment", files={"image": file_of(pixels())}, headers=headers).status_code
        == status
    )


def test_pages_of_allowed_origins_send_requests_and_read_answers() -> None:
    origin = "https://example.org"
    settings = Settings(token=TOKEN, allow_origins=(origin,))
    client = client_of(create_app({"a": predictor_of()}, settings))
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = client.options("/v1/segment", headers={"Origin": origin, **asked})
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == origin
    cross = {"Sec-Fetch-Site": "cross-site", "Authorization": f"Bearer {TOKEN}"}
    files = {"image": file_of(pixels())}
    answer = client.post("/v1/segment", files=files, headers={**cross, "Origin": origin})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    other = {"Origin": "https://evil.example"}
    refused = client.post("/v1/segment", files=files, headers=cross | other)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers
    # what is refused can be read by the page that asked
    unauthorised = client.get("/v1/models", headers={"Origin": origin})
    assert unauthorised.status_code == 401
    assert unauthorised.headers["access-control-allow-origin"] == origin


def test_paths_that_clients_make_up_share_one_counter() -> None:
    client = client_of(create_app({"a": predictor_of()}))
    for number in range(5):
        client.get(f"/made-up-{number}")
    assert 'pixelwise_requests_total{route="other",status="404"} 5.0' in client.get("/metrics").text


def test_the_page_may_keep_what_it_needs_and_the_rest_nothing(guarded: TestClient) -> None:
    assert (
        post(guarded, b"").headers["content-security-policy"]
        == "default-src 'none'; frame-ancestors 'none'"
    )
