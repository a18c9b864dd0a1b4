"""Nothing above a limit is decoded, and nothing that a client sends is a fault of the server."""

import io
import struct
import zlib

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image, ImageFile

from pixelwise.errors import ConfigError
from pixelwise.serving import Settings, create_app

from .conftest import client_of, file_of, pixels, post, predictor_of


def code(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture(scope="module")
def strict() -> TestClient:
    limits = Settings(max_bytes=20_000, max_pixels=5000, max_side=200, formats=("PNG", "JPEG"))
    return client_of(create_app({"a": predictor_of()}, limits))


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", refuse)


@pytest.mark.usefixtures("no_decoding")
@pytest.mark.parametrize(
    ("data", "status", "name"),
    [
        (file_of(np.zeros((80, 80, 3), np.uint8)), 413, "too_many_pixels"),
        (file_of(np.zeros((201, 2, 3), np.uint8)), 413, "too_many_pixels"),
        (file_of(np.zeros((2, 201, 3), np.uint8)), 413, "too_many_pixels"),
        (file_of(pixels(100, 100)), 413, "too_many_bytes"),
        (file_of(pixels(8, 8), "BMP"), 415, "unknown_format"),
        (b"", 415, "unknown_format"),
        (b"no image at all", 415, "unknown_format"),
    ],
    ids=["pixels", "height", "width", "bytes", "format", "empty", "text"],
)
def test_what_is_above_a_limit_is_refused_before_decoding(
    strict, data: bytes, status: int, name: str
) -> None:
    assert code(post(strict, data)) == (status, name)


@pytest.mark.usefixtures("no_decoding")
def test_a_header_that_promises_a_gigapixel_is_refused_before_decoding(strict: TestClient) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0))
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + head
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )
    assert code(post(strict, bomb)) == (413, "too_many_pixels")


@pytest.mark.usefixtures("no_decoding")
def test_a_jpeg_of_more_passes_than_any_needs_is_refused_before_decoding(
    strict: TestClient,
) -> None:
    file = io.BytesIO()
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(file, format="JPEG", progressive=True)
    data = file.getvalue()
    last = data[data.rindex(b"\xff\xda") : -2]
    assert code(post(strict, data[:-2] + 500 * last + data[-2:])) == (413, "too_many_scans")


def test_at_the_limits_an_image_is_taken(strict: TestClient) -> None:
    assert post(strict, file_of(np.zeros((200, 25, 3), np.uint8))).status_code == 200


def test_a_truncated_image_and_a_stumbling_decoder_are_the_clients_fault(
    strict, monkeypatch
) -> None:
    assert code(post(strict, file_of(pixels(30, 30))[:-200])) == (422, "unreadable_image")

    def stumble(*_: object) -> None:
        raise IndexError("deep in a decoder")

    monkeypatch.setattr(ImageFile.ImageFile, "load", stumble)
    assert code(post(strict, file_of(pixels(30, 30)))) == (422, "unreadable_image")


def test_a_photo_turned_by_exif_comes_back_upright(strict: TestClient) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(pixels(20, 40)).save(file, format="JPEG", exif=exif)
    assert Image.open(io.BytesIO(post(strict, file.getvalue()).content)).size == (20, 40)


FORM = "multipart/form-data; boundary=e"
PART = b"--e\r\nContent-Disposition: form-data; name="


@pytest.mark.parametrize(
    ("kind", "body", "status", "name"),
    [
        ("multipart/form-data", b"x", 400, "bad_multipart"),
        (FORM, b"no boundary here", 400, "bad_multipart"),
        (FORM, PART + b'"image"\r\n\r\n', 422, "no_image"),  # cut short
        (FORM, PART + b'"a"; filename="\xff"\r\n\r\nx\r\n--e--\r\n', 422, "no_image"),
        (
            f"{FORM}; charset=nope",
            PART + b'"\xff"; filename="b"\r\n\r\nx\r\n--e--\r\n',
            422,
            "no_image",
        ),
        (FORM, b"", 422, "no_image"),
        (FORM, PART + b'"image"\r\n' + b"a: b\r\n" * 2000 + b"\r\n", 400, "bad_multipart"),
        (
            FORM,
            PART + b'"' + b"a" * 15_000 + b'"; filename="b"\r\n\r\nx\r\n--e--\r\n',
            400,
            "bad_multipart",
        ),
        ("image/png", b"x", 415, "not_multipart"),
        ("", b"", 415, "not_multipart"),
    ],
    ids=range(10),
)
def test_a_body_that_is_no_form_is_named(
    strict: TestClient, kind: str, body: bytes, status: int, name: str
) -> None:
    assert code(strict.post("/v1/segment", content=body, headers={"Content-Type": kind})) == (
        status,
        name,
    )


def refusal(answer) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


def test_two_files_and_other_names_of_the_field_are_told(strict: TestClient) -> None:
    image = file_of(pixels(8, 8))
    files = [("image", ("a.png", image)), ("image", ("b.png", image))]
    status, name, message = refusal(strict.post("/v1/segment", files=files))
    assert (status, name) == (400, "bad_multipart")
    assert message == "the form has 2 files: send one a request, in the field `image`"
    for field in ("file", "image[]", "picture"):
        status, name, message = refusal(strict.post("/v1/segment", files={field: image}))
        assert (status, name) == (422, "no_image")
        assert f"one in `{field}`: call it image" in message


@pytest.mark.parametrize(
    ("fields", "name", "message"),
    [
        ({"format": "json"}, "invalid_parameter", "/v1/segment?format=json"),
        ({"threshold": "0.8", "classes": "cat"}, "invalid_parameter", "?threshold=0.8"),
        ({"a b": "c&d"}, "invalid_parameter", "?a+b=c%26d"),
    ],
)
def test_parameters_in_the_form_are_led_to_the_query(
    strict: TestClient, fields: dict[str, str], name: str, message: str
) -> None:
    image = file_of(pixels(8, 8))
    answer = refusal(strict.post("/v1/segment", files={"image": image}, data=fields))
    assert answer[:2] == (422, name)
    assert "parameters stand in the query" in answer[2]
    assert message in answer[2]


@pytest.mark.parametrize("text", ["photo.jpg", "https://example.org/cat.jpg", "iVBORw0KGgo" * 100])
def test_text_in_place_of_the_file_is_told(strict: TestClient, text: str) -> None:
    answer = refusal(strict.post("/v1/segment", files={"image": (None, text)}))
    assert answer[:2] == (422, "no_image")
    assert "the field `image` holds text: send the file itself" in answer[2]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("multipart/form-data", "names no boundary: leave that header"),
        ("application/json", "the body is application/json: send the image as the field `image`"),
        (
            "application/x-www-form-urlencoded",
            "the body is application/x-www-form-urlencoded: send",
        ),
        ("", "the body has no Content-Type: send the image"),
    ],
)
def test_another_body_is_named_in_our_words(strict: TestClient, kind: str, message: str) -> None:
    answer = strict.post("/v1/segment", content=b"{}", headers={"Content-Type": kind})
    assert message in refusal(answer)[2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"queue": 0},
        {"deadline": float("nan")},
        {"max_pixels": 200_000_000},
        {"formats": ("PSD",)},
        {"token": "short"},
        {"allow_origins": ("*",)},
        {"allow_origins": ("example.org",)},
        {"allow_origins": ("https://example.org/",)},
        {"token": "ä" * 20},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        Settings(**wrong)


@pytest.mark.parametrize(
    ("limit", "text"),
    [(20 * 2**20, "20 MiB"), (4_000_000, "3.8 MiB"), (2**20, "1 MiB"), (20_000, "19.5 KiB")],
)
def test_the_limit_of_a_file_is_said_in_mib_and_never_rounded_up(limit: int, text: str) -> None:
    assert Settings(max_bytes=limit).describe_max_bytes() == text
