"""The course's loop for style transfer, written anew: what `style.py` measures pixelwise
against.
"""

from pathlib import Path

import torch
import torchvision
import torchvision.transforms.functional as vision
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

STYLE = (0, 5, 10, 17, 24)
CONTENT = (21,)
"""VGG-16's layers that stand where the course takes VGG-19's 0, 5, 10, 19, 28 and 25."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class Course:
    """Float32, Adam 0.3 times 0.8 every 50 steps, from the content; features of both pictures made
    before.

    As there, the network's own weights ask for gradients that nobody uses. `relative` divides each
    layer's loss by the mean square of what it is compared with, and weighs 1, 2, 1, as pixelwise
    does, for a network of another scale than torchvision's VGG-19; else the course's 1, 1e4, 10.
    """

    def __init__(
        self, pictures: tuple[Path, Path], weights: Path, size: tuple[int, int], *, relative: bool
    ) -> None:
        self.net = torchvision.models.vgg16(weights=None).features[: max(STYLE) + 1]
        state = load_file(weights)
        self.net.load_state_dict(
            {key: state[f"features.{key}"].float() for key in self.net.state_dict()}
        )
        content, style = (prepared(path, size) for path in pictures)
        with torch.no_grad():
            self.contents, _ = self.features(content)
            self.grams = [gram(each) for each in self.features(style)[1]]
        wanted = (self.contents, self.grams)
        self.scales = [
            [float(w.square().mean()) if relative else 1.0 for w in kind] for kind in wanted
        ]
        self.weights = (1.0, 2.0, 1.0) if relative else (1.0, 1e4, 10.0)
        self.image = nn.Parameter(content.clone())
        self.optimizer = torch.optim.Adam([self.image], lr=0.3)
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, 50, 0.8)

    def features(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Content and style maps."""
        content = []
        style = []
        for number, layer in enumerate(self.net):
            x = layer(x)
            if number in STYLE:
                style.append(x)
            if number in CONTENT:
                content.append(x)
        return content, style

    def losses(self) -> list[Tensor]:
        """Weighted: content, style, total variation."""
        contents, styles = self.features(self.image)
        pairs = ((contents, self.contents), ([gram(each) for each in styles], self.grams))
        content, style = (
            sum((f - w).square().mean() / scale for f, w, scale in zip(*pair, scales, strict=True))
            for pair, scales in zip(pairs, self.scales, strict=True)
        )
        x = self.image
        down = (x[:, :, 1:] - x[:, :, :-1]).abs().mean()
        across = (x[..., 1:] - x[..., :-1]).abs().mean()
        return [
            w * part
            for w, part in zip(self.weights, (content, style, 0.5 * (down + across)), strict=True)
        ]

    def step(self) -> list[float]:
        """One step; the losses before it."""
        self.optimizer.zero_grad()
        parts = self.losses()
        sum(parts).backward()
        self.optimizer.step()
        self.schedule.step()
        return [float(part.detach()) for part in parts]

    def total(self, picture: Tensor) -> float:
        """The loss of a finished picture (3, H, W) in [0, 1]."""
        kept = self.image.data
        self.image.data = vision.normalize(picture, MEAN, STD)[None]
        with torch.no_grad():
            found = float(sum(self.losses()))
        self.image.data = kept
        return found

    def picture(self) -> Tensor:
        """(3, H, W) in [0, 1]."""
        mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
        return (self.image.detach()[0] * std + mean).clamp(0, 1)


def gram(x: Tensor) -> Tensor:
    """Products of all pairs of channels, divided by channels and positions."""
    flat = x.reshape(x.shape[1], -1)
    return flat @ flat.T / flat.numel()


def resized(path: Path, size: tuple[int, int]) -> Tensor:
    """(3, H, W) in [0, 1], forced into `size` as the course does."""
    return vision.to_tensor(vision.resize(Image.open(path).convert("RGB"), list(size)))


def prepared(path: Path, size: tuple[int, int]) -> Tensor:
    """(1, 3, H, W), normalised."""
    return vision.normalize(resized(path, size), MEAN, STD)[None]
