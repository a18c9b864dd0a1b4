"""What an encoder hands to a decoder."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Pyramid:
    """The features that an encoder gives: their channels by stride, and where it keeps its
    max-pooling's places.

    `pooled` are the channels of the picture that a 2x2 max-pooling halves, by that picture's
    stride.
    """

    channels: dict[int, int]
    pooled: dict[int, int] = field(default_factory=dict)


class Features(dict[int, Tensor]):
    """Features by stride, (N, channels, H / stride, W / stride).

    `places` are, by stride, the indices of the pixels that max-pooling kept, as `F.max_pool2d`
    returns them; empty unless the decoder unpools.
    """

    def __init__(
        self, features: Mapping[int, Tensor], places: Mapping[int, Tensor] | None = None
    ) -> None:
        super().__init__(features)
        self.places = dict(places or {})
