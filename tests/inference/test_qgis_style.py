from pathlib import Path
from xml.etree import ElementTree

from pixelwise.classes import Classes
from pixelwise.inference.qgis_style import write_qgis_style

CLASSES = Classes(
    ("background", 'Weg & "Straße"', "湖"), ((0, 0, 0), (230, 159, 0), (86, 180, 233))
)


def test_names_and_colours_of_mask_and_polygons_are_in_it(tmp_path: Path) -> None:
    write_qgis_style(tmp_path / "map.tif", CLASSES)
    style = ElementTree.parse(tmp_path / "map.qml")
    entries = [
        (entry.get("value"), entry.get("label"), entry.get("color"), entry.get("alpha"))
        for entry in style.iterfind("pipe/rasterrenderer[@type='paletted']/colorPalette/*")
    ]
    assert entries == [
        ("0", "background", "#000000", "0"),
        ("1", 'Weg & "Straße"', "#e69f00", "255"),
        ("2", "湖", "#56b4e9", "255"),
    ]
    renderer = style.find("renderer-v2[@attr='class']")
    assert renderer is not None
    assert [c.get("value") for c in renderer.iterfind("categories/*")] == list(CLASSES.names)
    fills = {
        symbol.get("name"): prop.get("v")
        for symbol in renderer.iterfind("symbols/symbol")
        for prop in symbol.iterfind("layer/prop[@k='color']")
    }
    assert fills == {"0": "0,0,0,0", "1": "230,159,0,160", "2": "86,180,233,160"}


def test_a_style_that_qgis_saved_stays_and_an_own_one_is_replaced(tmp_path: Path) -> None:
    style = tmp_path / "map.qml"
    write_qgis_style(tmp_path / "map.tif", CLASSES)
    first = style.read_text(encoding="utf-8")
    renamed = Classes(("background", "road", "lake"), CLASSES.palette)
    write_qgis_style(tmp_path / "map.tif", renamed)
    assert "road" in style.read_text(encoding="utf-8")
    style.write_text("<!DOCTYPE qgis>\n<qgis version='3.22'/>\n", encoding="utf-8")
    write_qgis_style(tmp_path / "map.tif", CLASSES)
    assert style.read_text(encoding="utf-8") == "<!DOCTYPE qgis>\n<qgis version='3.22'/>\n"
    assert "road" not in first
