"""Networks by size: the points of the front of accuracy against cost that are worth a name."""

from dataclasses import dataclass
from typing import Any, Literal

from pixelwise.errors import ConfigError

Size = Literal["fast", "balanced", "accurate"]


@dataclass(frozen=True)
class NetworkSize:
    """A decoder, an encoder, and what they cost and bring (benchmarks/results/front.md)."""

    decoder: str
    encoder: str
    reason: str


NETWORK_SIZES: dict[str, NetworkSize] = {
    "fast": NetworkSize("fcn8s", "tf_efficientnet_lite0", "TODO"),
    "balanced": NetworkSize("light", "tf_efficientnet_lite0", "TODO"),
    "accurate": NetworkSize("light", "tf_efficientnet_lite2", "TODO"),
}


def network_options(size: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """The decoder and encoder of a size, as options; none without a known one. Raises ConfigError
    where `options` name others beside it.
    """
    if size not in NETWORK_SIZES:
        return {}
    network = NETWORK_SIZES[size]
    values = {"decoder": network.decoder, "encoder": network.encoder}
    for name, value in values.items():
        other = options.get(name)
        if other not in (None, value):
            raise ConfigError(
                f"size={size} is {network.decoder} on {network.encoder}, and {name}={other} is "
                f"given beside it: choose one of --size and --{name}"
            )
    return values
