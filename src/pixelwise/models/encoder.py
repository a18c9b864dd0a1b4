"""Any timm network, or a paper's own, as an encoder: an image in, features by stride out."""

import timm
import torch
from timm.models import is_model
from torch import Tensor, nn

from pixelwise.models.layer_swaps import (
    MaxPoolWithIndices,
    keep_pool_indices,
    run_depthwise_in_float32,
)
from pixelwise.models.paper_encoders import PAPER_ENCODERS
from pixelwise.models.plain_transformer import STRIDES, WIDTH, Reassembly, resize_to_grid
from pixelwise.models.pyramid import Features, Pyramid
from pixelwise.models.timm_features import (
    ALIGN,
    TimmFeatures,
    check_timm_name,
    create_features,
)

# Mean and standard deviation of ImageNet's colours, where timm knows none of a network's own.
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)

# Side of the square image that is sent through a network to see at which strides it pools: the
# least that a network of stride 32 takes without an empty map, times two.
_PROBE_SIDE = 64


class Encoder(nn.Module):
    """A timm `features_only` network or one of PAPER_ENCODERS, each of its features
    batch-normalised unless `plain`; of a plain transformer a pyramid of four of its layers.

    Networks differ in the scale of their features: EfficientNet-Lite's have a standard deviation of
    6. Concatenated or added as they are, the large skips drown what comes from the coarser strides,
    whose layers then get no gradient. (The authors of FCN-8s met the same and multiplied pool4 and
    pool3 by 0.01 and 0.0001 in their "at once" network.)

    Attributes: `net`, which holds the pretrained weights; `channels` by stride, coarsest last;
    `mean` and `std`, the normalisation that its weights expect; `align`, of which its images' sides
    are multiples; `reassembly`, a plain transformer's new layers, or None; `pyramid`, what a
    decoder needs to know. With `pool_indices` the features carry the indices of its max-poolings.
    With an `output_stride` of 8 or 16 the stages beyond it are dilated instead of strided, and the
    last of them gives the features of that stride; not so where timm has no dilation for the
    network. The last features of a pre-activation ResNet go through the network's final
    normalisation and ReLU; without `final_norm` they do not, as in models of earlier versions.
    """

    def __init__(
        self,
        name: str,
        *,
        plain: bool = False,
        pool_indices: bool = False,
        output_stride: int = ALIGN,
        final_norm: bool = True,
    ) -> None:
        super().__init__()
        self.name = name
        features = _create_features(name, output_stride, final_norm)
        self.net = features.net
        self.channels = features.channels
        # of each of the network's maps: several have the same in a dilated one
        self._strides = features.strides or tuple(features.channels)
        self.align = features.align
        self._patch = features.patch
        self.reassembly: Reassembly | None = None
        if features.patch:
            ((stride, channels),) = features.channels.items()
            self.reassembly = Reassembly(channels, stride)
            self.channels = dict.fromkeys(STRIDES, WIDTH)
            self._strides = STRIDES
        self.norms = nn.ModuleList()
        for channels in self.channels.values():
            # an identity where there is none, so that stages keep their numbers in the state dict
            norm = nn.Identity() if plain else nn.BatchNorm2d(channels)
            self.norms.append(norm)
        config = timm.get_pretrained_cfg(name) if is_model(name) else self.net
        self.mean = tuple(getattr(config, "mean", None) or _IMAGENET_MEAN)
        self.std = tuple(getattr(config, "std", None) or _IMAGENET_STD)
        run_depthwise_in_float32(self.net)
        self._pools: dict[int, MaxPoolWithIndices] = {}  # by the stride of what they halve
        pooled_channels: dict[int, int] = {}
        if pool_indices:
            self._pools, pooled_channels = _find_pools(self.net)
        self.pyramid = Pyramid(self.channels, pooled_channels)

    def forward(self, images: Tensor) -> Features:
        """Normalised (N, 3, H, W), H and W multiples of `align`, to {stride: (N, channels,
        H / stride, W / stride)}.
        """
        if self.reassembly is None:
            outputs = self.net(images)  # of each stride, finest first
        else:
            resized = resize_to_grid(images, self._patch)
            outputs = self.reassembly(self.net(resized))
        # of several maps of one stride the last, which has seen most, stays
        maps = dict(zip(self._strides, outputs, strict=True))
        features = {}
        for (stride, feature), norm in zip(maps.items(), self.norms, strict=True):
            features[stride] = norm(feature)
        pool_indices = {stride: pool.indices for stride, pool in self._pools.items()}
        return Features(features, pool_indices)


def check_encoder_name(name: str) -> None:
    """Raises ConfigError for a name that neither timm nor PAPER_ENCODERS has."""
    if name not in PAPER_ENCODERS:
        check_timm_name(name, PAPER_ENCODERS)


def _create_features(name: str, output_stride: int, final_norm: bool) -> TimmFeatures:
    if name in PAPER_ENCODERS:
        network = PAPER_ENCODERS[name]()
        return TimmFeatures(network, dict(network.channels))
    check_encoder_name(name)
    return create_features(name, output_stride, final_norm=final_norm)


def _find_pools(net: nn.Module) -> tuple[dict[int, MaxPoolWithIndices], dict[int, int]]:
    """The 2x2 max-poolings of `net`, made to keep their indices, and the channels that each pools,
    both by the stride of the pooling's input.
    """
    pools: dict[int, MaxPoolWithIndices] = {}
    channels: dict[int, int] = {}

    def note_stride(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        feature = inputs[0]  # (1, C, h, w)
        stride = _PROBE_SIDE // feature.shape[-1]
        pools[stride] = layer  # type: ignore[assignment]
        channels[stride] = feature.shape[1]

    layers = keep_pool_indices(net)
    if not layers:
        return {}, {}
    hooks = []
    for layer in layers:
        hooks.append(layer.register_forward_pre_hook(note_stride))
    probe = torch.zeros(1, 3, _PROBE_SIDE, _PROBE_SIDE)
    # in eval mode, so that the probe leaves no trace in running statistics
    training = net.training
    net.eval()
    with torch.no_grad():
        net(probe)
    net.train(training)
    for hook in hooks:
        hook.remove()
    return pools, channels
