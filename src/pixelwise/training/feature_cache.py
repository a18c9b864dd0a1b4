"""Features of a frozen encoder, computed once for each picture that it sees, and kept on disk."""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pixelwise.models.encoder import Encoder

# Of the free disk, the share that features may take.
DISK_SHARE = 4

# Larger values are kept in float32.
_LARGEST_HALF = 6e4

Network = Callable[[Tensor], Sequence[Tensor]]


class FeatureCache:
    """The feature maps of pictures, in float16, in files of `folder` that take at most `limit`
    bytes; those beyond are computed each time.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.limit = limit
        self.size = 0
        self._sizes: dict[str, int] = {}

    def __len__(self) -> int:
        """How many pictures it holds."""
        return len(self._sizes)

    def wrap(self, network: Network) -> Network:
        """`network`, which gives maps (N, C, h, w) of pictures (N, 3, H, W), and which is asked
        here for those alone whose maps are not kept.
        """

        def run(images: Tensor) -> list[Tensor]:
            pictures = [self._maps(network, image) for image in images]
            return [_batch(levels, images.device) for levels in zip(*pictures, strict=True)]

        return run

    def _maps(self, network: Network, image: Tensor) -> list[Tensor]:
        """Of one picture (3, H, W); rounded alike whether they are kept or computed, and computed
        alone, so that they do not depend on the others of a batch.
        """
        key = _digest(image)
        maps = self._read(key)
        if not maps:
            layout = torch.channels_last
            with torch.no_grad():
                computed = network(image[None].contiguous(memory_format=layout))
            maps = [_as_half(level) for level in computed]
            self._write(key, maps)
        return maps

    def _read(self, key: str) -> list[Tensor]:
        """The maps of a picture; none where they are not kept, or their file is gone."""
        if key not in self._sizes:
            return []
        try:
            maps = load_file(self.folder / key)
        except (OSError, SafetensorError):
            self.size -= self._sizes.pop(key)
            return []
        return [maps[str(level)] for level in range(len(maps))]

    def _write(self, key: str, maps: Sequence[Tensor]) -> None:
        size = sum(level.nbytes for level in maps)
        if self.size + size > self.limit:
            return
        path = self.folder / key
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file({str(number): level for number, level in enumerate(maps)}, path)
        except (OSError, SafetensorError):  # a full disk: computed each time instead
            self.limit = 0
            with suppress(OSError):
                path.unlink(missing_ok=True)
            return
        self._sizes[key] = size
        self.size += size


@contextmanager
def cached_features(encoders: Iterable[Encoder], folder: Path) -> Iterator[None]:
    """The frozen `encoders`, which have the same weights, compute no picture's features twice in
    the block. They lie in `folder`, which is made and removed, on a quarter of its free disk at
    most.
    """
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    cache = FeatureCache(folder, shutil.disk_usage(folder.parent).free // DISK_SHARE)
    networks = [encoder.net for encoder in encoders]
    for network in networks:
        network.forward = cache.wrap(network.forward)
    try:
        yield
    finally:
        for network in networks:
            del network.forward
        shutil.rmtree(folder, ignore_errors=True)


def _batch(levels: Sequence[Tensor], device: torch.device) -> Tensor:
    """Maps (1, C, h, w) of several pictures as one, in the layout of the other layers."""
    batch = torch.cat(list(levels)).to(device, torch.float32)
    return batch.contiguous(memory_format=torch.channels_last)


def _digest(image: Tensor) -> str:
    """A name for a picture by its pixels and size."""
    pixels = image.detach().cpu().contiguous()
    digest = hashlib.blake2b(pixels.numpy().data, digest_size=16)
    digest.update(str(tuple(pixels.shape)).encode())
    return digest.hexdigest()


def _as_half(level: Tensor) -> Tensor:
    values = level.detach().float().cpu().contiguous()
    return values.half() if float(values.abs().max()) < _LARGEST_HALF else values
