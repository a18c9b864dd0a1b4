"""What is made of each image by a model of overlapping classes."""

from dataclasses import dataclass, fields
from typing import Self

from pixelwise.errors import ConfigError
from pixelwise.inference.predict_options import PredictOptions

_EXTRAS = frozenset({"probabilities"})
_TAKEN = frozenset({"overlay", "extras", "tta", "scales", "frames", "layers"})


@dataclass(frozen=True)
class LayerOptions(PredictOptions):
    """PredictOptions for the classes `layers`, each of which has a mask of its own."""

    layers: tuple[str, ...] = ()

    @classmethod
    def of(cls, options: PredictOptions, classes: tuple[str, ...]) -> Self:
        """The options for a model of these classes. Raises ConfigError for one that needs one class
        a pixel.
        """
        values = {item.name: getattr(options, item.name) for item in fields(PredictOptions)}
        changed = [
            item.name
            for item in fields(PredictOptions)
            if item.name not in _TAKEN and values[item.name] != item.default
        ]
        changed += [extra for extra in options.extras if extra not in _EXTRAS]
        if changed:
            raise ConfigError(
                f"{', '.join(changed)}: the model's classes overlap, and this needs one class a "
                "pixel; leave it out"
            )
        return cls(**values, layers=classes)
