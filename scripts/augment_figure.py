"""A picture of augmentation: a column a letter, a row a draw."""

from __future__ import annotations

from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from stain_figure import tissue_tile

from slidekit.augment import LETTERS, draw
from slidekit.augment.arrays import apply
from slidekit.norm import autoselect

__all__ = ["draw_augment_figure"]

NAMES = {
    "x": "flip x",
    "y": "flip y",
    "r": "rotate",
    "j": "JPEG",
    "b": "blur",
    "n": "stains",
    "d": "colours",
    "s": "sharpen",
    "p": "posterise",
    "c": "profile",
}
DRAWS, CORNER, EDGE = 3, 30, 72
WIDTH_INCHES, DPI = 8.8, 100

Tile = npt.NDArray[np.uint8]


def draw_augment_figure(slide: Path) -> Image.Image:
    """A part of one tissue tile, and what each letter makes of it, some draws of each.

    Parameters
    ----------
    slide
        Where the tile is from.
    """
    from matplotlib.figure import Figure

    tile = tissue_tile(slide)[CORNER : CORNER + EDGE, CORNER : CORNER + EDGE]
    columns = {"as it is": [tile] * DRAWS} | {f"{letter}\n{NAMES[letter]}": draws(letter, tile) for letter in LETTERS}
    inches = WIDTH_INCHES / len(columns)
    figure = Figure((WIDTH_INCHES, inches * DRAWS + 0.4), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)
    grid = figure.subplots(DRAWS, len(columns))
    for number, (name, images) in enumerate(columns.items()):
        grid[0, number].set_title(name, fontsize=8)
        for place, image in zip(grid[:, number], images, strict=True):
            place.imshow(image)
            place.set(xticks=[], yticks=[])
    file = BytesIO()
    figure.savefig(file, dpi=DPI)
    return Image.open(file).convert("RGB")


def draws(letter: str, tile: Tile) -> list[Tile]:
    """The first results of a letter that differ from the tile and from each other; of a flip, the first ones."""
    if letter == "n":
        normalizer = autoselect("macenko")
        return [normalizer.transform(tile, True, seed=seed) for seed in range(DRAWS)]
    if letter in "xy":
        return [apply(tile[np.newaxis], draw(letter, [seed]))[0] for seed in range(DRAWS)]
    found: dict[bytes, Tile] = {tile.tobytes(): tile}
    for seed in count():
        image = apply(tile[np.newaxis], draw(letter, [seed]))[0]
        found.setdefault(image.tobytes(), image)
        if len(found) > DRAWS:
            break
    return list(found.values())[1:]
