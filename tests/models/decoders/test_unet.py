from functools import partial

import pytest
import torch

import pixelwise
from pixelwise.models.decoders import unet


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_gradients_of_a_u_net_reach_the_encoder_in_one_piece(
    layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a plain concatenation, but dense: a slice with gaps slows the backward of batch
    normalisation down.
    """
    torch.manual_seed(0)
    model = pixelwise.build_model("unet", encoder="resnet10t", classes=3, weights="none").to(
        memory_format=layout
    )
    images = torch.rand(2, 3, 64, 96).contiguous(memory_format=layout)
    features = {stride: feature.detach() for stride, feature in model.encoder(images).items()}

    def gradients() -> dict[int, torch.Tensor]:
        result: dict[int, torch.Tensor] = {}
        inputs = {stride: feature.requires_grad_() * 1 for stride, feature in features.items()}
        logits = model.decoder(inputs)
        for stride, feature in inputs.items():
            feature.register_hook(
                partial(result.__setitem__, stride)
            )  # as it comes; a kept one is a copy
        logits.square().sum().backward()
        return result

    dense = gradients()
    monkeypatch.setattr(unet, "_concatenate", lambda *parts: torch.cat(parts, dim=1))
    plain = gradients()
    assert set(dense) == {2, 4, 8, 16, 32}
    assert all(
        torch.allclose(dense[stride], plain[stride], rtol=1e-4, atol=1e-6) for stride in dense
    )
    skipped = (2, 4, 8, 16)
    assert all(dense[stride].is_contiguous(memory_format=layout) for stride in skipped)
    assert not any(plain[stride].is_contiguous(memory_format=layout) for stride in skipped)
