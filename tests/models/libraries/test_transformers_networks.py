"""transformers' own networks, processors and scores on random weights are the truth."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import ConfigError, ModelError
from pixelwise.models.checkpoint import load_model, model_path, read_header
from pixelwise.models.config import ModelConfig
from pixelwise.models.libraries import transformers_networks
from pixelwise.models.registry import build_segmenter

transformers = pytest.importorskip("transformers")

NAMES = {0: "wall", 1: "sky", 2: "cat"}
LABELS = {"id2label": NAMES, "label2id": {name: number for number, name in NAMES.items()}}
STAGES = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}
SMALL = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}


def segformer() -> tuple[Any, Any]:
    heads = {"num_attention_heads": [1, 2, 2, 4], "decoder_hidden_size": 16}
    config = transformers.SegformerConfig(**SMALL, **heads, **LABELS)
    return transformers.SegformerForSemanticSegmentation(config), "SegformerImageProcessor"


def upernet(backbone: Any) -> tuple[Any, Any]:
    config = transformers.UperNetConfig(
        backbone_config=backbone, hidden_size=16, auxiliary_channels=8, **LABELS
    )
    return transformers.UperNetForSemanticSegmentation(config), "SegformerImageProcessor"


def upernet_convnext() -> tuple[Any, Any]:
    return upernet(transformers.ConvNextConfig(**SMALL, **STAGES))


def upernet_swin() -> tuple[Any, Any]:
    sizes = {"embed_dim": 8, "depths": [2, 1, 1, 1], "num_heads": [1, 2, 2, 4]}
    return upernet(transformers.SwinConfig(**sizes, window_size=7, **STAGES))


def mobilevit() -> tuple[Any, Any]:
    sizes = {"hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 16, 24, 24, 32]}
    config = transformers.MobileViTConfig(
        **sizes, aspp_out_channels=16, num_attention_heads=4, **LABELS
    )
    return transformers.MobileViTForSemanticSegmentation(config), "MobileViTImageProcessor"


TRANSFORMER = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 32}


def dpt() -> tuple[Any, Any]:
    config = transformers.DPTConfig(
        **TRANSFORMER,
        num_hidden_layers=4,
        backbone_out_indices=[0, 1, 2, 3],
        image_size=32,
        patch_size=16,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        is_hybrid=False,
        **LABELS,
    )
    return transformers.DPTForSemanticSegmentation(config), "DPTImageProcessor"


def eomt() -> tuple[Any, Any]:
    config = transformers.EomtConfig(
        **TRANSFORMER,
        num_hidden_layers=3,
        image_size=64,
        patch_size=16,
        num_upscale_blocks=1,
        num_blocks=1,
        num_queries=5,
        mlp_ratio=2,
        **LABELS,
    )
    network = transformers.EomtForUniversalSegmentation(config)
    network.attn_mask_probs.zero_()  # as at the end of every training of its authors
    return network, "EomtImageProcessor"


def write(folder: Path, make: Callable[[], tuple[Any, Any]], **options: object) -> tuple[Any, Any]:
    """The network and its processor, and their files in `folder`."""
    torch.manual_seed(0)
    network, kind = make()
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        network.train()(pixel_values=torch.rand(4, 3, 64, 64))
        for name, parameter in network.named_parameters():
            if "classifier" in name:
                parameter.mul_(10)
    network.eval().save_pretrained(folder)
    processor = getattr(transformers, kind)(**options)
    processor.save_pretrained(folder)
    return network, processor


def run(network: Any, processor: Any) -> Callable[[Tensor], Tensor]:
    """From the image to logits of its size, by transformers alone."""

    def logits(images: Tensor) -> Tensor:
        size = images.shape[-2:]
        options = {"do_resize": False, "return_tensors": "pt", "do_rescale": False}
        if hasattr(processor, "do_center_crop"):
            options["do_center_crop"] = False
        pixel_values = processor(images=[images[0]], **options)["pixel_values"]
        output = network(pixel_values=pixel_values)
        if hasattr(output, "logits"):
            return F.interpolate(output.logits, size=size, mode="bilinear", align_corners=False)
        (result,) = processor.post_process_semantic_segmentation(
            output, [tuple(size)], return_segmentation_scores=True
        )
        return result.segmentation_scores[None].log()

    return logits


@pytest.mark.parametrize(
    ("make", "size", "options"),
    [
        (segformer, (64, 96), {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}),
        (upernet_convnext, (64, 96), {}),
        (upernet_swin, (64, 96), {}),
        (mobilevit, (64, 96), {}),
        (dpt, (48, 48), {"size": {"height": 48, "width": 48}}),
        (eomt, (64, 64), {"size": {"shortest_edge": 64, "longest_edge": 64}}),
    ],
)
def test_logits_are_those_of_transformers_also_as_onnx(
    tmp_path: Path,
    compare: Callable[..., float],
    compare_onnx: Callable[..., float],
    make: Callable[[], tuple[Any, Any]],
    size: tuple[int, int],
    options: dict[str, Any],
) -> None:
    network, processor = write(tmp_path, make, **options)
    logits = run(network, processor)
    with torch.no_grad():
        assert logits(torch.rand(1, 3, *size)).std() > 0.05  # there is something to compare
    assert compare(tmp_path, logits, size=size) < 1e-4
    assert read_header(tmp_path).classes.names == ("wall", "sky", "cat")
    assert compare_onnx(tmp_path, (97, 50), (33, 130)) < 1e-3


def test_its_own_files_say_how_images_are_prepared(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, upernet_convnext, size={"height": 256, "width": 256})
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    header = read_header(tmp_path)
    assert header.sizes is not None
    assert header.sizes.view_size(480, 640) == (222, 296)  # of 256 x 256 pixels
    assert header.training["start"]["licence"] == "mit"
    assert "auxiliary_head is left out" in caplog.text
    assert "licence is unknown" not in caplog.text


def test_unnamed_classes_are_called_by_their_values_in_masks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, segformer, do_reduce_labels=True)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["id2label"] = {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    path.write_text(json.dumps(config))
    assert read_header(tmp_path).classes.names == ("class 1", "class 2", "class 3")
    assert "they are called class 1 to class 3" in caplog.text


def test_weights_in_a_pickle_of_tensors_are_read_and_other_pickles_are_not(tmp_path: Path) -> None:
    network, _ = write(tmp_path, segformer)
    (tmp_path / "model.safetensors").unlink()
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    model, _ = load_model(tmp_path)
    name = "decode_head.classifier.weight"
    assert torch.equal(model.state_dict()[f"network.{name}"], network.state_dict()[name])
    torch.save(nn.Conv2d(1, 1, 1), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"transformers \S+ cannot read it .*was written by"):
        model_path(tmp_path)


def test_a_checkpoint_without_its_head_is_refused(tmp_path: Path) -> None:
    network, _ = write(tmp_path, segformer)
    state = {n: v for n, v in network.state_dict().items() if not n.startswith("decode_head")}
    network.save_pretrained(tmp_path, state_dict=state)
    with pytest.raises(ModelError, match=r"first decode_head\..*the encoder alone can serve"):
        model_path(tmp_path)


def test_another_number_of_classes_than_its_head_has_is_refused(tmp_path: Path) -> None:
    write(tmp_path, segformer)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["id2label"] = {"0": "a", "1": "b"}
    config["label2id"] = {"a": 0, "b": 1}
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"have another shape .* first decode_head\.classifier"):
        model_path(tmp_path)


def test_a_classifier_is_no_segmentation_network(tmp_path: Path) -> None:
    config = transformers.SegformerConfig(**SMALL, num_attention_heads=[1, 2, 2, 4])
    transformers.SegformerForImageClassification(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"unknown architecture of .*'SegformerForImageClass"):
        model_path(tmp_path)


def test_without_transformers_the_way_to_install_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise ConfigError(f"{name} is not installed: pip install 'pixelwise[{name}]'")

    monkeypatch.setattr(transformers_networks, "require_package", missing)
    config = ModelConfig("transformers.DPTForSemanticSegmentation", "dpt", 2, options={})
    with pytest.raises(ConfigError, match=r"pip install 'pixelwise\[transformers\]'"):
        build_segmenter(config)
