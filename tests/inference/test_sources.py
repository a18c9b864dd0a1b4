import csv
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pixelwise.errors import DataError, ImageError
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.result_names import result_names
from pixelwise.inference.sources import UNKNOWN, find_sources, read_pixel_counts
from pixelwise.io.storage import fetch, open_store

pytest.importorskip("fsspec", reason="the extra cluster is not installed")
parquet = pytest.importorskip("pyarrow.parquet", reason="the extra cluster is not installed")


def test_folders_patterns_and_lists_in_a_store_name_the_images_in_it(s3: str, images: Path) -> None:
    root = f"{s3}/sources"
    store = open_store(root)
    store.take(sorted(images.iterdir()))
    store.write("notes.md", "no image")
    store.write("list.txt", "# two\n03.png\n\ns3://elsewhere/x.png\n")
    everything = [f"{root}/{number:02}.png" for number in range(12)]
    assert list(find_sources([root])) == list(find_sources([f"{root}/"])) == everything
    assert list(find_sources([f"{root}/0*.png"])) == everything[:10]
    assert list(find_sources([f"{root}/list.txt"])) == [everything[3], "s3://elsewhere/x.png"]
    assert list(find_sources([f"{root}/07.png", root])) == [
        everything[7],
        *everything[:7],
        *everything[8:],
    ], "once each"
    assert read_pixel_counts([everything[0], everything[11], f"{root}/absent.png"]) == [
        20 * 30,
        31 * 30,
        UNKNOWN,
    ]
    for empty in (f"{s3}/nothing", f"{root}/*.jpg"):
        with pytest.raises(DataError, match="no images in"):
            find_sources([empty])


def test_images_on_a_web_server_are_weighed_and_fetched(images: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason="the extra cluster is not installed")
    handler = partial(SimpleHTTPRequestHandler, directory=images)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        there, absent = (
            f"http://127.0.0.1:{web.server_port}/{name}.png" for name in ("07", "absent")
        )
        assert find_sources([there]) == {there: None}
        assert read_pixel_counts([there, absent]) == [27 * 30, UNKNOWN]
        assert fetch(there, tmp_path).read_bytes() == (images / "07.png").read_bytes()
        with pytest.raises(ImageError, match=r"absent\.png: no such file"):
            fetch(absent, tmp_path)
        signed = f"{there}?X-Amz-Expires=3600&X-Amz-Credential=a/b.c&X-Amz-Signature={'5' * 300}"
        assert find_sources([signed]) == {signed: None}
        found = fetch(signed, tmp_path)
        assert (found.name, found.read_bytes()) == ("07.png", (images / "07.png").read_bytes())
        assert result_names(signed, PredictOptions())[0] == ["07.png"]
        assert result_names("https://host/get?id=7.1", PredictOptions())[0] == ["get?id=7.png"], (
            "what follows is its name"
        )
        web.shutdown()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_names_images_beside_itself_with_their_pixels(
    kind: str, images: Path, tmp_path: Path
) -> None:
    rows = {
        "id": [1, 2],
        "path": ["in/00.png", str(images / "01.png")],
        "height": [20, 21],
        "width": [30, 30],
    }
    path = tmp_path / f"table.{kind}"
    if kind == "csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([list(rows), *zip(*rows.values(), strict=True)])
    else:
        parquet.write_table(parquet.read_table.__globals__["pa"].table(rows), path)
    assert find_sources([str(path)]) == {str(images / "00.png"): 600, str(images / "01.png"): 630}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,size\na.png,3\n", "has the columns name, size; name images in one called image"),
        ("image,height,width\na.png,3,\n", "height and width must be whole numbers"),
        ("", "has the columns"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        find_sources([str(tmp_path / "t.csv")])


def test_a_table_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR?")
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read as a table"):
        find_sources([str(tmp_path / "t.parquet")])
    with pytest.raises(DataError, match=r"absent\.csv: cannot be read as a table"):
        find_sources([str(tmp_path / "absent.csv")])


def test_a_list_on_disk_may_name_what_is_in_stores(images: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(
        f"# two\n{images / '03.png'}\nnear.png\ns3://elsewhere/x.png\n"
    )
    expected = [str(images / "03.png"), str(tmp_path / "near.png"), "s3://elsewhere/x.png"]
    assert list(find_sources([str(tmp_path / "list.txt")])) == expected
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"list\.txt: cannot be read as a list of images"):
        find_sources([str(tmp_path / "list.txt")])
