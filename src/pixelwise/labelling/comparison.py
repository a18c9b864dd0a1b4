"""Which of two models is better on strokes that neither has seen."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# Draws of the bootstrap, and strokes below which nothing is said.
ROUNDS = 2000
MIN_STROKES = 12


@dataclass(frozen=True)
class StrokeComparison:
    """Shares of pixels that are right, means over strokes, and the 95 % interval of the network's
    minus the live model's.
    """

    network: float
    live: float
    low: float
    high: float
    strokes: int

    def __str__(self) -> str:
        shares = f"{100 * self.network:.0f} % against the live model's {100 * self.live:.0f} %"
        interval = f"{100 * self.low:+.0f} to {100 * self.high:+.0f} points"
        return (
            f"of held-back strokes' pixels it has {shares} right, a difference of {interval} "
            f"({self.strokes} strokes)"
        )


def compare_strokes(
    network: Mapping[int, float], live: Mapping[int, float]
) -> StrokeComparison | None:
    """Compare shares that are right by stroke, of those that both have: a paired bootstrap over
    strokes. None with fewer than MIN_STROKES.
    """
    shared = sorted(network.keys() & live.keys())
    if len(shared) < MIN_STROKES:
        return None
    first = np.array([network[number] for number in shared])
    second = np.array([live[number] for number in shared])
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(shared), (ROUNDS, len(shared)))
    differences = (first - second)[draws].mean(axis=1)
    low, high = np.quantile(differences, (0.025, 0.975))
    return StrokeComparison(
        float(first.mean()), float(second.mean()), float(low), float(high), len(shared)
    )
