"""What an encoder hands to a decoder."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Pyramid:
    """What a decoder must know of an encoder to be built for it."""

    channels: dict[int, int]
    """Of the features, by stride, finest first."""

    pooled_channels: dict[int, int] = field(default_factory=dict)
    """Of what a 2x2 max-pooling takes, by the stride before the pooling; empty unless the encoder
    keeps the indices."""


class Features(dict[int, Tensor]):
    """Features by stride, (N, channels, H / stride, W / stride).

    `pool_indices` are, by the stride before the pooling, the pixels that max-pooling kept, as
    `F.max_pool2d` returns them; empty unless the decoder unpools.
    """

    def __init__(
        self, features: Mapping[int, Tensor], pool_indices: Mapping[int, Tensor] | None = None
    ) -> None:
        super().__init__(features)
        self.pool_indices = dict(pool_indices or {})
