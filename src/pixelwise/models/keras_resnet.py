"""ResNet-V2 as Keras has it: `keras.applications.ResNet50V2` and its kin, without a top.

timm's `resnetv2_50` is the same idea in another network: here the last block of a stage halves, not
the first of the next; the first convolution and the convolutions 0 and 3 of a block have biases;
the first max-pooling is padded with zeros; and images go from -1 to 1.

Source: He, Zhang, Ren, Sun, ECCV 2016, "Identity Mappings in Deep Residual Networks"; names of
layers, strides, biases and epsilon are those of Keras 3.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch.nn.functional as F
from timm.models import FeatureInfo
from torch import Tensor, nn

EPSILON = 1.001e-5

# Channels of a block's output for each of its inner ones.
_EXPANSION = 4

# Keras counts the stages from conv2, after the first convolution and pooling.
_FIRST_STAGE = 2


class PreActivationBlock(nn.ModuleDict):
    """Normalisation and ReLU, then a bottleneck of three convolutions beside a shortcut.

    Layers have Keras's names within a block, in the order in which Keras counts them. With
    `projects` the shortcut is a 1x1 convolution; otherwise every `stride`-th pixel of the input.
    """

    def __init__(self, inputs: int, width: int, *, stride: int = 1, projects: bool = False) -> None:
        super().__init__()
        outputs = _EXPANSION * width
        self["preact_bn"] = _normalise(inputs)
        self["1_conv"] = nn.Conv2d(inputs, width, 1, bias=False)
        self["1_bn"] = _normalise(width)
        self["2_conv"] = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self["2_bn"] = _normalise(width)
        if projects:
            self["0_conv"] = nn.Conv2d(inputs, outputs, 1)
        self["3_conv"] = nn.Conv2d(width, outputs, 1)
        self.stride = stride

    def activate(self, x: Tensor) -> Tensor:
        """What the block's convolutions see of `x`."""
        return F.relu(self["preact_bn"](x))

    def forward(self, x: Tensor, activated: Tensor) -> Tensor:
        """`x` and what `activate` gives of it to the block's output."""
        shortcut = x
        if "0_conv" in self:
            shortcut = self["0_conv"](activated)
        elif self.stride > 1:
            shortcut = F.max_pool2d(x, 1, self.stride)
        y = F.relu(self["1_bn"](self["1_conv"](activated)))
        y = F.relu(self["2_bn"](self["2_conv"](y)))
        output: Tensor = shortcut + self["3_conv"](y)
        return output


class KerasResNetV2(nn.ModuleDict):
    """The network of so many `blocks` in each stage, as an encoder.

    Its features are the first convolution's at stride 2, at strides 4, 8 and 16 what the halving
    block of a stage sees after its normalisation and ReLU (`conv2_block3_preact_relu` and so on),
    and at stride 32 the network's own, `post_relu`. A layer's path in the state dict, with
    underscores for dots, is its name in Keras.
    """

    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)

    def __init__(self, blocks: Sequence[int], *, width: int = 64) -> None:
        super().__init__()
        self["conv1_conv"] = nn.Conv2d(3, width, 7, stride=2, padding=3)
        self.pool = nn.MaxPool2d(3, 2)
        channels = width
        layers = {"conv1_conv": width}  # after which a feature is taken, with its channels
        for stage, count in enumerate(blocks):
            inner = width * 2**stage
            is_last_stage = stage == len(blocks) - 1
            for number in range(1, count + 1):
                halves = number == count and not is_last_stage
                stride = 2 if halves else 1
                block = PreActivationBlock(channels, inner, stride=stride, projects=number == 1)
                name = f"conv{_FIRST_STAGE + stage}_block{number}"
                self[name] = block
                channels = _EXPANSION * inner
                if halves:
                    layers[f"{name}.preact_bn"] = channels
        self["post_bn"] = _normalise(channels)
        layers["post_bn"] = channels
        strides = [2 << number for number in range(len(layers))]
        self.channels = dict(zip(strides, layers.values(), strict=True))
        # where a stage ends, told as timm's networks tell it
        self.feature_info = _describe_features(layers, strides)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) from -1 to 1 to the features of each stride, finest first."""
        first = self["conv1_conv"](images)
        features = [first]
        x = self.pool(F.pad(first, (1, 1, 1, 1)))
        for block in self.values():
            if not isinstance(block, PreActivationBlock):
                continue
            activated = block.activate(x)
            if block.stride > 1:
                features.append(activated)
            x = block(x, activated)
        features.append(F.relu(self["post_bn"](x)))
        return features


KERAS_RESNETS: dict[str, Callable[[], KerasResNetV2]] = {
    "keras_resnet50v2": partial(KerasResNetV2, (3, 4, 6, 3)),
    "keras_resnet101v2": partial(KerasResNetV2, (3, 4, 23, 3)),
    "keras_resnet152v2": partial(KerasResNetV2, (3, 8, 36, 3)),
}


def _normalise(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON)


def _describe_features(layers: Mapping[str, int], strides: Sequence[int]) -> FeatureInfo:
    entries = [
        {"module": name, "num_chs": channels, "reduction": stride}
        for (name, channels), stride in zip(layers.items(), strides, strict=True)
    ]
    return FeatureInfo(entries, tuple(range(len(entries))))
