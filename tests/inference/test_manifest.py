import os
from pathlib import Path

import pytest

from pixelwise.errors import OutputError
from pixelwise.inference import manifest as module
from pixelwise.inference.manifest import Manifest, fingerprint_of, read_manifest
from pixelwise.io.storage import open_store


def row(image: str, state: str, reason: str = "") -> dict[str, object]:
    return {
        "image": image,
        "state": state,
        "mask": "",
        "reason": reason,
        "pixels": 1,
        "seconds": 0.1,
    }


def test_in_a_store_parts_are_written_on_the_way_and_the_last_row_of_an_image_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", 2)
    store = open_store(f"memory://{tmp_path}")
    assert read_manifest(store) == {}
    first = Manifest(store)
    for number in range(3):
        first.add(row(f"{number}.png", "failed", 'odd, "quoted"\nname'))
    assert len(read_manifest(store)) == 2, "the third is not written yet: a killed driver loses it"
    first.close()
    second = Manifest(store)
    second.add(row("1.png", "done"))
    second.flush()
    second.close()
    rows = read_manifest(store)
    assert {image: (one["state"], one["reason"]) for image, one in rows.items()} == {
        "0.png": ("failed", 'odd, "quoted"\nname'),
        "1.png": ("done", ""),
        "2.png": ("failed", 'odd, "quoted"\nname'),
    }
    assert list(rows)[-1] == "1.png", "the latest at the end"
    times = store.subfolder("manifest").times()
    assert len(times) == 3
    assert list(read_manifest(store, since=max(times.values()))) == ["1.png"]


def test_on_disk_a_row_is_written_at_once_and_one_that_a_crash_cut_counts_as_none(
    tmp_path: Path,
) -> None:
    store = open_store(tmp_path)
    manifest = Manifest(store)
    name = os.fsdecode(b"b\xe4.png")
    for image in ("a.png", name):
        manifest.add({**row(image, "done"), "bytes": 10, "modified": 20})
    rows = read_manifest(store)
    assert list(rows) == ["a.png", name], "also one that is no UTF-8"
    assert fingerprint_of(rows[name]) == (10, 20)
    manifest.close()
    (part,) = (tmp_path / "manifest").iterdir()
    whole = part.read_bytes()
    start_of_last_row = whole.rstrip().rfind(b"\n") + 1
    for length in range(start_of_last_row, len(whole)):
        part.write_bytes(whole[:length])
        assert list(read_manifest(store)) == ["a.png"]


def test_commands_that_write_at_once_have_parts_of_their_own(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    manifests = [Manifest(store) for _ in range(3)]
    for number in range(9):
        manifests[number % 3].add(row(f"{number}.png", "done"))
    for manifest in manifests:
        manifest.close()
    assert len(list((tmp_path / "manifest").iterdir())) == 3
    assert sorted(read_manifest(store)) == [f"{number}.png" for number in range(9)]


def test_records_of_earlier_versions_are_read_and_files_of_others_refused_by_name(
    tmp_path: Path,
) -> None:
    store = open_store(tmp_path)
    lines = '["a.png", "/in/a.jpg", 10, 20]\n["b.png", "/in/b.jpg", 11, 21]\n["c.png", "/in/c'
    store.write(".pixelwise-origins.jsonl", lines)
    columns = "image,state,mask,reason,pixels\n"
    store.write("manifest/2026.csv", columns + "/in/b.jpg,done,b.png,,5\n/in/d.jpg,failed,,x,5\n")
    rows = read_manifest(store)
    assert {image: (one["state"], one["mask"]) for image, one in rows.items()} == {
        "/in/a.jpg": ("done", "a.png"),
        "/in/b.jpg": ("done", "b.png"),
        "/in/d.jpg": ("failed", ""),
    }
    assert fingerprint_of(rows["/in/a.jpg"]) == (10, 20)
    assert fingerprint_of(rows["/in/b.jpg"]) is None, "the later record says nothing of the file"
    store.write("manifest/own.csv", "name,size\na,3\n")
    with pytest.raises(OutputError, match=r"own\.csv: is no manifest of masks.*name, size"):
        read_manifest(store)


def test_a_signed_address_leaves_no_signature(tmp_path: Path) -> None:
    manifest = Manifest(open_store(str(tmp_path)))
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
    manifest.close()
    found = read_manifest(open_store(str(tmp_path)))
    assert found[address]["reason"] == f"{address}: no such file (url='{address}')"
    assert found["https://host/get?id=7"]["pixels"] == "3"
    assert not any("secret" in path.read_text() for path in tmp_path.rglob("*.csv"))
