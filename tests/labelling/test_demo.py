from pathlib import Path
from typing import Any

import pytest

from pixelwise.errors import OutputError
from pixelwise.labelling import demo


def test_the_demo_opens_the_page_on_pictures_of_its_own_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(demo, "label", lambda photos, **options: calls.append(options))
    demo.label_demo(tmp_path / "demo")
    names = [path.name for path in sorted((tmp_path / "demo/photos").iterdir())]
    assert names[:2] == ["grace_hopper.png", "shapes_1.png"]
    assert calls[0]["options"].classes == "background,shape,person"
    (tmp_path / "demo/labels").mkdir()
    demo.label_demo(tmp_path / "demo")
    assert calls[1]["options"].classes is None


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match="holds something else"):
        demo.label_demo(tmp_path)
