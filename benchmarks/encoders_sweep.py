"""Every family of timm as an encoder: its strides, and the decoders that it works with.

python benchmarks/encoders_sweep.py --out benchmarks/results/encoders.md

Of each module of timm the smallest network, with random weights, is tried under a decoder (U-Net,
or the first whose strides it has) with images of two sizes and a step backwards; other decoders
are listed by the strides that they need. What is refused stands there with its line.
"""

import argparse
import warnings
from pathlib import Path

import timm
import torch
from machine import provenance
from timm.models import list_modules

from pixelwise.errors import ConfigError
from pixelwise.models.config import ModelConfig
from pixelwise.models.encoder import Encoder
from pixelwise.models.registry import DECODERS, REQUIRED_STRIDES, build_segmenter

# The network of each module with the fewest weights, timm's own test networks aside.
SMALLEST = {
    "beit": "beit_base_patch16_224",
    "byoanet": "halonet_h1",
    "byobnet": "mobileone_s1",
    "cait": "cait_xxs24_224",
    "coat": "coat_tiny",
    "convit": "convit_tiny",
    "convmixer": "convmixer_768_32",
    "convnext": "convnext_zepto_rms",
    "cpubone": "cpubone_nano",
    "crossvit": "crossvit_tiny_240",
    "csatv2": "csatv2",
    "cspnet": "cs3darknet_focus_s",
    "cspnext": "cspnext_tiny",
    "davit": "davit_tiny",
    "deepseek_vit": "deepseek_vit_412m",
    "deit": "deit_tiny_patch16_224",
    "densenet": "densenet121",
    "dla": "dla46x_c",
    "dpn": "dpn48b",
    "edgenext": "edgenext_xx_small",
    "efficientformer": "efficientformer_l1",
    "efficientformer_v2": "efficientformerv2_s0",
    "efficientnet": "mobilenetv2_035",
    "efficientvim": "efficientvim_m1",
    "efficientvit_mit": "efficientvit_b0",
    "efficientvit_msra": "efficientvit_m0",
    "eva": "vit_tiny_patch16_dinov3_qkvb",
    "fasternet": "fasternet_t0",
    "fastvit": "fastvit_t8",
    "focalnet": "focalnet_tiny_srf",
    "gcvit": "gcvit_xxtiny",
    "gemma4_vit": "gemma4_vit_167m",
    "ghostnet": "ghostnet_050",
    "hardcorenas": "hardcorenas_b",
    "hgnet": "hgnetv2_b0",
    "hiera": "hiera_tiny_224",
    "hieradet_sam2": "sam2_hiera_tiny",
    "hrnet": "hrnet_w18_small",
    "iformer": "iformer_t",
    "inception_next": "inception_next_atto",
    "inception_resnet_v2": "inception_resnet_v2",
    "inception_v3": "inception_v3",
    "inception_v4": "inception_v4",
    "lcnetv2": "lcnetv2_small",
    "levit": "levit_128s",
    "lowformer": "lowformer_b0",
    "mambaout": "mambaout_femto",
    "maxxvit": "maxvit_pico_rw_256",
    "metaformer": "poolformerv2_s12",
    "mlp_mixer": "gmlp_ti16_224",
    "mobilenetv3": "mobilenetv3_small_050",
    "mobilenetv5": "mobilenetv5_base",
    "mobilevit": "mobilevit_xxs",
    "mvitv2": "mvitv2_tiny",
    "naflexvit": "naflexvit_base_patch16_parfac_gap",
    "nasnet": "nasnetalarge",
    "nest": "nest_tiny",
    "nextvit": "nextvit_small",
    "nfnet": "nf_regnet_b0",
    "pit": "pit_ti_224",
    "pnasnet": "pnasnet5large",
    "pvt_v2": "pvt_v2_b0",
    "qwen3_vit": "qwen3_vit_88m",
    "rdnet": "rdnet_tiny",
    "regnet": "regnetx_002",
    "repghost": "repghostnet_050",
    "repvit": "repvit_m1",
    "res2net": "res2next50",
    "resnest": "resnest14d",
    "resnet": "resnet10t",
    "resnetv2": "resnetv2_18",
    "rexnet": "rexnet_100",
    "selecsls": "selecsls42",
    "senet": "legacy_seresnet18",
    "sequencer": "sequencer2d_s",
    "shvit": "shvit_s1",
    "sknet": "skresnet18",
    "starnet": "starnet_s050",
    "swiftformer": "swiftformer_xs",
    "swin_transformer": "swin_tiny_patch4_window7_224",
    "swin_transformer_v2": "swinv2_tiny_window16_256",
    "swin_transformer_v2_cr": "swinv2_cr_tiny_224",
    "tiny_vit": "tiny_vit_5m_224",
    "tnt": "tnt_s_legacy_patch16_224",
    "tresnet": "tresnet_m",
    "twins": "twins_svt_small",
    "vgg": "vgg11",
    "visformer": "visformer_tiny",
    "vision_transformer": "vit_tiny_patch16_224",
    "vision_transformer_hybrid": "vit_tiny_r_s16_p8_224",
    "vision_transformer_relpos": "vit_srelpos_small_patch16_224",
    "vision_transformer_sam": "samvit_base_patch16_224",
    "vitamin": "vitamin_small_224",
    "volo": "volo_d1_224",
    "vovnet": "ese_vovnet19b_slim_dw",
    "xception": "legacy_xception",
    "xception_aligned": "xception41p",
    "xcit": "xcit_nano_12_p8_224",
}

# The smallest of these has 412 million weights.
LARGE = {"deepseek_vit"}

SIZES = [(64, 96), (224, 160)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    lines = [
        "# Encoders by family",
        "",
        provenance(f"python benchmarks/encoders_sweep.py --out {args.out}"),
        "The smallest network of each family (module) of timm "
        f"{timm.__version__}, random weights. `sides` is the multiple to which images are padded; a plain transformer has "
        "one stride, from which four layers are brought to a pyramid.",
        "",
        "| family | encoder | million weights | strides | sides | decoders, or the line that "
        "refuses it |",
        "|---|---|---|---|---|---|",
    ]
    for family in sorted(list_modules()):
        lines.append(row(family))
        print(lines[-1], flush=True)
    args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def row(family: str) -> str:
    name = SMALLEST[family]
    if family in LARGE:
        return f"| {family} | {name} | | | | not tried: too large |"
    try:
        encoder = Encoder(name)
    except ConfigError as error:
        return f"| {family} | {name} | | | | {error} |"
    million = sum(weights.numel() for weights in encoder.net.parameters()) / 1e6
    strides = ", ".join(map(str, encoder.channels))
    kind = " (plain)" if encoder.reassembly else ""
    working = [name for name in DECODERS if REQUIRED_STRIDES[name] <= encoder.channels.keys()]
    if working:
        check("unet" if "unet" in working else working[0], name)
    return (
        f"| {family} | {name} | {million:.1f} | {strides}{kind} | {encoder.align} | "
        f"{', '.join(working) or 'none'} |"
    )


def check(decoder: str, encoder: str) -> None:
    """Raises where logits have another size than the images, or the encoder gets no finite
    gradient.
    """
    model = build_segmenter(ModelConfig(decoder, encoder, 3))
    for height, width in SIZES:
        logits = model(torch.rand(2, 3, height, width))
        assert logits.shape == (2, 3, height, width), (decoder, encoder, logits.shape)
    logits.square().mean().backward()
    gradients = [p.grad for p in model.encoder.net.parameters() if p.grad is not None]
    assert gradients, (decoder, encoder)
    assert all(bool(gradient.isfinite().all()) for gradient in gradients), (decoder, encoder)


if __name__ == "__main__":
    main()
