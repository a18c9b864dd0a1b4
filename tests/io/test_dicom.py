from pathlib import Path

import numpy as np
import pytest

from pixelwise.errors import ImageError
from pixelwise.io.band_files import read_bands
from pixelwise.io.band_layout import read_layout
from pixelwise.io.channels import TO_SHOW
from pixelwise.io.dicom import read_dicom_size
from pixelwise.io.images import read_picture

pydicom = pytest.importorskip("pydicom")


def write(path: Path, values: np.ndarray, **fields: object) -> Path:
    dataset = pydicom.dataset.FileDataset(str(path), {}, preamble=b"\0" * 128)
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    dataset.Rows, dataset.Columns = values.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = 16
    dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 1
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.PixelData = values.astype(np.int16).tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_values_are_those_after_the_rescale(tmp_path: Path) -> None:
    stored = np.arange(-10, 20).reshape(5, 6)
    path = write(
        tmp_path / "ct.dcm", stored,
        RescaleSlope=2, RescaleIntercept=-1024, PixelPaddingValue=-10,
    )  # fmt: skip
    layout = read_layout(path)
    assert layout is not None
    assert (layout.size, layout.kind, layout.is_photo) == ((5, 6), "float32", False)
    bands = read_bands(path)
    assert np.array_equal(bands.values[0], stored * 2.0 - 1024)
    assert bands.valid is not None
    assert np.argwhere(~bands.valid).tolist() == [[0, 0, 0]]
    assert read_picture(path, TO_SHOW).rgb.shape == (5, 6, 3)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    volume = write(tmp_path / "volume.dcm", np.zeros((3, 5, 6)), NumberOfFrames=3)
    with pytest.raises(ImageError, match=r"volume\.dcm: holds 3 frames"):
        read_bands(volume)
    colours = write(tmp_path / "rgb.dcm", np.zeros((5, 6)), PhotometricInterpretation="RGB")
    assert read_dicom_size(colours) is None
    (tmp_path / "text.dcm").write_text("no", encoding="utf-8")
    assert read_layout(tmp_path / "text.dcm") is None
    with pytest.raises(ImageError, match="cannot be read as DICOM"):
        read_bands(tmp_path / "text.dcm")
    packed = tmp_path / "packed.dcm"
    packed.write_bytes(volume.read_bytes())
    dataset = pydicom.dcmread(packed)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    dataset.NumberOfFrames = 1
    dataset.PixelData = pydicom.encaps.encapsulate([b"\0" * 60])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(packed)
    with pytest.raises(ImageError, match=r"packed\.dcm: cannot be read as DICOM \("):
        read_bands(packed)


def test_a_decoder_that_is_missing_is_named(tmp_path: Path) -> None:
    if pydicom.pixels.get_decoder(pydicom.uid.JPEGLSLossless).is_available:
        pytest.skip("it is installed")
    path = write(tmp_path / "a.dcm", np.zeros((5, 6)))
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    dataset.PixelData = pydicom.encaps.encapsulate([b"\0" * 60])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path)
    with pytest.raises(ImageError, match=r"no decoder is installed \(.*JPEG-LS.*install .*pylib"):
        read_bands(path)


def test_a_network_of_rgb_refuses_it(tmp_path: Path) -> None:
    path = write(tmp_path / "ct.dcm", np.zeros((5, 6)))
    with pytest.raises(ImageError, match="is a DICOM file; train a model on such files"):
        read_picture(path)
