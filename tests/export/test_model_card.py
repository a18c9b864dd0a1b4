"""What the card says of a run, and what it cannot."""

import dataclasses
from typing import Any

import yaml

from pixelwise.classes import Classes
from pixelwise.export.model_card import CardSources, write_card
from pixelwise.models.checkpoint import Header
from pixelwise.models.config import ModelConfig

HEADER = Header(
    ModelConfig(decoder="unet", encoder="resnet18", classes=2),
    Classes.named(("sky", "road")),
    {"start": {"name": "resnet18, auto", "licence": "apache-2.0"}},
)
RECORD: dict[str, Any] = {
    "config": {"epochs": 20, "crop": [320, 480], "minutes": None},
    "data": {
        "root": "/home/me/secret",
        "format": "folder",
        "images": {"train": 90, "val": 10},
        "fingerprint": "0123",
    },
    "result": {"epochs": 20, "best": {"epoch": 17, "val_mean_iou": 0.71}},
}
SCORES: dict[str, Any] = {
    "split": "test",
    "mean_iou": 0.7,
    "mean_iou_95": [0.65, 0.75],
    "iou": {"sky": 0.9, "road": None},
    "iou_95": {"sky": [0.85, 0.95], "road": [None, None]},
    "mean_iou_by_image": [{}] * 12,
}


def test_a_card_has_data_protocol_scores_with_intervals_and_licences() -> None:
    sources = CardSources("roads", HEADER, RECORD, SCORES, "mit", "CC BY 4.0")
    _, head, body = write_card(sources).split("---\n", 2)
    assert yaml.safe_load(head)["license"] == "mit"
    for line in (
        "# roads",
        "2 classes: sky, road. unet on resnet18",
        "Format folder; images: train 90, val 10. Fingerprint of the set: `0123`.",
        "| epochs | 20 |",
        "epoch 17, with 0.7100; as they chose it, that flatters.",
        "Split `test`, 12 images; 95 % intervals by bootstrap over images.",
        "| mean IoU | 0.700 | 0.650 to 0.750 |",
        "| road | - | - to - |",
        "- Model: mit",
        "- Data: CC BY 4.0",
        "began with: resnet18, auto, apache-2.0",
    ):
        assert line in body
    assert "secret" not in body
    assert "| minutes" not in body
    assert sources.unknowns() == []


def test_what_is_not_known_is_said() -> None:
    sources = CardSources("roads", dataclasses.replace(HEADER, training={}))
    card = write_card(sources)
    assert "license: other" in card
    assert "None were given with the model." in card
    assert len(sources.unknowns()) == 4
    random = {"start": {"name": "unet, none", "licence": ""}}
    sources = CardSources("roads", dataclasses.replace(HEADER, training=random))
    assert "none, the training began with random weights" in write_card(sources)
    assert len(sources.unknowns()) == 3
