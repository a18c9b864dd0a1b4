import pytest
import timm
import torch
from timm.models import list_modules

from pixelwise.errors import ConfigError
from pixelwise.models.config import ModelConfig
from pixelwise.models.encoder import Encoder
from pixelwise.models.registry import build_segmenter
from pixelwise.models.timm_features import create_features

FINE = (2, 4, 8, 16, 32)
MIDDLE = (4, 8, 16, 32)

# A small network of each family (module) of timm, and its strides.
FAMILIES = {
    "byobnet": ("test_byobnet", FINE),
    "convnext": ("test_convnext", MIDDLE),
    "cpubone": ("cpubone_nano", MIDDLE),
    "csatv2": ("csatv2", (8, 16, 32)),
    "cspnet": ("cs3darknet_focus_s", FINE),
    "cspnext": ("cspnext_tiny", FINE),
    "deit": ("deit_tiny_patch16_224", MIDDLE),
    "densenet": ("densenet121", FINE),
    "dla": ("dla46x_c", FINE),
    "dpn": ("dpn48b", FINE),
    "edgenext": ("edgenext_xx_small", MIDDLE),
    "efficientnet": ("test_efficientnet", FINE),
    "efficientvim": ("efficientvim_m1", (16, 32)),
    "efficientvit_mit": ("efficientvit_b0", MIDDLE),
    "efficientvit_msra": ("efficientvit_m0", (16, 32)),
    "eva": ("vit_tiny_patch16_dinov3_qkvb", MIDDLE),
    "fasternet": ("fasternet_t0", MIDDLE),
    "fastvit": ("fastvit_t8", MIDDLE),
    "ghostnet": ("ghostnet_050", FINE),
    "hardcorenas": ("hardcorenas_a", FINE),
    "hgnet": ("hgnetv2_b0", MIDDLE),
    "hrnet": ("hrnet_w18_small", FINE),
    "iformer": ("iformer_t", MIDDLE),
    "inception_next": ("inception_next_atto", MIDDLE),
    "lcnetv2": ("lcnetv2_small", MIDDLE),
    "lowformer": ("lowformer_b0", MIDDLE),
    "mambaout": ("test_mambaout", MIDDLE),
    "maxxvit": ("test_maxvit", FINE),
    "metaformer": ("poolformer_s12", MIDDLE),
    "mobilenetv3": ("mobilenetv3_small_050", FINE),
    "mobilevit": ("mobilevit_xxs", FINE),
    "nfnet": ("test_nfnet", FINE),
    "pvt_v2": ("pvt_v2_b0", MIDDLE),
    "regnet": ("regnetx_002", FINE),
    "repghost": ("repghostnet_050", FINE),
    "repvit": ("repvit_m1", MIDDLE),
    "resnest": ("resnest14d", FINE),
    "resnet": ("test_resnet", FINE),
    "resnetv2": ("resnetv2_18", FINE),
    "rexnet": ("rexnet_100", FINE),
    "senet": ("legacy_seresnet18", FINE),
    "shvit": ("shvit_s1", (16, 32)),
    "sknet": ("skresnet18", FINE),
    "starnet": ("starnet_s050", MIDDLE),
    "swiftformer": ("swiftformer_xs", MIDDLE),
    "tiny_vit": ("tiny_vit_5m_224", MIDDLE),
    "vision_transformer": ("test_vit", MIDDLE),
    "vision_transformer_hybrid": ("vit_tiny_r_s16_p8_224", MIDDLE),
    "vovnet": ("ese_vovnet19b_slim_dw", FINE),
    "xcit": ("xcit_nano_12_p8_224", MIDDLE),
}

# A network of each family that takes images of one size alone, or has other strides than powers
# of 2, with what the message says.
REFUSED = {
    "cait": ("cait_xxs24_224", "224 x 224 alone"),
    "coat": ("coat_tiny", "224 x 224 alone"),
    "convit": ("convit_tiny", "224 x 224 alone"),
    "crossvit": ("crossvit_tiny_240", r"strides \[12, 17\]"),
    "efficientformer": ("efficientformer_l1", "224 x 224 alone"),
    "efficientformer_v2": ("efficientformerv2_s0", "224 x 224 alone"),
    "levit": ("levit_128s", "224 x 224 alone"),
    "mlp_mixer": ("gmlp_ti16_224", "224 x 224 alone"),
    "pit": ("pit_ti_224", "224 x 224 alone"),
    "vision_transformer_relpos": ("test_vit_relpos", "alone"),
    "visformer": ("visformer_tiny", "224 x 224 alone"),
}

# Families without a network of 13 million weights or less: benchmarks/encoders_sweep.py has them.
LARGE = {
    "beit",
    "byoanet",
    "convmixer",
    "davit",
    "deepseek_vit",
    "focalnet",
    "gcvit",
    "gemma4_vit",
    "hiera",
    "hieradet_sam2",
    "inception_resnet_v2",
    "inception_v3",
    "inception_v4",
    "mobilenetv5",
    "mvitv2",
    "naflexvit",
    "nasnet",
    "nest",
    "nextvit",
    "pnasnet",
    "qwen3_vit",
    "rdnet",
    "res2net",
    "selecsls",
    "sequencer",
    "swin_transformer",
    "swin_transformer_v2",
    "swin_transformer_v2_cr",
    "tnt",
    "tresnet",
    "twins",
    "vgg",
    "vision_transformer_sam",
    "vitamin",
    "volo",
    "xception",
    "xception_aligned",
}


def test_every_family_of_timm_is_listed() -> None:
    assert FAMILIES.keys() | REFUSED.keys() | LARGE == set(list_modules())


@pytest.mark.parametrize(("name", "strides"), FAMILIES.values(), ids=FAMILIES)
def test_a_family_gives_features_by_stride_at_every_size(
    name: str, strides: tuple[int, ...]
) -> None:
    encoder = Encoder(name)
    assert tuple(encoder.channels) == strides
    seen = {}
    for height, width in [(64, 96), (224, 160)]:
        down = -(-height // encoder.align) * encoder.align
        across = -(-width // encoder.align) * encoder.align
        # two images: some pool to one pixel and normalise that over the batch
        seen = encoder(torch.randn(2, 3, down, across))
        assert {stride: tuple(feature.shape) for stride, feature in seen.items()} == {
            stride: (2, channels, down // stride, across // stride)
            for stride, channels in encoder.channels.items()
        }
    torch.stack([feature.square().mean() for feature in seen.values()]).sum().backward()
    idle = [key for key, weights in encoder.named_parameters() if weights.grad is None]
    assert not [key for key in idle if key.startswith(("norms", "reassembly"))]
    # a network's own unused layers: a mask token, a classifier's norm
    assert len(idle) <= 4, idle


@pytest.mark.parametrize(("name", "message"), REFUSED.values(), ids=REFUSED)
def test_a_family_for_one_size_alone_is_refused_in_one_line(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"'{name}'.*{message}.*choose another") as caught:
        Encoder(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options"),
    [("test_mambaout", {}), ("swin_tiny_patch4_window7_224", {"dynamic_img_size": True})],
)
def test_channels_come_first_where_timm_puts_them_last(name: str, options: dict[str, bool]) -> None:
    features = create_features(name)
    plain = timm.create_model(name, features_only=True, **options).eval()
    plain.load_state_dict(features.net.state_dict())
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected = plain(images)
        maps = features.net.eval()(images)
    for last, first in zip(expected, maps, strict=True):
        assert torch.allclose(last.permute(0, 3, 1, 2), first, atol=1e-5)


def test_windows_take_multiples_of_the_size_that_they_are_made_for() -> None:
    model = build_segmenter(ModelConfig("unet", "test_maxvit", 2)).eval()
    side = model.encoder.align
    assert side == timm.get_pretrained_cfg("test_maxvit").input_size[-1]
    assert side > 32
    with torch.no_grad():
        assert model(torch.rand(1, 3, side + 1, 40)).shape == (1, 2, side + 1, 40)


def test_a_network_that_crops_its_borders_is_padded_and_keeps_its_weights() -> None:
    features = create_features("legacy_xception")
    plain = timm.create_model("legacy_xception", features_only=True).eval()
    plain.load_state_dict(features.net.state_dict())
    images = torch.randn(1, 3, 64, 96)
    # the first convolution, of stride 2, begins one pixel further up and left
    shifted = torch.nn.functional.pad(images, (1, 0, 1, 0))
    with torch.no_grad():
        cropped = plain(shifted)[0]
        padded = features.net.eval()(images)[0]
    assert padded.shape[-2:] == (32, 48)
    assert cropped.shape[-2:] == (30, 46)
    # the second has a border of one pixel more
    assert torch.allclose(padded[..., 1:-1, 1:-1], cropped, atol=1e-5)


def test_stages_beyond_the_coarsest_stride_are_not_built() -> None:
    reduced = create_features("shvit_s1").net
    whole = timm.create_model("shvit_s1", features_only=True)
    assert sum(p.numel() for p in reduced.parameters()) < sum(p.numel() for p in whole.parameters())
