import torch

from pixelwise.models.decoders.light import Light
from pixelwise.models.pyramid import Features, Pyramid
from pixelwise.models.registry import build_model


def test_logits_come_at_the_encoders_finest_stride(pyramid: Pyramid, features: Features) -> None:
    decoder = Light(pyramid, 5)
    assert decoder(features).shape == (2, 5, 40, 56)


def test_a_pixel_far_from_a_window_reaches_it_by_the_mean_of_the_image(
    pyramid: Pyramid, features: Features
) -> None:
    """The context is of the whole image, not of its windows alone."""
    decoder = Light(pyramid, 3).eval()
    wide = Features({stride: map.repeat(1, 1, 1, 4) for stride, map in features.items()})
    changed = Features({stride: map.clone() for stride, map in wide.items()})
    changed[32][..., -1] += 5
    with torch.no_grad():
        difference = decoder(changed) - decoder(wide)
    assert difference[..., :8].abs().max() > 1e-4


def test_it_has_less_than_half_the_weights_of_a_u_net_decoder() -> None:
    sizes = {
        name: sum(p.numel() for p in build_model(name, classes=7).decoder.parameters())
        for name in ("light", "unet")
    }
    assert sizes["light"] < sizes["unet"] / 3
