import copy
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from pixelwise.models import timm_features


@cache
def _create_vgg(create: Callable[..., Any]) -> Any:
    return create("vgg11")


@pytest.fixture(autouse=True)
def vgg_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """timm makes VGG-11 with the hundred million weights of its classifier, a second each time,
    before it cuts them off: made once, and copied.
    """
    create = timm_features._create

    def create_or_copy(name: str, **options: Any) -> Any:
        if name == "vgg11" and not options:
            return copy.deepcopy(_create_vgg(create))
        return create(name, **options)

    monkeypatch.setattr(timm_features, "_create", create_or_copy)
