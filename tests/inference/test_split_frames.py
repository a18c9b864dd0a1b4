from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.classes import Classes
from pixelwise.errors import ConfigError
from pixelwise.inference.predict_files import predict_files
from pixelwise.inference.predict_options import PredictOptions
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.split_frames import split_frames


def test_each_frame_is_an_image_and_a_single_one_stays_what_it_is(tmp_path: Path) -> None:
    film = tmp_path / "film.gif"
    frames = [Image.new("RGB", (4, 4), (red, 0, 0)) for red in (0, 250)]
    frames[0].save(film, save_all=True, append_images=frames[1:])
    Image.new("RGB", (4, 4)).save(tmp_path / "one.gif")
    names = [str(film), str(tmp_path / "one.gif"), str(tmp_path / "missing.png")]
    sources = split_frames(dict.fromkeys(names, 16))
    assert sources == {
        f"{film}#frame=1": None,
        f"{film}#frame=2": None,
        names[1]: 16,
        names[2]: 16,
    }


@pytest.mark.parametrize("image", ["memory://a/b.tif", "a.tar#512+90/b.tif"])
def test_frames_of_what_is_no_file_on_disk_are_refused(image: str) -> None:
    with pytest.raises(ConfigError, match="--frames all splits files on disk alone; fetch it"):
        split_frames({image: None})


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_pages_of_a_georeferenced_file_are_not_read_without_their_place(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    path = tmp_path / "ortho.tif"
    profile = {
        "driver": "GTiff",
        "width": 40,
        "height": 30,
        "count": 3,
        "dtype": "uint8",
        "crs": "EPSG:32632",
        "transform": rasterio.transform.from_origin(500_000, 5_300_000, 0.5, 0.5),
    }
    for more in ({}, {"APPEND_SUBDATASET": "YES"}):
        with rasterio.open(path, "w", **profile, **more) as file:
            file.write(np.full((3, 30, 40), 90, np.uint8))

    def dark(rgb: np.ndarray) -> np.ndarray:
        return np.stack([rgb[:, 0] < 128, rgb[:, 0] >= 128], axis=1).astype(np.float32)

    predictor = Predictor(dark, Classes.named(("dark", "light")))
    choices = PredictOptions(frames="all")
    done = predict_files(predictor, [path], tmp_path / "all", choices=choices)
    assert not done.written
    assert [str(image) for image, _ in done.failed] == [f"{path}#frame=1", f"{path}#frame=2"]
    assert "a file's first page alone is read; save each page as a file" in done.failed[0][1]
    first = predict_files(predictor, [path], tmp_path / "first")
    assert [mask.name for mask in first.written] == ["ortho.tif"]
    assert "1 of up to 2 frames or pages is read by the first of them alone" in first.reading
