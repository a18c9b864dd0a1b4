import json
import resource
import signal
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.shutil import copy
from rasterio.transform import from_origin
from scipy import ndimage
from typer.testing import CliRunner

from pixelwise.classes import Classes
from pixelwise.cli.main import app
from pixelwise.errors import ConfigError, ImageError, OutputError
from pixelwise.inference import predict_raster as predict_raster_module
from pixelwise.inference import raster
from pixelwise.inference.outputs import Recipe
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predict_options import SCORES, PredictOptions
from pixelwise.inference.predict_raster import (
    DEFAULT_MAX_MEMORY,
    MIN_TILE_HEIGHT,
    RasterSummary,
    fit_plan_to_memory,
    predict_raster,
)
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.raster import open_raster, reads_by_window
from pixelwise.inference.tiling import WEIGHTS, TilePlan, stream
from pixelwise.io.images import pixel_count
from pixelwise.models.checkpoint import Header, save_model
from pixelwise.models.config import ModelConfig
from pixelwise.models.picture_sizes import PictureSizes
from pixelwise.models.registry import build_segmenter
from pixelwise.progress import Progress

CLASSES = Classes.named(("a", "b", "c"))


def blurred(rgb: np.ndarray) -> np.ndarray:
    """A runner whose logits depend on the neighbourhood, so that tiles disagree where they
    overlap.
    """
    return torch.nn.functional.avg_pool2d(
        torch.tensor(rgb).float() / 50, 9, stride=1, padding=4
    ).numpy()


def write(path: Path, rgb: np.ndarray, **profile: object) -> Path:
    bands = rgb.transpose(2, 0, 1) if rgb.ndim == 3 else rgb[None]
    shape = {
        "height": bands.shape[1],
        "width": bands.shape[2],
        "count": len(bands),
        "dtype": bands.dtype,
    }
    where = {"crs": CRS.from_epsg(32633), "transform": from_origin(500000, 4600000, 0.5, 0.5)}
    with rasterio.open(path, "w", driver="GTiff", **shape, **{**where, **profile}) as target:
        target.write(bands)
    return path


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    rough = np.random.default_rng(seed).integers(
        0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8
    )
    return np.asarray(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC))


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 200),
    st.integers(1, 200),
    st.sampled_from([32, 48, 64]),
    st.sampled_from([32, 80]),
    st.sampled_from([0.0, 0.25, 0.6]),
    st.sampled_from(WEIGHTS),
)
def test_pieces_are_the_weighted_mean_of_all_tiles(
    height: int, width: int, tile_height: int, tile_width: int, overlap: float, weights: str
) -> None:
    plan = TilePlan(height, width, (tile_height, tile_width), overlap, weights)
    rgb = picture(height, width)
    h, w = plan.size
    total = np.zeros((3, height, width))
    weight = np.zeros((height, width))
    tile_weight = plan.profile(h)[:, None] * plan.profile(w)
    for top in plan.rows:
        for left in plan.columns:
            tile = rgb[top : top + h, left : left + w].transpose(2, 0, 1)[None]
            total[:, top : top + h, left : left + w] += blurred(tile)[0] * tile_weight
            weight[top : top + h, left : left + w] += tile_weight
    found = np.full((3, height, width), np.nan)
    for top, left, piece in stream(blurred, rgb, plan):
        found[:, top : top + piece.shape[1], left : left + piece.shape[2]] = piece
    assert np.allclose(found, total / weight, atol=1e-4)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_raster_gets_the_mask_of_the_same_picture_in_memory(tmp_path: Path, weights: str) -> None:
    rgb = picture(150, 210)
    predictor = Predictor(blurred, CLASSES, tile=(64, 96), overlap=0.3, weights=weights)
    done = predict_raster(
        predictor,
        write(tmp_path / "a.tif", rgb),
        tmp_path / "out",
        choices=PredictOptions(confidence=True),
    )
    expected = predictor.predict(rgb)
    with rasterio.open(done) as mask:
        assert np.array_equal(mask.read(1), expected.labels)
        assert mask.crs == CRS.from_epsg(32633)
        assert mask.transform == from_origin(500000, 4600000, 0.5, 0.5)
        assert mask.nodata == 255
        assert mask.colormap(1)[1] == (*CLASSES.palette[1], 255)
        assert mask.profile["tiled"]
        assert mask.profile["compress"] == "deflate"
    with rasterio.open(tmp_path / "out/a_confidence.tif") as sure:
        assert np.abs(sure.read(1) / 255 - expected.confidence).max() < 0.01


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 150),
    st.integers(1, 150),
    st.sampled_from([32, 64]),
    st.sampled_from([32, 48]),
    st.sampled_from([0.0, 0.25, 0.6]),
    st.sampled_from(WEIGHTS),
)
def test_a_raster_read_by_window_has_exactly_the_labels_of_memory(
    tmp_path_factory: pytest.TempPathFactory,
    height: int,
    width: int,
    tile_height: int,
    tile_width: int,
    overlap: float,
    weights: str,
) -> None:
    folder = tmp_path_factory.mktemp("exact")
    rgb = picture(height, width)
    predictor = Predictor(
        blurred, CLASSES, tile=(tile_height, tile_width), overlap=overlap, weights=weights
    )
    with rasterio.open(
        predict_raster(predictor, write(folder / "a.tif", rgb), folder / "out")
    ) as mask:
        assert np.array_equal(mask.read(1), predictor.predict(rgb).labels)


def test_gdal_finds_the_names_of_the_classes(tmp_path: Path) -> None:
    classes = Classes.named(("field & way", "H\u00e4user", "<road>"))
    predictor = Predictor(blurred, classes)
    mask = predict_raster(predictor, write(tmp_path / "a.tif", picture(40, 40)), tmp_path / "out")
    copy(mask, tmp_path / "a.vrt", driver="VRT")
    categories = ElementTree.parse(tmp_path / "a.vrt").getroot().find(".//CategoryNames")
    assert [category.text for category in categories] == list(classes.names)


def test_nodata_stays_void_and_its_tiles_are_left_out(tmp_path: Path) -> None:
    rgb = picture(128, 160).clip(1, 255)
    rgb[:70, :90] = 0
    calls: list[int] = []

    def counted(tiles: np.ndarray) -> np.ndarray:
        calls.append(len(tiles))
        return blurred(tiles)

    predictor = Predictor(counted, CLASSES, tile=(32, 32), overlap=0.0)
    done = predict_raster(predictor, write(tmp_path / "a.tif", rgb, nodata=0), tmp_path / "out")
    with rasterio.open(done) as mask:
        labels = mask.read(1)
    assert (labels[:70, :90] == 255).all()
    assert (labels[70:] < 3).all()
    assert (labels[:, 90:] < 3).all()
    assert sum(calls) == 4 * 5 - 2 * 2  # of 20 tiles 4 have no data at all
    assert (labels == 255).sum() == 70 * 90


def test_a_raster_of_nothing_but_nodata_is_all_void(tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", np.zeros((80, 80, 3), np.uint8), nodata=0)
    done = predict_raster(Predictor(blurred, CLASSES, tile=(32, 32)), source, tmp_path / "out")
    with rasterio.open(done) as mask:
        assert (mask.read(1) == 255).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (20, 20)])
def test_rasters_smaller_than_a_tile(tmp_path: Path, shape: tuple[int, int]) -> None:
    rgb = picture(*shape)
    predictor = Predictor(blurred, CLASSES, tile=(64, 64))
    done = predict_raster(predictor, write(tmp_path / "a.tif", rgb), tmp_path / "out")
    with rasterio.open(done) as mask:
        assert np.array_equal(mask.read(1), predictor.predict(rgb).labels)


def test_rasters_that_cannot_be_are_refused_by_name(tmp_path: Path) -> None:
    two = write(tmp_path / "two.tif", np.zeros((40, 40, 2), np.uint8))
    deep = write(tmp_path / "deep.tif", np.zeros((40, 40, 3), np.float32))
    whole = write(
        tmp_path / "whole.tif",
        np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8),
    )
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole.read_bytes()[:200_000])
    predictor = Predictor(blurred, CLASSES, tile=(64, 64))
    for path, reason in (
        (two, "has 2 bands"),
        (deep, "holds float32"),
        (cut, "cut.tif"),
        (tmp_path / "no.tif", "no.tif"),
    ):
        with pytest.raises(ImageError, match=reason):
            predict_raster(predictor, path, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))  # nothing half is left


@pytest.mark.parametrize("allowed", [4_000, 60_000])
def test_a_full_disk_leaves_no_mask(tmp_path: Path, allowed: int) -> None:
    """At 4 kB GDAL fails only when it closes the file, and says nothing; at 60 kB in the middle."""
    rough = np.random.default_rng(0).integers(0, 256, (1100, 600, 3), dtype=np.uint8)
    source = write(tmp_path / "a.tif", rough if allowed > 4_000 else rough[:300, :300])
    predictor = Predictor(lambda rgb: rgb.astype(np.float32), CLASSES, tile=(64, 64))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signals = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, before[1]))
        with pytest.raises(OutputError, match="cannot write"):
            predict_raster(predictor, source, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signals)
    assert not list((tmp_path / "out").glob("*"))


def test_without_coordinate_system_the_mask_has_none(tmp_path: Path) -> None:
    rgb = picture(70, 70)
    Image.fromarray(rgb).save(tmp_path / "plain.png")
    done = predict_raster(Predictor(blurred, CLASSES), tmp_path / "plain.png", tmp_path / "out")
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(done) as mask:
        assert mask.crs is None


def test_tiles_become_lower_until_the_sums_fit() -> None:
    plan = TilePlan(20_000, 20_000, (1024, 1024), 0.25)
    assert fit_plan_to_memory(plan, 3, None) == plan
    assert fit_plan_to_memory(plan, 21, None).memory(21) <= DEFAULT_MAX_MEMORY < plan.memory(21)
    assert (
        fit_plan_to_memory(TilePlan(100_000, 100_000, (1024, 1024), 0.25), 150, None).size[0]
        == MIN_TILE_HEIGHT
    )
    fitted = fit_plan_to_memory(plan, 21, 700 * 2**20)
    assert fitted.memory(21) <= 700 * 2**20 < plan.memory(21)
    assert fitted.size[0] < 1024
    with pytest.raises(ConfigError, match="allow more with --max-memory"):
        fit_plan_to_memory(plan, 21, 50 * 2**20)


def by_window(path: Path) -> bool:
    return reads_by_window(path, pixel_count(path))


def test_a_picture_beside_a_world_file_or_in_a_format_of_gdal_alone_is_read_by_window(
    tmp_path: Path,
) -> None:
    for name in ("a.jpg", "b.jpg"):
        Image.fromarray(picture(40, 40)).save(tmp_path / name)
    (tmp_path / "a.jgw").write_text("0.5\n0\n0\n-0.5\n500000\n4600000\n")
    raster.quiet_rasterio()
    profile = {"driver": "HFA", "height": 40, "width": 40, "count": 3, "dtype": "uint8"}
    with rasterio.open(tmp_path / "c.img", "w", **profile) as target:
        target.write(picture(40, 40).transpose(2, 0, 1))
    assert [by_window(tmp_path / name) for name in ("a.jpg", "b.jpg", "c.img")] == [
        True,
        False,
        True,
    ]
    with rasterio.open(
        predict_raster(Predictor(blurred, CLASSES), tmp_path / "a.jpg", tmp_path / "out")
    ) as mask:
        assert mask.transform == from_origin(
            499999.75, 4600000.25, 0.5, 0.5
        )  # a world file names a pixel's middle


def test_ground_control_points_are_kept(tmp_path: Path) -> None:
    points = [
        GroundControlPoint(row, column, 5e5 + column, 4.6e6 - row)
        for row, column in ((0, 0), (0, 40), (40, 0))
    ]
    where = {"crs": CRS.from_epsg(32633), "transform": None, "gcps": points}
    source = write(tmp_path / "a.tif", picture(40, 40), **where)
    assert by_window(source)
    with rasterio.open(
        predict_raster(Predictor(blurred, CLASSES), source, tmp_path / "out")
    ) as mask:
        kept, system = mask.gcps
    assert system == CRS.from_epsg(32633)
    assert [(p.row, p.col, p.x, p.y) for p in kept] == [(p.row, p.col, p.x, p.y) for p in points]


def test_what_no_network_takes_is_said_also_without_a_georeference(tmp_path: Path) -> None:
    bands = np.zeros((5, 40, 40), "uint8")
    shape = {"height": 40, "width": 40, "count": len(bands), "dtype": bands.dtype}
    raster.quiet_rasterio()
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", **shape) as target:
        target.write(bands)
    done = predict_files(Predictor(blurred, CLASSES), [tmp_path / "a.tif"], tmp_path / "out")
    assert "has 5 bands" in done.failed[0][1]


def test_rasters_are_averaged_with_their_mirror_as_pictures_are(tmp_path: Path) -> None:
    def lopsided(rgb: np.ndarray) -> np.ndarray:
        slope = np.arange(rgb.shape[-1]) / 40 * np.array([1.0, 0, -1]).reshape(3, 1, 1)
        return blurred(rgb) + slope.astype(np.float32)

    rgb = picture(90, 130)
    predictor = Predictor(lopsided, CLASSES, tile=(64, 64))
    done = predict_raster(
        predictor,
        write(tmp_path / "a.tif", rgb),
        tmp_path / "out",
        choices=PredictOptions(tta=True),
    )
    with rasterio.open(done) as mask:
        assert np.array_equal(mask.read(1), predictor.predict(rgb, tta=True).labels)
    assert not np.array_equal(
        predictor.predict(rgb).labels, predictor.predict(rgb, tta=True).labels
    )


def test_the_command_labels_rasters_among_other_images(tmp_path: Path) -> None:
    config = ModelConfig("fcn32s", "resnet18", 3)
    save_model(tmp_path / "m.safetensors", build_segmenter(config), Header(config, CLASSES))
    (tmp_path / "in").mkdir()
    write(tmp_path / "in/map.tif", picture(90, 120))
    Image.fromarray(picture(50, 60)).save(tmp_path / "in/photo.png")
    words = [
        "predict",
        str(tmp_path / "m.safetensors"),
        str(tmp_path / "in"),
        "--out",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(app, [*words, "--tile", "64", "64", "--max-memory", "100"])
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in (tmp_path / "out").glob("[!.]*")) == [
        "manifest",
        "map.qml",
        "map.tif",
        "map.tif.aux.xml",
        "photo.png",
    ]
    assert "2 existed already" in CliRunner().invoke(app, [*words, "--tile", "64", "64"]).output


def test_scores_of_a_raster_are_those_of_the_picture_in_half_precision(tmp_path: Path) -> None:
    rgb = picture(150, 130).clip(1, 255)
    rgb[:40, :50] = 0
    predictor = Predictor(blurred, CLASSES, tile=(64, 64))
    source = write(tmp_path / "a.tif", rgb, nodata=0)
    for kind in SCORES:
        predict_raster(predictor, source, tmp_path / "out", choices=PredictOptions(extras=(kind,)))
        expected = predictor.predict(rgb, scores=kind).scores[kind].astype(np.float32)
        with rasterio.open(tmp_path / f"out/a_{kind}.tif") as found:
            bands = found.read()
            assert found.crs == CRS.from_epsg(32633)
        assert np.isnan(bands[:, :40, :50]).all()
        np.testing.assert_allclose(bands[:, 40:], expected[:, 40:], rtol=2e-3, atol=1e-6)


def test_blocks_are_compressed_once(tmp_path: Path) -> None:
    """GDAL leaves the older copies of a block in the file when it is written in parts."""
    rng = np.random.default_rng(0)
    source = write(tmp_path / "a.tif", rng.integers(0, 256, (1100, 700, 3), dtype=np.uint8))
    predictor = Predictor(lambda rgb: rgb.astype(np.float32) / 50, CLASSES, tile=(96, 96))
    predict_raster(predictor, source, tmp_path / "out", choices=PredictOptions(confidence=True))
    assert (tmp_path / "out/a_confidence.tif").stat().st_size < 1536 * 1024  # 3 x 2 blocks


def test_small_regions_of_a_raster_go_where_its_labels_fit_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rgb = picture(120, 140)
    predictor = Predictor(blurred, CLASSES, tile=(64, 64))
    source = write(tmp_path / "a.tif", rgb)
    plain = predictor.predict(rgb).labels
    for wanted in (
        {"smallest": 60},
        {"largest": CLASSES.names[:1]},
        {"largest": CLASSES.names[1:], "smallest": 9},
    ):
        expected = predictor.predict(rgb, **wanted)
        always = predictor.always(largest=wanted.get("largest", ()))
        for one, more in (predictor, wanted), (always, {**wanted, "largest": ()}):
            done = predict_raster(
                one, source, tmp_path / "out", choices=PredictOptions(confidence=True, **more)
            )
            with rasterio.open(done) as mask:
                assert np.array_equal(mask.read(1), expected.labels)
                assert not np.array_equal(mask.read(1), plain)
            with rasterio.open(tmp_path / "out/a_confidence.tif") as sure:
                np.testing.assert_allclose(sure.read(1), expected.confidence * 255, atol=0.51)
    monkeypatch.setattr(predict_raster_module, "MAX_PIXELS", 1000)
    for wanted in {"smallest": 60}, {"largest": CLASSES.names[:1]}:
        with pytest.raises(ConfigError, match="leave out --smallest-area and --largest"):
            predict_raster(predictor, source, tmp_path / "none", choices=PredictOptions(**wanted))
    assert not (tmp_path / "none").exists()


def test_the_largest_region_alone_stays_beside_a_corner_without_data(tmp_path: Path) -> None:
    rgb = picture(120, 140)
    predictor = Predictor(blurred, CLASSES, tile=(64, 64))
    rgb = rgb.copy()
    rgb[:80, :80] = 0
    source = write(tmp_path / "a.tif", rgb, nodata=0)
    done = predict_raster(
        predictor, source, tmp_path / "out", choices=PredictOptions(largest=CLASSES.names[:1])
    )
    with rasterio.open(done) as mask:
        labels = mask.read(1)
    assert (labels[:64, :64] == 255).all()
    assert ndimage.label(labels == 0)[1] == 1


def test_a_large_photo_that_lies_on_its_side_is_not_labelled_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raster, "MAX_PIXELS", 1000)
    exif = Image.Exif()
    for turned, name in (1, "upright.jpg"), (6, "lying.jpg"):
        exif[0x0112] = turned
        Image.fromarray(picture(60, 80)).save(tmp_path / name, exif=exif)
        assert by_window(tmp_path / name)
    predict_raster(Predictor(blurred, CLASSES), tmp_path / "upright.jpg", tmp_path / "out")
    with pytest.raises(
        ImageError, match=r"lying\.jpg: lies on its side .*orientation 6.*auto-orient"
    ):
        predict_raster(Predictor(blurred, CLASSES), tmp_path / "lying.jpg", tmp_path / "out")


def test_a_raster_with_a_place_but_no_coordinate_system_keeps_the_place(tmp_path: Path) -> None:
    source = write(tmp_path / "a.tif", picture(70, 70), crs=None)
    assert by_window(source)
    done = predict_raster(Predictor(blurred, CLASSES), source, tmp_path / "out")
    with rasterio.open(done) as mask:
        assert mask.crs is None
        assert mask.transform == from_origin(500000, 4600000, 0.5, 0.5)


def test_a_picture_whose_header_promises_more_than_the_file_holds_is_named(tmp_path: Path) -> None:
    """50,000 x 50,000 pixels in 200 bytes, and a TIFF cut in the middle: the photo beside them is
    labelled.
    """
    header = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 1000)
    chunks = [
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c))
        for c in (header, data, b"IEND")
    ]
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    whole = write(
        tmp_path / "whole.tif",
        np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8),
    )
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole.read_bytes()[:300_000])
    Image.fromarray(picture(50, 60)).save(tmp_path / "photo.png")
    predictor = Predictor(blurred, CLASSES, tile=(64, 64), max_memory=2**30)
    done = predict_files(predictor, [bomb, cut, tmp_path / "photo.png"], tmp_path / "out")
    assert [path.name for path, _ in done.failed] == ["bomb.png", "cut.tif"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo.png"]


def test_cmyk_is_converted_or_refused_with_the_way_out(tmp_path: Path) -> None:
    inks = np.random.default_rng(0).integers(0, 256, (40, 40, 4), dtype=np.uint8)
    with open_raster(write(tmp_path / "a.tif", inks, photometric="CMYK")) as opened:
        paper = (255 - inks[..., :3].astype(float)) * (255 - inks[..., 3:].astype(float)) / 255
        assert np.abs(opened[0:40, 0:40] - paper).max() <= 1
        assert opened.valid(0, 0, 40, 40).all(), "black is no alpha"
    bands = [getattr(ColorInterp, name) for name in ("cyan", "magenta", "yellow", "black")]
    source = write(tmp_path / "b.tif", inks)
    with rasterio.open(source, "r+") as target:
        target.colorinterp = bands
    with pytest.raises(ImageError, match=r"b\.tif: holds CMYK; convert it to RGB"):
        predict_raster(Predictor(blurred, CLASSES), source, tmp_path / "out")


@pytest.mark.parametrize("kind", ["nodata", "alpha"])
def test_a_cut_raster_with_gaps_is_named_and_the_others_go_on(kind: str, tmp_path: Path) -> None:
    rough = np.random.default_rng(0).integers(
        1, 255, (400, 400, 3 + (kind == "alpha")), dtype=np.uint8
    )
    options = {"nodata": 0} if kind == "nodata" else {"photometric": "RGB", "alpha": "YES"}
    cut = write(tmp_path / "cut.tif", rough, **options)
    cut.write_bytes(cut.read_bytes()[:300_000])
    whole = write(tmp_path / "whole.tif", picture(60, 60))
    done = predict_files(Predictor(blurred, CLASSES, tile=(64, 64)), [cut, whole], tmp_path / "out")
    assert [(path.name, "cannot be read from row" in why) for path, why in done.failed] == [
        ("cut.tif", True)
    ]
    assert [path.name for path in done.written] == ["whole.tif"]


def test_polygons_of_a_site_keep_its_coordinates_and_say_so(tmp_path: Path) -> None:
    site = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
    source = write(tmp_path / "a.tif", picture(64, 64), crs=site)
    said: list[str] = []
    progress = Progress()
    progress.log = said.append  # type: ignore[method-assign]
    predictor = Predictor(blurred, CLASSES)
    choices = PredictOptions(extras=("polygons", "areas"))
    done = predict_files(predictor, [source], tmp_path / "out", choices=choices, progress=progress)
    assert len(done.written) == 1
    assert said[-1].startswith("a.geojson: in the raster's own coordinates")
    features = json.loads((tmp_path / "out/a.geojson").read_text())["features"]
    corners = np.concatenate([f["geometry"]["coordinates"][0] for f in features])
    assert (corners.min(0).tolist(), corners.max(0).tolist()) == (
        [500000, 4600000 - 32],
        [500032, 4600000],
    )


def test_a_raster_that_does_not_fit_the_memory_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in/b.tif", picture(400, 400))
    Image.fromarray(picture(50, 60)).save(tmp_path / "in/a.png")
    predictor = Predictor(blurred, CLASSES, max_memory=100_000)
    with pytest.raises(ConfigError, match=r"400 x 400 pixels .* MiB even in tiles"):
        predict_files(predictor, [tmp_path / "in"], tmp_path / "out", recipe=Recipe({"model": "a"}))
    assert not (tmp_path / "out").exists()


def test_a_raster_is_seen_at_its_own_size_by_a_model_of_photos_and_that_is_said(
    tmp_path: Path,
) -> None:
    source = write(tmp_path / "a.tif", picture(150, 200))
    predictor = Predictor(blurred, CLASSES, tile=(64, 64))
    expected = predictor.predict(source)
    predictor.sizes = PictureSizes(side=40, smallest=30, largest=50, framed=True)
    summary = RasterSummary()
    done = predict_raster(predictor, source, tmp_path / "out", summary=summary)
    notes = summary.notes
    with rasterio.open(done) as mask:
        assert np.array_equal(mask.read(1), expected.labels)
    assert summary.counts.tolist() == np.bincount(expected.labels.ravel(), minlength=256).tolist()
    in_memory = predictor.predict(source)
    assert np.array_equal(in_memory.labels, expected.labels)
    for note in (notes[-1], in_memory.notes[-1]):
        assert str(note).startswith("much larger than the training's pictures, seen at full size")
    predictor.sizes = PictureSizes(side=40, smallest=30, largest=50, framed=False)
    assert predictor.predict(source).notes == expected.notes
