"""Losses over logits (N, C, H, W) and targets (N, H, W) of class ids and void.

All give a scalar in float32, leave void pixels out, pool over the whole batch, and are zero, with a
gradient of zero, where every pixel is void. `make_loss` reads a weighted sum of them from a text.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.classes import VOID
from pixelwise.errors import ConfigError, unknown_choice_error

Loss = Callable[[Tensor, Tensor], Tensor]

# Of larger batches a random sample of this many pixels is ranked: sorting all of them costs as much
# as the network.
LOVASZ_PIXELS = 1 << 16

CLASS_WEIGHTS = ("none", "inverse_log", "median")


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    smoothing: float = 0.0,
) -> Tensor:
    """Mean over the pixels, each counted with `weight` (C,) of its class; `smoothing` spreads that
    share of the truth over all classes (Szegedy et al. 2016, section 7).
    """
    total = F.cross_entropy(
        logits.float(),
        target,
        weight,
        ignore_index=VOID,
        reduction="sum",
        label_smoothing=smoothing,
    )
    counted = target != VOID
    norm = counted.sum() if weight is None else weight[target[counted]].sum()
    return total / norm.clamp(min=1e-6)


def dice(logits: Tensor, target: Tensor) -> Tensor:
    """1 - the soft Dice coefficient 2 |P T| / (|P| + |T|), averaged over the classes in the target.

    Source: Milletari, Navab, Ahmadi 2016, "V-Net", section 3, with plain sums in place of squares
    (Sudre et al. 2017).
    """
    return tversky(logits, target, alpha=0.5, beta=0.5)


def tversky(logits: Tensor, target: Tensor, *, alpha: float = 0.3, beta: float = 0.7) -> Tensor:
    """1 - |P T| / (|P T| + alpha |P - T| + beta |T - P|), averaged over the classes in the target;
    `beta` above `alpha` makes missed pixels cost more than false ones. Source: Salehi, Erdogmus,
    Gholipour 2017, equation 3.
    """
    shares = logits.float().softmax(1)  # (N, C, H, W)
    counted = target != VOID
    column = counted.flatten(1)[:, :, None].float()  # (N, H W, 1)
    # A product of matrices takes less memory than a masked copy of all shares.
    sums = (shares.flatten(2) @ column).sum((0, 2))  # (C,)
    sizes = torch.bincount(target[counted], minlength=logits.shape[1])
    overlap = _overlap(shares, target, counted)
    # The order of these terms fixes the order in which gradients add up, and so their last bits.
    union = overlap + alpha * (sums - overlap) + beta * (sizes - overlap)
    index = overlap / union.clamp(min=1e-6)
    losses = 1 - index
    return _mean(losses[sizes > 0], logits)


def _overlap(shares: Tensor, target: Tensor, counted: Tensor) -> Tensor:
    """By class (C,), the sum of the shares that its own pixels give it."""
    indices = target.masked_fill(~counted, 0)  # void is no index of a class
    true_shares = shares.gather(1, indices[:, None])[:, 0]  # (N, H, W)
    sums = shares.new_zeros(shares.shape[1])
    return sums.index_add(0, target[counted], true_shares[counted])


def focal(logits: Tensor, target: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Mean of (1 - p)^gamma times the cross-entropy; p is the share of the true class.

    Source: Lin et al. 2017, "Focal loss for dense object detection", section 3.
    """
    losses = _pixels(logits, target)
    share = (-losses).exp()
    factor = (1 - share) ** gamma
    return _mean(factor * losses, logits)


def ohem(logits: Tensor, target: Tensor, *, share: float = 0.7, least: float = 1 / 16) -> Tensor:
    """Mean cross-entropy of only the hard pixels: those whose true class has less than `share`,
    and at least the part `least` of all. Source: Shrivastava et al. 2016 for regions; Wu et al.
    2016, section 3.2, for pixels.
    """
    losses = _pixels(logits, target)
    hard = losses > -math.log(share)
    count = math.ceil(least * len(losses))
    if int(hard.sum()) >= count:
        return _mean(losses[hard], logits)
    return _mean(losses.topk(count).values, logits)


def boundary(logits: Tensor, target: Tensor, *, reach: int = 2, extra: float = 4.0) -> Tensor:
    """Mean cross-entropy in which pixels within `reach` of another class count 1 + `extra` times.

    The idea is U-Net's weight map (Ronneberger et al. 2015, section 3, equation 2), with a band in
    place of its Gaussian over instances.
    """
    weights = 1 + extra * _is_near_other_class(target, reach)  # (N, H, W)
    weight = weights[target != VOID]
    losses = _pixels(logits, target)
    mean = (losses * weight).sum() / weight.sum().clamp(min=1)
    return mean + 0 * logits.float().sum()  # a gradient of zero where all is void


def _is_near_other_class(target: Tensor, reach: int) -> Tensor:
    """Whether more than one class lies within `reach` pixels, (N, H, W)."""
    side = 2 * reach + 1
    is_void = target == VOID
    # Void is neither the lowest nor the highest class of any window.
    low = target.float().masked_fill(is_void, torch.inf)
    high = target.float().masked_fill(is_void, -torch.inf)
    lowest = -F.max_pool2d(-low[:, None], side, 1, reach)
    highest = F.max_pool2d(high[:, None], side, 1, reach)
    near = lowest < highest  # (N, 1, H, W)
    return near[:, 0]


def lovasz(logits: Tensor, target: Tensor, *, pixels: int = LOVASZ_PIXELS) -> Tensor:
    """The Lovász extension of 1 - IoU over the classes in the target, on a random sample of at most
    `pixels` pixels.

    Source: Berman, Rannen Triki, Blaschko 2018, "The Lovász-Softmax loss", section 3 and algorithm
    1.
    """
    image, pixel = _sample_pixels(target, pixels).T
    truth = target.flatten(1)[image, pixel]  # (P,)
    scores = logits.flatten(2)[image, :, pixel].float()  # (P, C)
    shares = scores.softmax(1)
    losses = []
    for label in torch.unique(truth):
        is_class = (truth == label).float()
        losses.append(_lovasz_of_class(is_class, shares[:, label]))
    if not losses:
        return _mean(scores.new_zeros(0), logits)
    return _mean(torch.stack(losses), logits)


def _sample_pixels(target: Tensor, count: int) -> Tensor:
    """Image and pixel of those that are not void, (P, 2); a sample of `count` where there are
    more.
    """
    positions = (target.flatten(1) != VOID).nonzero()
    if len(positions) <= count:
        return positions
    sample = torch.randint(len(positions), (count,), device=positions.device)
    return positions[sample]


def _lovasz_of_class(is_class: Tensor, shares: Tensor) -> Tensor:
    """Algorithm 1: errors, largest first, weighted by what each adds to the Jaccard loss."""
    errors, order = (is_class - shares).abs().sort(descending=True)
    truth = is_class[order]
    intersection = truth.sum() - truth.cumsum(0)
    union = truth.sum() + (1 - truth).cumsum(0)
    jaccard = 1 - intersection / union
    gradient = jaccard.diff(prepend=jaccard.new_zeros(1))
    return errors @ gradient


LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": cross_entropy,
    "dice": dice,
    "tversky": tversky,
    "focal": focal,
    "lovasz": lovasz,
    "ohem": ohem,
    "boundary": boundary,
}


def make_loss(text: str, *, weight: Tensor | None = None, smoothing: float = 0.0) -> Loss:
    """A weighted sum from its text: `cross_entropy`, `cross_entropy + dice`, `0.5 * focal + 2 *
    lovasz`.

    `weight` (C,) and `smoothing` go to the cross-entropy. Raises ConfigError for a text that is no
    such sum.
    """
    known: dict[str, Callable[..., Tensor]] = {
        **LOSSES,
        "cross_entropy": partial(cross_entropy, weight=weight, smoothing=smoothing),
    }
    return sum_losses(text, known)


def sum_losses(text: str, known: Mapping[str, Callable[..., Tensor]]) -> Loss:
    """The sum of a text of `known` losses. Raises ConfigError for a text that is no such sum."""
    terms = [_parse_term(term, text) for term in text.split("+")]
    for _, name in terms:
        if name not in known:
            raise unknown_choice_error("loss", name, known)

    def total(logits: Tensor, target: Tensor) -> Tensor:
        # On the CPU a softmax over the channels of contiguous logits is several times as fast.
        scores = logits.float().contiguous()
        parts = [factor * known[name](scores, target) for factor, name in terms]
        return torch.stack(parts).sum()

    return total


def class_weights(kind: str, pixels: Tensor, seen: Tensor) -> Tensor | None:
    """Weights (C,) with mean 1 over the classes that have pixels; None for `none`.

    pixels: of each class. seen: pixels of all images that hold the class, void left out.
    `inverse_log` is 1 / ln(1.02 + p) (Paszke et al. 2016, "ENet", section 5.2); `median`, median
    frequency balancing (Eigen, Fergus 2015, section 6.3). Classes without pixels weigh 1.
    """
    pixels = pixels.double()
    seen = seen.double()
    present = pixels > 0
    if kind == "none":
        return None
    if kind == "inverse_log":
        weight = 1 / torch.log(1.02 + pixels / pixels.sum())
    elif kind == "median":
        frequency = pixels / seen.clamp(min=1)
        weight = frequency[present].quantile(0.5) / frequency.clamp(min=1e-12)
    else:
        raise unknown_choice_error("class weights", kind, CLASS_WEIGHTS)
    return torch.where(present, weight / weight[present].mean(), 1.0).float()


def _parse_term(term: str, text: str) -> tuple[float, str]:
    factor, star, name = term.rpartition("*")
    try:
        value = float(factor) if star else 1.0
    except ValueError:
        value = math.nan
    if not value > 0 or not math.isfinite(value):
        raise ConfigError(
            f"loss '{text}': write a sum such as 'cross_entropy + 0.5 * dice', with numbers above 0"
        )
    return value, name.strip()


def _pixels(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy (P,) of the pixels that are not void."""
    losses = F.cross_entropy(logits.float(), target, ignore_index=VOID, reduction="none")
    return losses[target != VOID]


def _mean(values: Tensor, logits: Tensor) -> Tensor:
    if not values.numel():
        return 0 * logits.float().sum()  # a zero with a gradient, which a constant has not
    return values.mean()
