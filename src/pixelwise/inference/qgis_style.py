"""A style for QGIS beside a mask: what the classes are called and how they are coloured, for the
mask and for the polygons of the same name.
"""

from pathlib import Path
from xml.etree import ElementTree

from pixelwise.classes import Classes
from pixelwise.io.atomic import write_text
from pixelwise.palette import BACKGROUND_COLOUR

# By it a style is told from one that a person saved in QGIS, which drops comments.
_OURS = "<!-- written by pixelwise -->"
_FILL = 160  # of 255, so that the map shows beneath polygons


def write_qgis_style(mask: Path, classes: Classes) -> None:
    """Write STEM.qml, which QGIS opens with STEM.tif and STEM.geojson: without it a mask's legend
    has all 256 colours of a TIFF, and polygons have one. The background is clear.

    A style of that name that QGIS saved stays.
    """
    path = mask.with_suffix(".qml")
    if path.is_file() and _OURS not in path.read_text(encoding="utf-8", errors="replace"):
        return
    style = ElementTree.Element("qgis")
    _add_mask(style, classes)
    _add_polygons(style, classes)
    ElementTree.indent(style)
    text = ElementTree.tostring(style, encoding="unicode")
    write_text(path, f"<!DOCTYPE qgis>\n{_OURS}\n{text}\n")


def _add_mask(style: ElementTree.Element, classes: Classes) -> None:
    renderer = ElementTree.SubElement(
        ElementTree.SubElement(style, "pipe"),
        "rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1",
    )  # fmt: skip
    entries = ElementTree.SubElement(renderer, "colorPalette")
    for label, (name, colour) in enumerate(zip(classes.names, classes.palette, strict=True)):
        ElementTree.SubElement(
            entries, "paletteEntry",
            value=str(label), label=name, color="#{:02x}{:02x}{:02x}".format(*colour),
            alpha=str(_opacity(colour, 255)),
        )  # fmt: skip


def _add_polygons(style: ElementTree.Element, classes: Classes) -> None:
    renderer = ElementTree.SubElement(style, "renderer-v2", type="categorizedSymbol", attr="class")
    categories = ElementTree.SubElement(renderer, "categories")
    symbols = ElementTree.SubElement(renderer, "symbols")
    for label, (name, colour) in enumerate(zip(classes.names, classes.palette, strict=True)):
        number = str(label)
        ElementTree.SubElement(
            categories, "category", value=name, label=name, symbol=number, render="true"
        )
        symbol = ElementTree.SubElement(symbols, "symbol", type="fill", name=number, alpha="1")
        layer = ElementTree.SubElement(symbol, "layer", {"class": "SimpleFill", "enabled": "1"})
        for key, opacity in (("color", _opacity(colour, _FILL)), ("outline_color", 255)):
            value = ",".join(map(str, (*colour, opacity)))
            ElementTree.SubElement(layer, "prop", k=key, v=value)


def _opacity(colour: tuple[int, int, int], opacity: int) -> int:
    return 0 if colour == BACKGROUND_COLOUR else opacity
