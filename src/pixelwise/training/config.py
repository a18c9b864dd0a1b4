"""What a training is told. A run writes all of it to run.json and can be repeated from there."""

from dataclasses import dataclass

from pixelwise.errors import ConfigError

PRECISIONS = ("auto", "float32", "bfloat16")
DEFAULT_EPOCHS = 25


@dataclass(frozen=True)
class TrainConfig:
    """Options of a training; None means: chosen from the data and the machine, and said.

    epochs or minutes (at most one; DEFAULT_EPOCHS where neither): how long. crop: (height, width) of a training
    sample, in multiples of 32. learning_rate: of the decoder; the pretrained encoder's is encoder_rate times that.
    upsample, plain: as in ModelConfig. start: a model whose weights this one begins with. optimizer: adamw or sgd.
    decay: polynomial or constant. drop_small: images smaller than the crop are left out instead of padded.
    void_as_background: void pixels are trained as class 0; for comparison only.
    """

    recipe: str = "default"
    decoder: str = "unet"
    encoder: str = "tf_efficientnet_lite0"
    weights: str = "auto"
    upsample: str = "transposed"
    plain: bool = False
    start: str | None = None
    epochs: int | None = None
    minutes: float | None = None
    crop: tuple[int, int] | None = None
    batch: int = 8
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    optimizer: str = "adamw"
    decay: str = "polynomial"
    learning_rate: float = 3e-3
    encoder_rate: float = 0.3
    weight_decay: float = 0.01
    warmup: float = 0.04
    scale: tuple[float, float] = (0.6, 1.8)
    jitter: float = 0.3
    mirror: bool = True
    drop_small: bool = False
    void_as_background: bool = False
    workers: int | None = None
    skip_broken: bool = False

    def __post_init__(self) -> None:
        if self.epochs is not None and self.minutes is not None:
            raise ConfigError("both epochs and minutes are given: choose one of --epochs and --minutes")
        self._demand(self.epochs is None or self.epochs >= 1, "epochs", "a whole number of at least 1")
        self._demand(self.minutes is None or self.minutes > 0, "minutes", "a number above 0")
        self._demand(self.batch >= 2, "batch", "at least 2, as batch normalisation needs more than one image")
        self._demand(0 < self.learning_rate <= 1, "learning_rate", "a number above 0 and at most 1")
        self._demand(self.precision in PRECISIONS, "precision", f"one of {', '.join(PRECISIONS)}")
        self._demand(self.optimizer in ("adamw", "sgd"), "optimizer", "adamw or sgd")
        self._demand(self.decay in ("polynomial", "constant"), "decay", "polynomial or constant")
        self._demand(0 < self.scale[0] <= self.scale[1] <= 16, "scale", "two numbers, 0 < low <= high <= 16")
        self._demand(self.workers is None or self.workers >= 0, "workers", "0 or more")
        self._demand(self.seed >= 0, "seed", "0 or more")
        if self.crop is not None:
            fits = all(side >= 32 and side % 32 == 0 for side in self.crop)
            self._demand(fits, "crop", "two multiples of 32 (height width), at least 32")

    def _demand(self, holds: bool, name: str, allowed: str) -> None:
        if not holds:
            raise ConfigError(f"{name} is {getattr(self, name)!r}: allowed is {allowed}")
