"""What QGIS sees of the results of rasters: valid layers, classes by name and colour, polygons.

    /usr/bin/python3 benchmarks/open_in_qgis.py RESULTS PICTURES

RESULTS is a folder of `predict RASTERS --also polygons`. It is run by the Python of QGIS (on
Debian `apt install python3-qgis`), without pixelwise. A line for each mask; PICTURES/STEM.png is
the map as QGIS draws it, the polygons over the mask.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsDistanceArea,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsPalettedRasterRenderer,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def main(results: Path, pictures: Path) -> None:
    pictures.mkdir(parents=True, exist_ok=True)
    application = QgsApplication([], False)
    application.initQgis()
    print("QGIS", Qgis.QGIS_VERSION)
    for path in sorted(results.glob("*.tif")):
        outlines = path.with_suffix(".geojson")
        if outlines.is_file():
            print(f"{path.name}: {describe_layers(path, outlines, pictures)}")
    application.exitQgis()


def describe_layers(mask: Path, outlines: Path, pictures: Path) -> str:
    """One line on both layers, which are drawn to a picture."""
    raster = QgsRasterLayer(str(mask), mask.stem)
    polygons = QgsVectorLayer(str(outlines), outlines.stem, "ogr")
    if not (raster.isValid() and polygons.isValid()):
        return "not opened"
    renderer = raster.renderer()
    if not isinstance(renderer, QgsPalettedRasterRenderer):
        return f"drawn by {type(renderer).__name__}, not by classes"
    ruler = QgsDistanceArea()
    ruler.setSourceCrs(polygons.crs(), QgsProject.instance().transformContext())
    ruler.setEllipsoid("WGS84")
    shapes = [feature.geometry() for feature in polygons.getFeatures()]
    invalid = sum(not shape.isGeosValid() for shape in shapes)
    square_metres = sum(ruler.measureArea(shape) for shape in shapes)
    draw([polygons, raster], pictures / f"{mask.stem}.png")
    return (
        f"{raster.crs().authid()}, {len(renderer.classes())} classes "
        f"({', '.join(f'{c.label} {c.color.name()}' for c in renderer.classes())}), "
        f"nodata {raster.dataProvider().sourceNoDataValue(1):.0f}; {len(shapes)} polygons drawn by "
        f"{polygons.renderer().type()}, {invalid} invalid, {square_metres:.0f} square metres"
    )


def draw(layers: list, path: Path) -> None:
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(layers[-1].crs())
    settings.setOutputSize(QSize(800, 600))
    settings.setExtent(layers[-1].extent())
    settings.setBackgroundColor(QColor("white"))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(str(path))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
