"""What this package knows of another library's networks, and what is read of one of its models."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from pixelwise.models.config import ModelConfig
from pixelwise.models.libraries.input_rules import InputRules


@dataclass(frozen=True)
class Library:
    """How a library's networks are built and run."""

    build: Callable[[ModelConfig], nn.Module]
    """The network with random weights. Raises ConfigError where it cannot be."""

    run: Callable[[nn.Module, Tensor], Tensor]
    """Its logits (N, C, h, w) of normalised images (N, 3, H, W)."""

    name_encoder: Callable[[nn.Module], tuple[str, ...]]
    """Those of its children that are the encoder."""

    align: Callable[[nn.Module], int]
    """To multiples of it the sides of its images are padded."""

    size: Callable[[nn.Module], tuple[int, int] | None] = lambda network: None
    """(height, width) of the only images that it takes; None where others do too."""


@dataclass(frozen=True)
class ImportedModel:
    """A model of another library, read."""

    config: ModelConfig
    network: nn.Module
    rules: InputRules
    names: tuple[str, ...] | None = None
    """Of the classes, where its files or its publisher name them."""

    first_value: int = 0
    """What the first class is in masks; 1 where its library reduces labels."""

    notes: tuple[str, ...] = ()
    """What was left out or assumed."""

    licence: str | None = None
