import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.classes import VOID
from pixelwise.training.loaders import seeded_generator
from pixelwise.training.transforms import (
    AUGMENTATIONS,
    GREY,
    Augmentation,
    as_tensors,
    classmix,
    rare_classes,
)


def scene(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """An image whose red channel is its label times 10: alignment can be read off."""
    labels = np.random.default_rng(height * width).integers(
        0, 20, (height // 8 + 1, width // 8 + 1)
    )
    labels = labels.repeat(8, 0).repeat(8, 1)[:height, :width].astype(np.uint8)
    return as_tensors((labels[..., None] * 10).repeat(3, 2), labels)


@pytest.mark.parametrize("strength", AUGMENTATIONS)
@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 10**6))
def test_a_sample_has_the_crops_size_and_no_new_label_but_void(
    strength: str, height: int, width: int, seed: int
) -> None:
    image, labels = scene(height, width)
    rarity = tuple(float(n) for n in range(20))
    found, target = Augmentation((32, 64), **{**AUGMENTATIONS[strength], "class_weights": rarity})(
        image, labels, seeded_generator(seed)
    )
    assert found.shape == (3, 32, 64)
    assert target.shape == (32, 64)
    assert found.dtype == target.dtype == torch.uint8
    assert set(target.unique().tolist()) <= {*labels.unique().tolist(), VOID}


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 120), st.integers(20, 120), st.integers(0, 10**6))
def test_image_and_labels_stay_aligned_pixel_for_pixel(height: int, width: int, seed: int) -> None:
    image, labels = scene(height, width)
    found, target = Augmentation((64, 64), scale=(1.0, 1.0), jitter=0.0)(
        image, labels, seeded_generator(seed)
    )
    kept = target != VOID
    assert kept.any()
    assert torch.equal(found[0][kept], target[kept] * 10)
    assert (found[:, ~kept] == GREY).all()


def test_scaled_labels_follow_the_image_to_half_a_pixel() -> None:
    """A ramp scaled by 3: the label at a place and the image's value there come from the same
    source pixel.
    """
    ramp = np.broadcast_to(np.arange(0, 200, 2, dtype=np.uint8), (100, 100)).copy()
    image, labels = as_tensors(ramp[..., None].repeat(3, 2), ramp)
    for seed in range(5):
        found, target = Augmentation((96, 96), scale=(3.0, 3.0), jitter=0.0)(
            image, labels, seeded_generator(seed)
        )
        inner = slice(6, -6)
        gap = found[0, :, inner].float() - target[:, inner].float()
        assert gap.abs().max() <= 1  # one pixel of the source is a step of 2
        assert abs(gap.mean()) < 0.05  # no drift to one side


def test_an_image_below_the_crop_is_padded_with_void_never_stretched() -> None:
    image, labels = scene(20, 30)
    _, target = Augmentation((64, 64), scale=(1.0, 1.0), mirror=False)(
        image, labels, seeded_generator(1)
    )
    assert torch.equal(target[:20, :30], labels)
    assert (target[20:] == VOID).all()
    assert (target[:, 30:] == VOID).all()


def test_the_dice_of_a_sample_depend_on_its_key_alone() -> None:
    image, labels = scene(80, 80)
    augment = Augmentation((32, 32))
    first = augment(image, labels, seeded_generator(0, 3, 7))
    torch.manual_seed(99)
    again = augment(image, labels, seeded_generator(0, 3, 7))
    other = augment(image, labels, seeded_generator(0, 4, 7))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_images_without_an_up_come_in_all_eight_ways_each_aligned_with_its_labels() -> None:
    numbers = np.arange(64, dtype=np.uint8).reshape(8, 8)
    image, labels = as_tensors(numbers[..., None].repeat(3, 2), numbers)
    augment = Augmentation((8, 8), scale=(1.0, 1.0), jitter=0.0, upright=False)
    seen = dict[bytes, int]()
    for seed in range(400):
        found, target = augment(image, labels, seeded_generator(seed))
        assert torch.equal(found[0], target)
        seen[target.numpy().tobytes()] = seen.get(target.numpy().tobytes(), 0) + 1
    turns = [turned for k in range(4) for turned in (labels.rot90(k), labels.rot90(k).fliplr())]
    assert seen.keys() == {turned.contiguous().numpy().tobytes() for turned in turns}
    assert min(seen.values()) > 25, "50 of each are expected"


def test_nothing_is_padded_where_the_image_holds_the_crop() -> None:
    """An image is never made smaller than the crop, whatever the scale allows."""
    image, labels = scene(70, 90)
    for seed in range(40):
        _, target = Augmentation((64, 64), scale=(0.2, 2.0))(image, labels, seeded_generator(seed))
        assert not (target == VOID).any()


def test_a_rotated_sample_stays_aligned() -> None:
    """Inside large areas of one class the red channel is still ten times the label."""
    labels = np.zeros((96, 96), np.uint8)
    labels[:, 48:] = 9
    image, target = as_tensors((labels[..., None] * 10).repeat(3, 2), labels)
    turned = Augmentation((96, 96), scale=(1.0, 1.0), jitter=0.0, rotate=30.0)
    for seed in range(10):
        found, ids = turned(image, target, seeded_generator(seed))
        kept = ids != VOID
        wrong = (found[0].int() - ids.int() * 10).abs()[
            kept
        ] > 45  # nearer to another class's value
        assert float(wrong.float().mean()) < 0.02
        assert set(ids.unique().tolist()) <= {0, 9, VOID}


def test_windows_favour_rare_classes() -> None:
    """A single pixel of class 5 in a large image: half of the windows are to hold it, by chance it
    were 1 in 36.
    """
    labels = np.zeros((192, 192), np.uint8)
    labels[100, 37] = 5
    image, target = as_tensors(np.zeros((192, 192, 3), np.uint8), labels)
    rarity = (0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    augment = Augmentation((32, 32), scale=(1.0, 1.0), mirror=False, rare=0.5, class_weights=rarity)
    held = [
        bool((augment(image, target, seeded_generator(seed))[1] == 5).any()) for seed in range(300)
    ]
    assert 0.42 < sum(held) / 300 < 0.62


def test_pasted_classes_come_with_their_pixels() -> None:
    labels = np.zeros((8, 8), np.uint8)
    other = np.repeat(np.array([[1, 2, 3, VOID]], np.uint8), 2, axis=1).repeat(8, 0)
    below, above = (
        as_tensors((ids[..., None] // 2 * 3).repeat(3, 2), ids) for ids in (labels, other)
    )
    image, target = classmix(*below, above, seeded_generator(0))
    laid = set(target.unique().tolist()) - {0}
    assert len(laid) == 2  # half of three classes, rounded up; void is never laid over
    assert VOID not in laid
    for label in laid:
        assert torch.equal(target == label, above[1] == label)
        assert torch.equal(image[:, target == label], above[0][:, target == label])
    empty = (above[0], torch.full_like(above[1], VOID))
    assert torch.equal(classmix(*below, empty, seeded_generator(0))[1], below[1])


def test_only_the_classes_named_are_pasted_each_by_a_chance_of_its_own() -> None:
    """300 throws: 7 of 10 have class 1, half as many (.49) both; class 3, which is not named, never
    comes.
    """
    labels = torch.zeros(4, 4, dtype=torch.uint8)
    over = torch.tensor([[1, 2, 3, VOID]] * 4, dtype=torch.uint8)
    image = torch.zeros(3, 4, 4, dtype=torch.uint8)
    above = torch.full((3, 4, 4), 9, dtype=torch.uint8)
    among = torch.tensor([1, 2, 5], dtype=torch.uint8)
    laid = []
    for seed in range(300):
        found, target = classmix(image, labels, (above, over), seeded_generator(seed), among)
        laid.append(set(target.unique().tolist()) - {0})
        assert torch.equal(found[0] == 9, target > 0)
    assert set().union(*laid) == {1, 2}
    assert 0.63 < sum(1 in there for there in laid) / 300 < 0.77
    assert 0.41 < sum(there == {1, 2} for there in laid) / 300 < 0.57


def test_rare_classes_are_those_above_the_median_rarity_of_the_classes_that_are_there() -> None:
    rarity = (0.1, 3.0, 1.0, 0.5, 2.0, 9.0)
    pixels = (900, 20, 80, 150, 40, 0)
    assert rare_classes(rarity, pixels).tolist() == [
        1,
        4,
    ]  # of 0.1, 0.5, 1, 2, 3; class 5 has no pixel
    assert rare_classes((0.2, 1.8), (90, 10)).tolist() == [1]
    assert rare_classes((1.0,), (5,)).tolist() == []


@pytest.mark.parametrize("times", [2, 3])
def test_a_picture_enlarged_and_seen_smaller_gives_the_sample_of_the_small_one(times: int) -> None:
    """The scale is drawn for the picture as it is seen: same window, same labels."""
    image, labels = scene(64, 96)
    large_image = image.repeat_interleave(times, 1).repeat_interleave(times, 2)
    large_labels = labels.repeat_interleave(times, 0).repeat_interleave(times, 1)
    augment = Augmentation((32, 32), scale=(0.5, 2.0), jitter=0.0)
    for seed in range(20):
        expected = augment(image, labels, seeded_generator(seed))
        sample = augment(large_image, large_labels, seeded_generator(seed), 1 / times)
        agreeing = (sample[1] == expected[1]).float().mean()
        # windows start on a finer grid, by less than a pixel of the small picture
        assert agreeing > 0.75
