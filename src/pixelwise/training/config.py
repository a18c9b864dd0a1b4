"""The options of a training. A run writes all of them to run.json and can be repeated from there.

None means: chosen from the data and the machine, and logged with its reason. Users give the fields
by their flat names, as `pixelwise.train("data", out="runs/a", decoder="unet", epochs=20)` does.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from pixelwise.config_fields import (
    Range,
    check_fields,
    group_values,
    option,
)
from pixelwise.errors import ConfigError
from pixelwise.models.config import SCALES
from pixelwise.training.network_sizes import Size, network_options
from pixelwise.training.run_options import RunOptions
from pixelwise.training.sample_options import AugmentOptions, LoadingOptions
from pixelwise.training.sample_options import Strength as Strength  # noqa: PLC0414  also found here

Decoder = Literal[
    "light",
    "unet",
    "linknet",
    "fcn8s",
    "fcn16s",
    "fcn32s",
    "deeplabv3plus",
    "dpt",
    "fpn",
    "lraspp",
    "pspnet",
    "segformer",
    "unetplusplus",
    "upernet",
]
Upsample = Literal["transposed", "bilinear", "subpixel", "unpool"]
PRECISIONS = ("auto", "float32", "bfloat16")

# Names of earlier versions, still accepted in run.json, in Python and on the command line.
RECIPE_ALIASES = {"book": "d2l"}

_POSITIVE = Range(0, low_open=True, text="a number above 0")
_COUNT = Range(1, text="a whole number of at least 1")
_NOT_NEGATIVE = Range(0, text="0 or more")
_SHARE = Range(0, 1, text="a share from 0 to 1")
_BELOW_ONE = Range(0, 1, high_open=True, text="a number from 0 to below 1")


@dataclass(frozen=True)
class ModelOptions:
    """The network and the weights it starts from."""

    size: Size | None = option(None, own=True)
    """Network by what it costs, in place of --decoder and --encoder; balanced is the default."""

    decoder: Decoder = option("light", own=True, suggest=True)
    """Decoder on top of the encoder, named as its paper names it."""

    encoder: str = option("tf_efficientnet_lite0", own=True)
    """Encoder: a timm network with features by stride; `pixelwise models` lists them."""

    weights: str = option("auto", own=True, metavar="auto|none|FILE")
    """Pretrained weights of the encoder: auto (an installed package, else timm's download), none,
    or a file.
    """

    upsample: Upsample | None = option(None, own=True, suggest=True)
    """How an FCN, U-Net or LinkNet enlarges its features; None: its own way, transposed. The other
    decoders interpolate.
    """

    plain: bool = option(False)
    """Build the network as published, without this project's additions."""

    final_norm: bool = option(True)
    """Send the last features of a pre-activation ResNet (resnetv2_50 and its kin) through the
    network's final normalisation and ReLU. A model to start from keeps its own way.
    """

    start: str | None = option(None, own=True, metavar="MODEL")
    """Model, bundled, your own or another library's, whose weights the training starts from;
    --weights is then ignored. Another library's brings its own network.
    """

    predict_scale: float | None = option(
        None,
        valid=Range(
            *SCALES, text=f"a number from {SCALES[0]} to {SCALES[1]}, 1 for the image's own size"
        ),
    )
    """Scale at which the trained model and validation see an image. None: the middle of `scale`
    during training, then the best one on the validation images.
    """

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class OptimOptions:
    """How long and how the weights are trained."""

    epochs: int | None = option(None, own=True, valid=_COUNT)
    """Passes over the training images; by default 10 to 60, fewer for larger data sets, more where
    these would be few steps.
    """

    minutes: float | None = option(None, own=True, valid=_POSITIVE)
    """Minutes for the whole training, with its preparations and its end, in place of --epochs."""

    loss: str = option("cross_entropy + dice", own=True)
    """Loss, a weighted sum of cross_entropy, dice, tversky, focal, lovasz, ohem and boundary, as in
    '0.5 * focal + dice'.
    """

    teacher: tuple[str, ...] = option((), own=True, metavar="MODEL")
    """Trained model whose scores the network learns beside the masks, as a small one from a large
    one; repeat it for several, which are averaged.
    """

    teacher_weight: float = option(1.0, valid=_POSITIVE)
    """Weight of the teacher's scores beside the loss against the masks."""

    class_weights: Literal["none", "inverse_log", "median"] = option("none")
    """Weights of the classes in the cross-entropy, from their shares of the pixels."""

    tree_weight: float = option(0.0, valid=_NOT_NEGATIVE)
    """Weight of the loss at each level of the classes' tree, where there is one, beside that of the
    classes.
    """

    label_smoothing: float = option(0.0, valid=_BELOW_ONE)
    """Label smoothing of the cross-entropy."""

    optimizer: Literal["adamw", "sgd"] = option("adamw")
    """Optimiser."""

    learning_rate: float | None = option(
        None, valid=Range(0, 1, low_open=True, text="a number above 0 and at most 1")
    )
    """Peak learning rate of the decoder; 0.003 by default, less where a training has few steps."""

    encoder_rate: float | None = option(
        None, valid=Range(0, 100, low_open=True, text="a number above 0, at most 100")
    )
    """Learning rate of a pretrained encoder, as a factor of `learning_rate`; 0.3 by default, 1
    where a training has few steps.
    """

    weight_decay: float = option(0.01, valid=_NOT_NEGATIVE)
    """Weight decay."""

    warmup: float | None = option(None, valid=_SHARE)
    """Share of the training in which the learning rate rises linearly; 0.04 by default, more where
    a training has few steps.
    """

    decay: Literal["polynomial", "cosine", "steps", "constant"] = option("polynomial")
    """How the learning rate falls after the warm-up."""

    accumulate: int | None = option(None, valid=_COUNT)
    """Batches whose gradients are added up to one step."""

    clip: float | None = option(None, valid=_POSITIVE)
    """Largest norm of the gradient; none by default."""

    ema: float | None = option(None, valid=_BELOW_ONE)
    """Decay of the moving average of the weights, which is what is scored and saved; 0 for none.
    Chosen by the number of steps, if not set: few have none.
    """

    ema_share: float = option(0.1, valid=_SHARE)
    """Share of the steps so far over which the moving average looks back until `ema` is reached; 0
    for the slower rise of earlier versions.
    """

    bn_batches: int | None = option(None, valid=_NOT_NEGATIVE)
    """Batches from which batch normalisation's statistics are taken anew before each validation; 0
    for the running ones of training.
    """

    validate_every: int | None = option(None, valid=_COUNT)
    """Epochs between two validations, after which the weights are kept too; 1 by default, more
    where an epoch has few steps.
    """

    keep_after: float = option(0.5, valid=_SHARE)
    """Share of the training before which an epoch is kept only where there is no later one."""

    freeze: int = option(0, valid=_NOT_NEGATIVE)
    """Epochs in which the encoder is unfrozen, layer by layer from its end (Howard, Ruder 2018,
    section 3.3).
    """

    frozen: bool = option(False)
    """Keep the encoder as it comes, for large transformers such as DINOv3: only the decoder and the
    layers between the two learn.
    """

    frozen_views: int = option(4, valid=_NOT_NEGATIVE)
    """Augmented views of each image that a frozen encoder sees, whose features are computed once; 0
    for a new view in each epoch.
    """

    frozen_stages: int | None = option(None, valid=_NOT_NEGATIVE)
    """First stages of the encoder whose weights stay as they are; by default those up to stride 4
    of a pretrained one where a training has few steps, which are a quarter faster so.
    """

    patience: int | None = option(None, valid=_COUNT)
    """Epochs without a better validation score after which the training stops early."""

    def __post_init__(self) -> None:
        if self.epochs is not None and self.minutes is not None:
            raise ConfigError(
                "both epochs and minutes are given: choose one of --epochs and --minutes"
            )
        if self.frozen and self.freeze:
            raise ConfigError(
                f"frozen=true keeps the encoder, freeze={self.freeze} lets it learn after so many "
                "epochs: choose one"
            )
        check_fields(self)
        from pixelwise.training.losses import make_loss  # imports PyTorch, which --help must not

        make_loss(self.loss)


@dataclass(frozen=True)
class TrainConfig:
    """All options of a training, by subject. Raises ConfigError for a value that is not allowed."""

    model: ModelOptions = field(default_factory=ModelOptions)
    data: LoadingOptions = field(default_factory=LoadingOptions)
    augmentation: AugmentOptions = field(default_factory=AugmentOptions)
    optim: OptimOptions = field(default_factory=OptimOptions)
    run: RunOptions = field(default_factory=RunOptions)

    @classmethod
    def from_flat(cls, **options: Any) -> "TrainConfig":
        """The config with these fields of its groups. Raises ConfigError for an unknown name, with
        the nearest one as advice.
        """
        return cls().with_options(**options)

    def with_options(self, **options: Any) -> "TrainConfig":
        """This config with other values for some fields, given by their flat names. Raises
        ConfigError.
        """
        if options.get("recipe") in RECIPE_ALIASES:
            options["recipe"] = RECIPE_ALIASES[options["recipe"]]
        options |= network_options(options.get("size", self.model.size), options)
        groups = group_values(TrainConfig, options)
        changed = {name: replace(getattr(self, name), **group) for name, group in groups.items()}
        return replace(self, **changed)

    def flat(self) -> dict[str, Any]:
        """Every field of the groups by its name, as run.json holds them."""
        return {
            item.name: getattr(group, item.name)
            for group in (self.model, self.data, self.augmentation, self.optim, self.run)
            for item in fields(group)
        }
