import torch
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.training.band_augmentation import jitter_bands


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.integers(1, 9), st.integers(0, 2**16))
def test_each_band_changes_by_its_own_gain_and_offset(count: int, seed: int) -> None:
    image = torch.arange(60, 188, dtype=torch.uint8).reshape(1, 8, 16).repeat(count, 1, 1)
    changed = jitter_bands(image, 0.2, generator(seed)).double()
    assert changed.shape == image.shape
    steps = changed.diff(dim=2)
    inside = (changed > 0) & (changed < 255)
    for band in range(count):
        own = steps[band][inside[band, :, 1:] & inside[band, :, :-1]]
        assert own.max() - own.min() <= 1, "a straight line stays one, but for rounding"


def test_without_jitter_nothing_changes_and_with_it_bands_differ() -> None:
    image = torch.randint(0, 256, (4, 9, 9), dtype=torch.uint8, generator=generator())
    assert torch.equal(jitter_bands(image, 0.0, generator()), image)
    same = image[:1].repeat(4, 1, 1)
    changed = jitter_bands(same, 0.3, generator())
    assert not torch.equal(changed[0], changed[1])
    assert torch.equal(changed, jitter_bands(same, 0.3, generator()))
