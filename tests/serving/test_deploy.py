"""The files in deploy/ speak of paths, options and extras that exist; no engine is needed to
know.
"""

import configparser
import re
import shlex
import tomllib
from pathlib import Path

import typer

from pixelwise.cli.main import app
from pixelwise.serving import Settings, create_app
from pixelwise.serving.middleware import PUBLIC_PATHS
from pixelwise.serving.params import SegmentParams

from .conftest import predictor_of

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMMAND = typer.main.get_command(app).commands["serve"]
VARIABLES = {str(option.envvar) for option in COMMAND.params if option.envvar}
OPTIONS = {name for option in COMMAND.params for name in option.opts}


def steps() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [
        tuple(line.split(maxsplit=1))
        for line in text.splitlines()
        if line.strip() and not line.startswith("#")
    ]


def test_every_option_has_an_environment_variable_of_its_name() -> None:
    for option in COMMAND.params:
        if option.name != "help":
            assert option.envvar == f"PIXELWISE_{option.name.upper()}"


def test_the_dockerfile_copies_files_that_exist_and_installs_extras_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    copied = [word for step, rest in steps() if step == "COPY" for word in rest.split()[:-1]]
    assert {"pyproject.toml", "src"} <= set(copied)
    assert all((ROOT / name).exists() for name in copied)
    assert project["readme"] in copied
    assert set(project["license-files"]) <= set(copied)
    (install,) = [rest for step, rest in steps() if step == "RUN"]
    extras = re.search(r"\.\[([\w,]+)\]", install)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
    lock = re.search(r"--constraint (\S+)", install)
    assert lock is not None
    assert lock[1] in copied


def test_the_container_runs_the_command_as_nobody_special_and_is_looked_after() -> None:
    instructions = dict(steps())
    assert instructions["ENTRYPOINT"] == '["pixelwise", "serve"]'
    assert instructions["USER"] == "pixelwise"
    order = [step for step, _ in steps()]
    assert order.index("USER") > order.index("RUN")
    assert {word.partition("=")[0] for word in instructions["ENV"].split()} <= VARIABLES
    path = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", instructions["HEALTHCHECK"])
    assert path is not None
    assert path[2] in PUBLIC_PATHS
    assert f"PIXELWISE_PORT={path[1]}" in instructions["ENV"]
    assert "TOKEN" not in instructions["ENV"]


def test_the_unit_gives_options_that_exist_and_time_to_finish() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / "pixelwise.service", encoding="utf-8")
    _, command, *words = shlex.split(unit["Service"]["ExecStart"])
    assert command == "serve"
    assert {word for word in words if word.startswith("--")} <= OPTIONS
    assert int(unit["Service"]["TimeoutStopSec"]) > Settings().deadline + 10
    named = re.findall(r"PIXELWISE_\w+", (DEPLOY / "pixelwise.service").read_text(encoding="utf-8"))
    assert set(named) <= VARIABLES


def test_nginx_lets_through_what_the_server_takes() -> None:
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    assert text.count("{") == text.count("}")
    body = re.search(r"client_max_body_size (\d+)m;", text)
    wait = re.search(r"proxy_read_timeout (\d+)s;", text)
    assert body is not None
    assert wait is not None
    assert int(body[1]) * 2**20 > Settings().max_bytes
    assert int(wait[1]) > Settings().deadline
    assert "proxy_pass http://127.0.0.1:8000;" in text


def test_the_documentation_names_options_parameters_and_paths_that_exist() -> None:
    text = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(--[a-z-]+)", text)) - {"--help"} <= OPTIONS
    assert set(re.findall(r"PIXELWISE_\w+", text)) <= VARIABLES
    assert set(re.findall(r"^\| `([a-z]+)` \|", text, re.MULTILINE)) == set(
        SegmentParams.model_fields
    )
    paths = set(create_app({"a": predictor_of()}).openapi()["paths"]) | {"/openapi.json", "/docs"}
    assert set(re.findall(r"`(?:GET |POST )?(/[\w./]+)`", text)) == paths
    for link in re.findall(r"\]\(\.\./([\w./]+)\)", text):
        assert (ROOT / link).is_file(), link
