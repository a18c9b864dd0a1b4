"""Networks by size: the points of the front of accuracy against cost that are worth a name."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pixelwise.errors import ConfigError

Size = Literal["fast", "balanced", "accurate"]


@dataclass(frozen=True)
class NetworkSize:
    """A decoder with its way to enlarge features, and an encoder."""

    decoder: str
    encoder: str
    upsample: str | None = None


# By what they cost and bring (benchmarks/results/front.md).
NETWORK_SIZES: dict[str, NetworkSize] = {
    "fast": NetworkSize("segformer", "tf_efficientnet_lite0"),
    "balanced": NetworkSize("light", "tf_efficientnet_lite0"),
    "accurate": NetworkSize("light", "tf_efficientnet_lite2"),
}

# What each costs and brings beside the default.
REASONS = {
    "fast": "four fifths of the default's time for a picture; as good in trainings of minutes",
    "balanced": "the default",
    "accurate": "1.2 times the default's time for a picture; better in trainings of an hour or so",
}


def network_options(size: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """The network of a size, as options; none without a known one. Raises ConfigError where
    `options` name others beside it.
    """
    if size not in NETWORK_SIZES:
        return {}
    values = asdict(NETWORK_SIZES[size])
    for name, value in values.items():
        other = options.get(name)
        if other not in (None, value):
            raise ConfigError(
                f"size={size} is {values['decoder']} on {values['encoder']}, and {name}={other} "
                f"is given beside it: choose one of --size and --{name}"
            )
    return values
