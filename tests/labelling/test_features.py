import numpy as np
import torch

from pixelwise.labelling.features import FeatureExtractor, measure_pixels


def test_tiles_give_the_features_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    rgb = np.kron(rng.integers(0, 255, (20, 19, 3)), np.ones((32, 32, 1))).astype(np.uint8)
    extractor = FeatureExtractor()
    features = extractor.extract(rgb)  # 640 x 608: four tiles of 512
    images = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        whole = extractor._encoder((images - extractor._mean) / extractor._std)
    assert {stride: values.shape for stride, values in features.items()} == {
        stride: tuple(whole[stride].shape[1:]) for stride in (2, 4, 8, 16, 32)
    }
    for stride in (2, 4, 8):
        assert np.abs(features[stride] - whole[stride][0].numpy()).max() < 0.05
    coarse = whole[16][0].numpy()
    assert np.corrcoef(features[16].ravel(), coarse.ravel())[0, 1] > 0.97


def test_pixels_have_their_colours_and_flat_ones_no_edges() -> None:
    rgb = np.full((9, 9, 3), (255, 0, 127), np.uint8)
    values = measure_pixels(rgb)
    assert values.shape == (12, 9, 9)
    assert np.allclose(values[:3, 4, 4], [1, -1, -0.004], atol=0.01)
    assert np.allclose(values[9:], 0, atol=0.02)


def test_work_waits_between_tiles() -> None:
    calls: list[int] = []
    FeatureExtractor().extract(np.zeros((40, 600, 3), np.uint8), lambda: calls.append(1))
    assert len(calls) == 2
