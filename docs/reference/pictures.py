"""Small pictures of the findings of `check`, of a drawn scene with the fault in it.

python docs/reference/pictures.py

Each stands in `findings` beside this file, by the name of its finding; the page of the findings
shows those that are there.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.io.images import Array
from pixelwise.palette import CLASS_COLOURS

FOLDER = Path(__file__).with_name("findings")
SIDE = 40  # pixels of a scene
ZOOM = 3
GAP = 6  # pixels between tiles, after the zoom
RIM = 120  # grey of a tile's border
PAPER = (255, 255, 255)
VOID = (224, 224, 192)
COLOURS = np.array([(0, 0, 0), CLASS_COLOURS[0], CLASS_COLOURS[1], VOID], np.uint8)
BLANK = np.full((SIDE, SIDE, 3), 236, np.uint8)  # where a file is missing
BALL = (17, 22, 11)  # row, column, radius
SMALL = Image.Resampling.BILINEAR


def draw_mask(ball: tuple[int, int, int] = BALL) -> Array:
    """Class ids of the scene: 1 a ball, 2 the ground."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    ids = np.where(rows > 29, 2, 0).astype(np.uint8)
    y, x, radius = ball
    ids[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = 1
    return ids


def draw_photo(ids: Array, seed: int = 0) -> Array:
    """The scene as a photo: sky, a shaded ball, rough ground."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    noise = np.random.default_rng(seed).normal(0, 5, (SIDE, SIDE, 1))
    sky = np.stack([150 + rows, 185 + rows, 235 - rows // 4], axis=-1)
    ball = np.stack([225 - 2 * columns, 130 - columns, 70 - columns // 2], axis=-1)
    ground = np.stack([95 + columns % 7 * 4, 120 - rows, 50 + rows * 0], axis=-1)
    shown = np.choose(ids[..., None], [sky, ball, ground]) + noise
    photo: Array = np.clip(shown, 0, 255).astype(np.uint8)
    return photo


MASK = draw_mask()
PHOTO = draw_photo(MASK)
OTHER = draw_mask((12, 11, 8))
LEFT = draw_mask((17, 12, 8))
PAIR = (PHOTO, COLOURS[MASK])


def ids_of(kind: int) -> Array:
    """White where the scene has one class, black elsewhere."""
    return np.where(MASK[..., None] == kind, 255, 0).astype(np.uint8).repeat(3, axis=2)


def resize(pixels: Array, size: tuple[int, int], how: Image.Resampling = SMALL) -> Array:
    """To (height, width)."""
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], how))


def blur(pixels: Array) -> Array:
    """Made small and large again, smoothly."""
    return resize(resize(pixels, (SIDE // 4, SIDE // 4)), (SIDE, SIDE))


def jpeg(pixels: Array, quality: int = 8) -> Array:
    """Through a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def on_paper(pixels: Array) -> Array:
    """A smaller tile in the middle of an empty one."""
    canvas = np.full((SIDE, SIDE, 3), 255, np.uint8)
    height, width = pixels.shape[:2]
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    canvas[top : top + height, left : left + width] = pixels
    return canvas


def with_boxes(pixels: Array, *boxes: tuple[int, int, int, int], ellipse: bool = False) -> Array:
    """Outlines (left, top, right, bottom) on a tile."""
    image = Image.fromarray(pixels.copy())
    draw = ImageDraw.Draw(image)
    for number, box in enumerate(boxes):
        outline = CLASS_COLOURS[1 if number else 2]
        (draw.ellipse if ellipse else draw.rectangle)(box, outline=outline, width=2)
    return np.asarray(image)


def half_grey(pixels: Array) -> Array:
    """The part that a broken file still has."""
    cut = pixels.copy()
    cut[SIDE // 2 :] = 128
    return cut


def stray(colour: tuple[int, int, int], size: int = 7) -> Array:
    """The mask with a patch of another colour."""
    pixels = COLOURS[MASK].copy()
    pixels[4 : 4 + size, 30 : 30 + size] = colour
    return pixels


def grey(pixels: Array) -> Array:
    """Without colour."""
    return np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))


def void_but(share: int) -> Array:
    """The mask, void but for its upper rows."""
    ids = MASK.copy()
    ids[share:] = 3
    return COLOURS[ids]


def instances() -> Array:
    """One id an object: two balls, of ids that are no classes."""
    ids = draw_mask((14, 11, 8)) == 1
    others = draw_mask((17, 29, 8)) == 1
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    pixels[ids] = 90
    pixels[others] = 170
    return pixels


def transparent() -> Array:
    """The ball cut out, on a chequered ground."""
    rows, columns = np.mgrid[:SIDE, :SIDE] // 5
    board = np.where((rows + columns)[..., None] % 2, 205, 245).astype(np.uint8).repeat(3, axis=2)
    return np.where(MASK[..., None] == 1, PHOTO, board)


def shift(pixels: Array) -> Array:
    """Down and to the right, the first class where nothing is left."""
    moved = np.zeros_like(pixels)
    moved[4:, 8:] = pixels[:-4, :-8]
    return moved


def saturate(pixels: Array) -> Array:
    """So bright that the light parts are all alike."""
    return np.clip(pixels.astype(int) * 2 - 60, 0, 255).astype(np.uint8)


def marked(pixels: Array, split: str) -> Array:
    """A tile with a bar of its split's colour below."""
    pixels = pixels.copy()
    pixels[-5:] = CLASS_COLOURS[("train", "val").index(split) + 2]
    return pixels


def drawings() -> dict[str, tuple[Array, ...]]:
    """The tiles of each picture, by the name of the finding."""
    shifted = shift(COLOURS[MASK])
    misfit = COLOURS[OTHER]
    inverted = 255 - ids_of(1)
    near = draw_photo(draw_mask((17, 24, 11)), 1)
    dark = (PHOTO // 6).astype(np.uint8)
    lying = np.ascontiguousarray(np.rot90(PHOTO))
    thumbnail = resize(PHOTO, (SIDE // 4, SIDE // 4))
    bands = [np.repeat(PHOTO[:, :, [band]], 3, axis=2) for band in range(3)]
    stripes = bands[0].copy()
    stripes[:, 26:] = 0
    swapped = COLOURS[np.array([0, 2, 1, 3])[MASK]]
    tiny = COLOURS[draw_mask((5, 35, 3))]
    film = [draw_photo(draw_mask((17, 12 + 5 * step, 8)), step) for step in range(4)]
    return {
        "layout-layers": (PHOTO, ids_of(1), ids_of(2)),
        "layers-overlap": (PHOTO, ids_of(1), np.roll(ids_of(2), -12, 0)),
        "shapes-clipped": (with_boxes(PHOTO, (24, 8, 58, 30), ellipse=True),),
        "shapes-overlap": (with_boxes(PHOTO, (6, 6, 26, 28), (18, 12, 37, 34), ellipse=True),),
        "box-left-out": (with_boxes(PHOTO, (10, 6, 34, 29)), COLOURS[OTHER * 0]),
        "boxes-alone": (with_boxes(PHOTO, (10, 6, 34, 29), (0, 29, 39, 39)),),
        "image-without-mask": (PHOTO, BLANK),
        "mask-without-image": (BLANK, COLOURS[MASK]),
        "image-unlabelled": (PHOTO, COLOURS[MASK * 0]),
        "image-unreadable": (half_grey(PHOTO), COLOURS[MASK]),
        "mask-unreadable": (PHOTO, half_grey(COLOURS[MASK])),
        "image-frames": tuple(film[:3]),
        "image-transparent": (transparent(),),
        "image-bands": (*bands, dark),
        "band-constant": (bands[0], np.full_like(PHOTO, 90)),
        "band-saturated": (bands[0], saturate(bands[0])),
        "band-nodata": (bands[0], stripes),
        "band-order": (PHOTO, PHOTO[:, :, ::-1]),
        "image-deep": (dark, PHOTO),
        "image-grey": (grey(PHOTO), COLOURS[MASK]),
        "image-blank": (np.full_like(PHOTO, 150), COLOURS[MASK]),
        "image-tiny": (on_paper(thumbnail), on_paper(COLOURS[MASK][::4, ::4])),
        "image-is-mask": (COLOURS[MASK], COLOURS[MASK]),
        "size-mismatch": (PHOTO, on_paper(COLOURS[MASK][::2, ::2])),
        "size-transposed": (PHOTO[4:36], np.ascontiguousarray(np.rot90(COLOURS[MASK][4:36]))),
        "orientation-mismatch": (lying, COLOURS[MASK]),
        "orientation-tag": (lying, np.ascontiguousarray(np.rot90(COLOURS[MASK]))),
        "mask-shifted": (PHOTO, shifted),
        "masks-shifted": (PHOTO, shifted, film[3], shift(COLOURS[draw_mask((17, 27, 8))])),
        "mask-mirrored": (PHOTO, COLOURS[MASK[::-1]]),
        "masks-mirrored": (
            PHOTO,
            COLOURS[MASK[::-1]],
            film[0],
            COLOURS[draw_mask((17, 12, 8))[::-1]],
        ),
        "mask-misfit": (PHOTO, misfit),
        "masks-misfit": (PHOTO, misfit, film[3], COLOURS[draw_mask((25, 9, 7))]),
        "mask-is-photo": (PHOTO, draw_photo(OTHER, 2)),
        "mask-lossy": (PHOTO, jpeg(COLOURS[MASK])),
        "mask-resampled": (PHOTO, blur(COLOURS[MASK])),
        "mask-blended": (PHOTO, COLOURS[_between(MASK)]),
        "colour-stray": (PHOTO, stray((160, 60, 200))),
        "value-outside-classes": (PHOTO, stray((255, 255, 255))),
        "value-doubtful": (PHOTO, stray((120, 120, 120), 3)),
        "encodings-mixed": (COLOURS[MASK], np.repeat(MASK[..., None] * 90, 3, axis=2)),
        "palettes-differ": (COLOURS[MASK], swapped),
        "mask-instances": (draw_photo(np.where(instances()[..., 0] > 0, 1, 0)), instances()),
        "mask-in-alpha": (PHOTO, transparent()),
        "mask-share": (ids_of(1), np.where(OTHER[..., None] == 1, 0, 255).repeat(3, 2)),
        "mask-inverted": (PHOTO, inverted),
        "masks-inverted": (PHOTO, inverted, near, np.roll(inverted, 2, 1)),
        "mask-blank": (PHOTO, COLOURS[MASK * 0 + 2]),
        "mask-void": (PHOTO, void_but(3)),
        "void-much": (PHOTO, void_but(16)),
        "mask-identical": (PHOTO, COLOURS[MASK], film[0], COLOURS[MASK]),
        "matte-faint": (PHOTO, ids_of(1) // 255 * 40),
        "class-tiny": (draw_photo(draw_mask((5, 35, 3))), tiny),
        "class-alone": (COLOURS[MASK * 0 + 1], COLOURS[MASK * 0 + 1]),
        "image-twice": (PHOTO, PHOTO),
        "image-leak": (marked(PHOTO, "train"), marked(PHOTO, "val")),
        "image-near": (PHOTO, near),
        "image-near-leak": (marked(PHOTO, "train"), marked(near, "val")),
        "groups-likely": tuple(film),
        "groups-divided": tuple(
            marked(frame, "val" if step % 2 else "train") for step, frame in enumerate(film)
        ),
    }


def _between(ids: Array) -> Array:
    """Class 1 along the border of 0 and 2, as numbers that were averaged give it."""
    mixed = ids.copy()
    mixed[29:31][ids[29:31] != 1] = 1
    return mixed


def join(tiles: tuple[Array, ...]) -> Image.Image:
    """Tiles side by side, each with a rim."""
    enlarged = [np.kron(tile, np.ones((ZOOM, ZOOM, 1), np.uint8)) for tile in tiles]
    height = max(tile.shape[0] for tile in enlarged)
    width = sum(tile.shape[1] for tile in enlarged) + GAP * (len(enlarged) - 1)
    canvas = np.full((height, width, 3), 255, np.uint8)
    left = 0
    for tile in enlarged:
        tile[[0, -1]] = RIM
        tile[:, [0, -1]] = RIM
        canvas[: tile.shape[0], left : left + tile.shape[1]] = tile
        left += tile.shape[1] + GAP
    return Image.fromarray(canvas)


def write(folder: Path, draw: Callable[[], dict[str, tuple[Array, ...]]] = drawings) -> None:
    """All pictures, as small files of few colours; others are removed."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    for name, tiles in draw().items():
        few = join(tiles).quantize(32, dither=Image.Dither.NONE)
        few.save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    write(FOLDER)
