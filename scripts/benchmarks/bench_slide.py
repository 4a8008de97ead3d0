"""The slide of the benchmarks: 40000 × 40000 px, 35 % tissue, as a 40× scanner would write it."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from slidekit.io.slide_tiff import TileSource, write_svs
from slidekit.pixels.readers import open_slide

__all__ = ["EDGE", "make_bench_slide"]

EDGE = 40_000
MPP = 0.25
TISSUE = 0.35
TEXTURE = 4096
BLOCK = 64
"""Level-0 pixels of a cell of the tissue map; a multiple of 16, so that all levels agree on it."""


def real_texture() -> np.ndarray | None:
    folder = os.environ.get("SLIDEKIT_TEST_DATA")
    if not folder:
        return None
    with open_slide(Path(folder) / "slides" / "gastric-HE-40x.svs") as slide:
        return slide.read(0, 1200, 4800, TEXTURE, TEXTURE)


def drawn_texture() -> np.ndarray:
    from slidekit.demo.layout import lay_out
    from slidekit.demo.scene import FragmentPlan
    from slidekit.demo.tissue import draw_tissue

    scene = lay_out(1600, 1600, (FragmentPlan((0.5, 0.5), (0.49, 0.49)),), seed=5)
    image = draw_tissue(scene, MPP)
    margin = (image.shape[0] - TEXTURE) // 2
    return image[margin : margin + TEXTURE, margin : margin + TEXTURE]


def _tissue_map(edge: int, tissue_px: int | None) -> np.ndarray:
    """Which blocks are tissue: smooth islands that cover `TISSUE` of the slide, or a square in its middle."""
    side = -(-edge // BLOCK)
    if tissue_px is not None:
        square = np.zeros((side, side), np.bool_)
        first, count = (side - tissue_px // BLOCK) // 2, tissue_px // BLOCK
        square[first : first + count, first : first + count] = True
        return square
    noise = np.random.default_rng(11).standard_normal((side, side)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), side / 14)
    ramp = np.minimum(np.arange(side), np.arange(side)[::-1]) / side
    smooth = smooth / smooth.std() - 3 * np.exp(-12 * np.minimum.outer(ramp, ramp))
    return smooth > np.quantile(smooth, 1 - TISSUE)


def _level(texture: np.ndarray, tissue: np.ndarray, edge: int, factor: int) -> TileSource:
    """One level: the texture mirrored over the plane where there is tissue, glass elsewhere."""
    small = cv2.resize(texture, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    tile = np.concatenate([small, small[:, ::-1]], axis=1)
    tile = np.concatenate([tile, tile[::-1]], axis=0)
    period, block = tile.shape[0], BLOCK // factor
    glass = np.full((1, 1, 3), (243, 242, 244), np.uint8)

    def read(x: int, y: int, width: int, height: int) -> np.ndarray:
        columns, rows = np.arange(x, x + width), np.arange(y, y + height)
        last = tissue.shape[0] - 1
        here = tissue[np.minimum(rows // block, last)[:, None], np.minimum(columns // block, last)[None]]
        if not here.any():
            return np.broadcast_to(glass, (height, width, 3)).copy()
        pixels = tile[(rows % period)[:, None], (columns % period)[None]]
        return np.where(here[..., None], pixels, glass)

    return TileSource(edge // factor, edge // factor, read)


def make_bench_slide(folder: Path, *, edge: int = EDGE, tissue_px: int | None = None) -> Path:
    """Write a slide, if it is not there yet.

    Parameters
    ----------
    folder
        Where to write it.
    edge
        Width and height, level-0 pixels.
    tissue_px
        Edge of a square of tissue; None for islands that cover 35 %.

    Returns
    -------
    Path
        Its tissue is real where SLIDEKIT_TEST_DATA is set (``-real-`` in the name), else drawn.
    """
    real = real_texture()
    tissue = "islands" if tissue_px is None else f"square{tissue_px}"
    path = folder / f"bench-{'drawn' if real is None else 'real'}-{edge}-{tissue}.svs"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        texture = drawn_texture() if real is None else real
        levels = [_level(texture, _tissue_map(edge, tissue_px), edge, factor) for factor in (1, 4, 16)]
        write_svs(path, levels, mpp=MPP, objective_power=40, tile_size=240, quality=80, subsampling="420")
    return path
