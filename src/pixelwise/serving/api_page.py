"""The page /docs: what the server answers, from its OpenAPI description, without any script."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from pixelwise.reports.render import STYLE, render_template

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Parameter:
    """One of the query, in words."""

    name: str
    allowed: str
    default: str
    description: str


@dataclass(frozen=True)
class Answer:
    """What a status means, or the media types that come with it."""

    status: str
    what: str


@dataclass(frozen=True)
class Route:
    """A path with all that a caller has to know."""

    method: str
    path: str
    description: str
    body: str
    parameters: tuple[Parameter, ...]
    answers: tuple[Answer, ...]


def add_api_page(app: FastAPI) -> None:
    """Serve the page at /docs, and its style."""

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        address = str(request.base_url).rstrip("/")
        page = render_template(
            "api.html.j2",
            title=f"{app.title} {app.version}: HTTP API",
            example=f'curl -F image=@photo.jpg "{address}/v1/segment?format=json"',
            routes=list(describe_routes(app.openapi())),
        )
        return HTMLResponse(page)

    @app.get("/docs.css", include_in_schema=False)
    async def style() -> Response:
        return Response(STYLE.read_text(encoding="utf-8"), media_type="text/css")


def describe_routes(description: Schema) -> Iterator[Route]:
    """The routes of an OpenAPI description."""
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield Route(
                method.upper(),
                path,
                operation.get("description", operation["summary"]),
                _describe_body(operation.get("requestBody", {})),
                tuple(map(_describe_parameter, operation.get("parameters", ()))),
                tuple(_describe_answers(operation["responses"])),
            )


def _describe_body(body: Schema) -> str:
    parts = []
    for media_type, content in body.get("content", {}).items():
        fields = content["schema"].get("properties", {})
        named = [f"{name}: {field.get('description', '')}" for name, field in fields.items()]
        parts.append(f"{media_type}, with {'; '.join(named)}")
    return "; ".join(parts)


def _describe_parameter(parameter: Schema) -> Parameter:
    schema = parameter["schema"]
    default = schema.get("default")
    return Parameter(
        parameter["name"],
        _describe_schema(schema),
        "" if default in (None, []) else str(default),
        parameter.get("description", ""),
    )


def _describe_schema(schema: Schema) -> str:
    """What a value may be, in words."""
    if "anyOf" in schema:
        kinds = [kind for kind in schema["anyOf"] if kind.get("type") != "null"]
        return " or ".join(map(_describe_schema, kinds))
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"{_describe_schema(schema['items'])}, once for each"
    if {"minimum", "maximum"} <= schema.keys():
        return f"{schema['minimum']:g} to {schema['maximum']:g}"
    return {"string": "text", "number": "a number", "integer": "a whole number"}.get(
        schema.get("type", ""), ""
    )


def _describe_answers(responses: Schema) -> Iterator[Answer]:
    for status, response in sorted(responses.items()):
        if status == str(HTTPStatus.OK.value):
            what = ", ".join(response.get("content", {})) or response["description"]
        else:
            what = HTTPStatus(int(status)).phrase
        yield Answer(status, what)
