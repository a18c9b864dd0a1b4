"""What the tests of pages share: their blocks, and how a command is run with less work."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelwise.cli.main import main
from pixelwise.serving.client import Client

ROOT = Path(__file__).parents[1]

# Guides whose commands need other data than `page_desk` has.
GUIDES = ("objects", "cutouts", "overlapping-classes", "few-labels", "folds", "bands", "label")

# The photos of the README's sessions show these, the test's data others.
OTHER_CLASSES = ("person",)
SAME_CLASSES = {
    "--largest person": "--largest circle",
    "=car,bus,truck": "=circle",
    "=pedestrian": "=square",
    "--drop sky": "--drop triangle",
}

QUICK = ["--epochs", "1", "--crop", "32", "32", "--precision", "float32"]
SMALL = ["--size", "64", "96", "--steps", "2", "--network", "tf_efficientnet_lite0"]
ADDRESS = re.compile("(?:serving|labelling).* on ([^;]+);")


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", read(page), re.DOTALL)


def commands(page: str) -> list[str]:
    lines = "\n".join(re.findall(r"```(?:sh|console)\n(.*?)```", read(page), re.DOTALL))
    return command_lines(lines)


def command_lines(text: str) -> list[str]:
    listed = re.findall(r"^(?:\$ )?(pixelwise .*)$", text, re.MULTILINE)
    outside = re.compile("hf://|pixelwise data ")  # tests reach no network
    return [line for line in listed if not outside.search(line)]


def pieces(page: str) -> Iterator[tuple[str, str]]:
    """What a reader types, in the order of the page: commands ("sh") and blocks of "python"."""
    for language, text in re.findall(r"```(sh|python)\n(.*?)```", read(page), re.DOTALL):
        if language == "python":
            yield language, text
        else:
            yield from ((language, line) for line in command_lines(text))


def shortened(page: str, line: str) -> list[str]:
    """The words of a command with the test's data and as little work as will do: a training whose
    run no other line names is only planned.
    """
    for theirs, ours in SAME_CLASSES.items():
        line = line.replace(theirs, ours)
    words = shlex.split(line)
    if "train" in words[1:2]:
        if "--minutes" in words:
            start = words.index("--minutes")
            del words[start : start + 2]
        run = words[words.index("--out") + 1] if "--out" in words else "nowhere"
        words += QUICK if read(page).count(run) > 1 else [*QUICK, "--preview"]
    return words + (SMALL if "stylize" in words else [])


def call(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code, shlex.join(words)


def first_words(lines: list[str]) -> set[str]:
    return {line.split()[0] for line in lines if line.strip()}


def run_python(page: str) -> None:
    code = "\n".join(blocks(page, "python")).replace(
        "epochs=2)", 'epochs=1, crop=(32, 32), precision="float32")'
    )
    exec(compile(code, page, "exec"), {})
    for name in re.findall(r'\.save\("(.+?)"\)', code):
        assert Path(name).is_file()


def ask_server(words: list[str]) -> None:
    state = start_and_ask([*words, "--runtime", "torch"], ask_for_labels)
    assert state == (96, 140)


def ask_for_labels(address: str) -> tuple[int, ...]:
    return Client(address).labels("photo.jpg").shape


def start_and_ask(words: list[str], ask: Callable[[str], Any]) -> Any:
    """What `ask` makes of the address that a server names, which then ends without an error."""
    command = [sys.executable, "-m", *words, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = next(filter(None, map(ADDRESS.match, process.stderr)))[1]
            answer = ask(address)
            process.terminate()
            process.stderr.read()
        finally:
            process.kill()
    assert process.returncode == 0
    return answer
