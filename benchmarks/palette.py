"""The colours that classes get where a data set gives none: how they were made.

    python benchmarks/palette.py

prints the table of src/pixelwise/palette.py. The first seven are those of Okabe & Ito (Color
Universal Design, 2008) but black, each the one that lies furthest from those before it, from sky
blue on. Each further one is, of a grid of sRGB colours, the one whose nearest neighbour is
furthest. Distances are Euclidean in OKLab (Ottosson 2020), the least of four: as most people see,
and after protanopia, deuteranopia and tritanopia as Machado, Oliveira & Fernandes (2009) simulate
them. Black (the background) and the colour of void are kept at a distance as well; too dark, too
pale and nearly grey colours are left out, as they vanish on photographs.
"""

import numpy as np

OKABE_ITO = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
BLACK = (0, 0, 0)
VOID = (224, 224, 192)
COUNT = 255

# How linear RGB is seen; the matrices of Machado et al. at severity 1.
VISIONS = {
    "common": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}

_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(rgb):
    """sRGB of 0 to 255 as light, 0 to 1."""
    share = np.asarray(rgb, float) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def simulate(rgb, vision):
    """sRGB (..., 3) of 0 to 255 as someone with that vision sees it, uint8."""
    light = np.clip(linear(rgb) @ VISIONS[vision].T, 0, 1)
    share = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(share * 255).astype(np.uint8)


def see(colours):
    """OKLab of sRGB colours (N, 3) in each vision, (N, 4, 3)."""
    light = linear(colours)
    seen = [np.clip(light @ matrix.T, 0, 1) for matrix in VISIONS.values()]
    return np.stack([np.cbrt(view @ _LMS.T) @ _LAB.T for view in seen], axis=1)


def distances(first, second):
    """The least distance of two colours in any vision, of what `see` gave, (N, M)."""
    apart = first[:, None] - second[None]
    return np.sqrt((apart**2).sum(-1)).min(-1)


def candidates():
    levels = np.arange(0, 256, 15)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    lab = see(grid)[:, 0]
    lightness = lab[:, 0]
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    return grid[(lightness > 0.42) & (lightness < 0.93) & (chroma > 0.05)]


def choose(colours, chosen, count):
    """`count` of `colours`, each the one furthest from `chosen` and those before it."""
    looks = see(colours)
    nearest = distances(looks, see(chosen)).min(1)
    order = []
    for _ in range(count):
        best = int(nearest.argmax())
        order.append(tuple(int(channel) for channel in colours[best]))
        nearest = np.minimum(nearest, distances(looks, looks[best : best + 1])[:, 0])
    return order


def make_palette():
    first = [OKABE_ITO[0], *choose(np.array(OKABE_ITO[1:]), np.array(OKABE_ITO[:1]), 6)]
    taken = np.array([BLACK, VOID, *first])
    return first + choose(candidates(), taken, COUNT - len(first))


def main():
    colours = make_palette()
    words = ["{:02x}{:02x}{:02x}".format(*colour) for colour in colours]
    for start in range(0, COUNT, 13):
        print("    " + " ".join(words[start : start + 13]))
    looks = see(np.array(colours))
    apart = distances(looks, looks) + 9 * np.eye(COUNT)
    for count in (4, 7, 10, 20, 50, COUNT):
        print(count, "colours: least distance", round(float(apart[:count, :count].min()), 4))


if __name__ == "__main__":
    main()
