from pathlib import Path

import pytest

from pixelwise.inference import manifest as module
from pixelwise.inference.manifest import Manifest, read_manifest
from pixelwise.io.storage import Store


def row(image: str, state: str, reason: str = "") -> dict[str, object]:
    return {
        "image": image,
        "state": state,
        "mask": "",
        "reason": reason,
        "pixels": 1,
        "seconds": 0.1,
    }


def test_parts_are_written_on_the_way_and_the_last_row_of_an_image_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 2)
    store = Store(str(tmp_path))
    assert read_manifest(store) == {}
    first = Manifest(store)
    for number in range(3):
        first.add(row(f"{number}.png", "failed", 'odd, "quoted"\nname'))
    assert len(read_manifest(store)) == 2, "the third is not written yet: a killed driver loses it"
    first.flush()
    second = Manifest(store)
    second.add(row("1.png", "done"))
    second.flush()
    second.flush()
    found = read_manifest(store)
    assert {image: (one["state"], one["reason"]) for image, one in found.items()} == {
        "0.png": ("failed", 'odd, "quoted"\nname'),
        "1.png": ("done", ""),
        "2.png": ("failed", 'odd, "quoted"\nname'),
    }
    assert list(found)[-1] == "1.png", "the latest at the end"
    parts = sorted((tmp_path / "manifest").iterdir())
    assert len(parts) == 3
    assert list(read_manifest(store, since=parts[-1].stat().st_mtime_ns)) == ["1.png"]


def test_a_signed_address_leaves_no_signature(tmp_path: Path) -> None:
    manifest = Manifest(Store(str(tmp_path)))
    address = "https://host/a.jpg"
    signed = f"{address}?X-Amz-Signature=secret"
    manifest.add(
        {
            "image": signed,
            "state": "failed",
            "reason": f"{signed}: no such file (url='{address}?a/b&X=secret')",
        }
    )
    manifest.add({"image": "https://host/get?id=7", "state": "done", "pixels": 3})
    manifest.flush()
    found = read_manifest(Store(str(tmp_path)))
    assert found[address]["reason"] == f"{address}: no such file (url='{address}')"
    assert found["https://host/get?id=7"]["pixels"] == "3"
    assert not any("secret" in path.read_text() for path in tmp_path.rglob("*.csv"))
