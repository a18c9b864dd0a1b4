from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pixelwise.style_transfer.config import D2L, D2L_SIZE, StyleConfig


@pytest.mark.parametrize(
    ("words", "config", "size"),
    [
        ([], StyleConfig(), None),
        (["--recipe", "d2l"], D2L, D2L_SIZE),
        (["--recipe", "book"], D2L, D2L_SIZE),
        (["--book"], D2L, D2L_SIZE),
        (["--steps", "3", "--set", "levels=1"], StyleConfig(steps=3, levels=1), None),
    ],
)
def test_the_recipe_sets_the_defaults(
    pixelwise: Any,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    config: StyleConfig,
    size: tuple[int, int] | None,
) -> None:
    calls: list[dict[str, Any]] = []

    def job(*_: Path, **options: Any) -> SimpleNamespace:
        calls.append(options)
        return SimpleNamespace(history=[], stopped=False)

    monkeypatch.setattr("pixelwise.style_transfer.stylize_image.stylize", job)
    assert pixelwise("stylize", "a.jpg", "b.jpg", "--out", "c.png", *words).returncode == 0
    assert (calls[0]["config"], calls[0].get("size")) == (config, size)


def test_an_unknown_recipe_is_refused(pixelwise: Any, refused: Any) -> None:
    result = pixelwise("stylize", "a.jpg", "b.jpg", "--out", "c.png", "--recipe", "d2")
    refused(result, "unknown recipe 'd2'", "did you mean 'd2l'")
