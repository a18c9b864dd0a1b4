"""Progress of a training, and the learning rate at each point of it."""

import math
import time
from dataclasses import dataclass, field

POWER = 0.9

# Share of a training after which the decay by steps divides the rate by ten: two steps in all.
STEP = 0.35

# Of a round of counted minutes, validation takes at most about so much.
VALIDATION_SHARE = 0.15


def rate_factor(progress: float, *, warmup: float, decay: str = "polynomial") -> float:
    """Learning rate as a share of its peak: linear warm-up over the first share `warmup`, times a
    decay from 1 to 0.

    decay: `polynomial`, 1 - progress to the power of 0.9 (Chen et al. 2018, section 4.1), `cosine`,
    half a period of it (Loshchilov, Hutter 2017, section 3), `steps`, a tenth after each STEP, or
    `constant`, none.
    """
    rising = min(1.0, (progress + 1e-3) / (warmup + 1e-3))
    if decay == "constant":
        return rising
    if decay == "steps":
        return float(rising * 0.1 ** int(progress / STEP))
    left = min(1.0, max(0.0, 1.0 - progress))
    falling = left**POWER if decay == "polynomial" else (1 - math.cos(math.pi * left)) / 2
    return float(rising * falling)


@dataclass
class Budget:
    """A training's length, in steps or in seconds, and how much of it is used up."""

    steps: int | None
    seconds: float | None
    reserve: float = 0.0
    """Seconds reserved for the last validation and what follows it."""
    done: int = 0
    """Batches trained on so far."""
    earlier: float = 0.0
    """Seconds spent in the sessions that this one resumes."""
    rate: float = 1.0
    """Share of the planned learning rate that is used."""
    started: float = field(default_factory=time.monotonic)
    """When this session began, by time.monotonic()."""

    @property
    def elapsed(self) -> float:
        """Seconds spent, including those of the sessions that this one resumes."""
        return self.earlier + time.monotonic() - self.started

    @property
    def progress(self) -> float:
        """0 at the start, 1 when the training is to end."""
        if self.steps is not None:
            return min(1.0, self.done / self.steps)
        return min(1.0, self.elapsed / max((self.seconds or 0.0) - self.reserve, 1e-9))

    @property
    def seconds_left(self) -> float | None:
        """Estimated from the progress so far; None before the first step."""
        if self.seconds is not None:
            return max(0.0, self.seconds - self.elapsed)
        return self.elapsed / self.progress * (1 - self.progress) if self.progress else None

    @property
    def over(self) -> bool:
        """Whether the training is to end here."""
        return self.progress >= 1.0


def longer_round(passes: int, *, training: float, validation: float) -> int:
    """Passes of the next round after one of `passes`, from the seconds that its two parts took, for
    validation to take about VALIDATION_SHARE of it; never fewer.
    """
    longer = validation / (VALIDATION_SHARE * max(training, 1e-9))
    return max(passes, math.ceil(passes * longer))
