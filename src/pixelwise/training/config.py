"""What a training is told. A run writes all of it to run.json and can be repeated from there."""

from dataclasses import dataclass

from pixelwise.errors import ConfigError
from pixelwise.models.config import SCALES
from pixelwise.training.losses import CLASS_WEIGHTS, make_loss
from pixelwise.training.schedule import DECAYS
from pixelwise.training.transforms import AUGMENTATIONS, PASTES

PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class TrainConfig:
    """Options of a training; None means: chosen from the data and the machine, and said.

    epochs or minutes (at most one): how long. crop: (height, width) of a training sample, in
    multiples of 32. learning_rate: of the decoder; the pretrained encoder's is encoder_rate times
    that. upsample, plain: as in ModelConfig. start: a model whose weights this one begins with.
    optimizer: adamw or sgd. devices: processes, each on a GPU of its own or a share of the cores;
    torchrun's count goes before it. timeout: seconds that one of them waits for the others before
    it gives up. decay: one of DECAYS. accumulate: batches whose gradients are added up to one step.
    clip: largest norm of the gradient. ema: decay of the moving average of the weights, which is
    what is scored and kept; 0 for none. freeze: epochs in which the encoder thaws, layer by layer
    from its end (Howard, Ruder 2018, section 3.3). patience: epochs without a better score after
    which the training ends. loss, class_weights, label_smoothing: as `make_loss` and
    `class_weights` take them. augment: one of AUGMENTATIONS; scale, jitter and mirror go before it.
    paste: share of the samples with classes of another one laid over them, half of its classes, or
    by paste_classes=rare most of those that are rarer than the median class. upright: no for images
    without an up, as from above or under a microscope, which are also turned by quarters.
    predict_scale: as ModelConfig's scale, and what validation looks at images by; None: the middle
    of `scale` while it trains, and found on the validation images when that is done. drop_small:
    images smaller than the crop are left out instead of padded. void_as_background: void pixels are
    trained as class 0; for comparison only. tensorboard: figures and pictures also as TensorBoard's
    events. cache: MiB for decoded images, 0 for none. profile: says what each epoch's time went
    into, and the operators of a few steps.
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
    batch: int | None = None
    accumulate: int | None = None
    seed: int = 0
    device: str = "auto"
    devices: int = 1
    timeout: float = 600.0
    precision: str = "auto"
    optimizer: str = "adamw"
    decay: str = "polynomial"
    learning_rate: float = 3e-3
    encoder_rate: float = 0.3
    weight_decay: float = 0.01
    warmup: float = 0.04
    clip: float | None = None
    ema: float = 0.99
    freeze: int = 0
    patience: int | None = None
    loss: str = "cross_entropy + dice"
    class_weights: str = "none"
    label_smoothing: float = 0.0
    augment: str = "strong"
    scale: tuple[float, float] | None = None
    jitter: float | None = None
    mirror: bool | None = None
    upright: bool = True
    paste: float = 0.0
    paste_classes: str = "half"
    predict_scale: float | None = None
    drop_small: bool = False
    void_as_background: bool = False
    workers: int | None = None
    cache: int | None = None
    profile: bool = False
    skip_broken: bool = False
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if self.epochs is not None and self.minutes is not None:
            raise ConfigError(
                "both epochs and minutes are given: choose one of --epochs and --minutes"
            )
        self._demand(
            self.epochs is None or self.epochs >= 1, "epochs", "a whole number of at least 1"
        )
        self._demand(self.minutes is None or self.minutes > 0, "minutes", "a number above 0")
        many = self.batch is None or self.batch >= 2
        self._demand(many, "batch", "at least 2, as batch normalisation needs more than one image")
        self._demand(
            self.accumulate is None or self.accumulate >= 1,
            "accumulate",
            "a whole number of at least 1",
        )
        self._demand(0 < self.learning_rate <= 1, "learning_rate", "a number above 0 and at most 1")
        self._demand(self.precision in PRECISIONS, "precision", f"one of {', '.join(PRECISIONS)}")
        self._demand(self.optimizer in ("adamw", "sgd"), "optimizer", "adamw or sgd")
        self._demand(self.decay in DECAYS, "decay", f"one of {', '.join(DECAYS)}")
        self._demand(
            self.class_weights in CLASS_WEIGHTS,
            "class_weights",
            f"one of {', '.join(CLASS_WEIGHTS)}",
        )
        self._demand(self.augment in AUGMENTATIONS, "augment", f"one of {', '.join(AUGMENTATIONS)}")
        self._demand(self.clip is None or self.clip > 0, "clip", "a number above 0")
        self._demand(0 <= self.warmup <= 1, "warmup", "a share from 0 to 1")
        self._demand(self.weight_decay >= 0, "weight_decay", "0 or more")
        self._demand(0 < self.encoder_rate <= 100, "encoder_rate", "a number above 0, at most 100")
        self._demand(self.freeze >= 0, "freeze", "0 or more")
        self._demand(
            self.patience is None or self.patience >= 1, "patience", "a whole number of at least 1"
        )
        for name in ("ema", "label_smoothing"):
            self._demand(0 <= getattr(self, name) < 1, name, "a number from 0 to below 1")
        self._demand(0 <= self.paste <= 1, "paste", "a share from 0 to 1")
        pasting = self.paste > 0 or self.paste_classes == "half"
        self._demand(
            self.paste_classes in PASTES and pasting,
            "paste_classes",
            "half, or rare with a paste above 0",
        )
        self._demand(
            self.jitter is None or 0 <= self.jitter < 1, "jitter", "a number from 0 to below 1"
        )
        low, high = self.scale or (1.0, 1.0)
        self._demand(0 < low <= high <= 16, "scale", "two numbers, 0 < low <= high <= 16")
        known = self.predict_scale is None or SCALES[0] <= self.predict_scale <= SCALES[1]
        self._demand(
            known,
            "predict_scale",
            f"a number from {SCALES[0]} to {SCALES[1]}, 1 for the image's own size",
        )
        make_loss(self.loss)
        self._demand(self.workers is None or self.workers >= 0, "workers", "0 or more")
        self._demand(self.cache is None or self.cache >= 0, "cache", "MiB, 0 or more")
        self._demand(0 <= self.seed < 2**63, "seed", "0 or more, below 2^63")
        self._demand(self.devices >= 1, "devices", "a whole number of at least 1")
        self._demand(self.timeout > 0, "timeout", "a number above 0")
        if self.crop is not None:
            fits = all(side >= 32 and side % 32 == 0 for side in self.crop)
            self._demand(fits, "crop", "two multiples of 32 (height width), at least 32")

    def _demand(self, holds: bool, name: str, allowed: str) -> None:
        if not holds:
            raise ConfigError(f"{name} is {getattr(self, name)!r}: allowed is {allowed}")
