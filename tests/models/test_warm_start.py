import pytest
import torch

from pixelwise.errors import ModelError
from pixelwise.models.config import ModelConfig
from pixelwise.models.registry import build_segmenter
from pixelwise.models.warm_start import warm_start

NAMES = ("sky", "road", "car")


def test_a_finer_fcn_starts_with_the_predictions_of_the_coarser_one() -> None:
    torch.manual_seed(0)
    coarse = build_segmenter(ModelConfig("fcn32s", "resnet18", 3)).eval()
    config = ModelConfig("fcn16s", "resnet18", 3)
    fine = build_segmenter(config).eval()
    done = warm_start(fine, config, NAMES, state=coarse.state_dict(), known=NAMES)
    assert set(done.zeroed) == {"decoder.scores.16.weight", "decoder.scores.16.bias"}
    assert {"decoder.upsample.weight", "decoder.fusions.0.weight"} <= set(done.new)
    with torch.no_grad():
        picture = torch.rand(1, 3, 192, 192)
        expected, found = (model(picture)[..., 48:-48, 48:-48] for model in (coarse, fine))
    # upsampling by 2 and then 16 is not quite that by 32: both interpolate linearly, but between
    # other points
    assert (found - expected).square().mean().sqrt() < 0.15 * expected.std()


def test_classes_are_matched_by_name() -> None:
    source = build_segmenter(ModelConfig("unet", "resnet18", 3))
    config = ModelConfig("unet", "resnet18", 4)
    names = ("car", "tree", "sky", "pole")
    model = build_segmenter(config)
    before = model.decoder.scores[0].weight.detach().clone()  # type: ignore[index]
    warm_start(model, config, names, state=source.state_dict(), known=NAMES)
    after = model.decoder.scores[0].weight
    start = source.decoder.scores[0].weight  # type: ignore[index]
    assert torch.equal(after[0], start[2])  # car
    assert torch.equal(after[2], start[0])  # sky
    assert torch.equal(after[[1, 3]], before[[1, 3]])  # tree and pole are new
    assert torch.equal(model.decoder.blocks[0][0][0].weight, source.decoder.blocks[0][0][0].weight)  # type: ignore


def test_as_many_classes_of_other_names_are_not_mistaken_for_the_same() -> None:
    source = build_segmenter(ModelConfig("fcn32s", "resnet18", 3))
    config = ModelConfig("fcn32s", "resnet18", 3)
    model = build_segmenter(config)
    warm_start(model, config, ("car", "sky", "road"), state=source.state_dict(), known=NAMES)
    assert torch.equal(model.decoder.scores["32"].weight[0], source.decoder.scores["32"].weight[2])  # type: ignore
    kernel = source.decoder.upsample.weight  # type: ignore[union-attr]
    with torch.no_grad():
        kernel[2, 1] = 7.0
    warm_start(model, config, ("car", "sky", "road"), state=source.state_dict(), known=NAMES)
    assert (model.decoder.upsample.weight[0, 2] == 7.0).all()  # type: ignore[union-attr,index]


def test_another_decoder_takes_the_encoder_and_says_what_is_new() -> None:
    source = build_segmenter(ModelConfig("fcn8s", "resnet18", 3))
    config = ModelConfig("linknet", "resnet18", 3)
    model = build_segmenter(config)
    done = warm_start(model, config, NAMES, state=source.state_dict(), known=NAMES)
    assert torch.equal(model.encoder.net.conv1.weight, source.encoder.net.conv1.weight)  # type: ignore[union-attr]
    assert all(name.startswith("decoder.") for name in done.new)
    assert "decoder.scores.8.weight" in done.left_out
    assert f"{len(done.taken)} tensors taken; {len(done.new)} new (decoder." in str(done)


def test_another_encoder_is_refused_with_its_first_tensor() -> None:
    source = build_segmenter(ModelConfig("fcn32s", "vgg11", 3))
    config = ModelConfig("fcn32s", "resnet18", 3)
    with pytest.raises(
        ModelError,
        match=r"nothing of the start's encoder fits 'resnet18': first encoder.net.conv1.weight",
    ):
        warm_start(build_segmenter(config), config, NAMES, state=source.state_dict(), known=NAMES)
