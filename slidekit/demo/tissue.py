"""Draw a scene as a scanner would see it: hematoxylin and eosin in optical density, then light on glass.

Colours follow the Beer–Lambert law that stain separation assumes (Ruifrok and Johnston 2001; Macenko et al.
2009): intensity = I0 · 10^−(h·H + e·E) with one unit vector per stain and one amount per pixel and stain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.demo.scene import Scene
from slidekit.demo.shapes import SmoothField

__all__ = ["PALETTES", "Palette", "draw_tissue"]

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]

_SHIFT = 4
"""Fractional bits of the coordinates that OpenCV is given."""

_UNIT = 120
"""Grey level of a stain layer that stands for an optical density of 1."""


@dataclass(frozen=True)
class Palette:
    """A laboratory's stains.

    Attributes
    ----------
    hematoxylin, eosin
        Optical density per channel (R, G, B); normalised to unit length when used.
    glass
        Colour of empty glass, RGB.
    strength
        How strongly the laboratory stains: (hematoxylin, eosin), 1 is usual.
    """

    hematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    glass: tuple[int, int, int] = (243, 242, 244)
    strength: tuple[float, float] = (1.0, 1.0)

    @property
    def vectors(self) -> Floats:
        """Unit stain vectors, hematoxylin then eosin, shape (2, 3)."""
        raw = np.array([self.hematoxylin, self.eosin], dtype=np.float64)
        return np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True))

    def table(self) -> NDArray[np.uint32]:
        """Colour for every pair of layer levels, index ``h * 256 + e``, packed as R, G, B, 255 bytes."""
        amounts = np.arange(256) / _UNIT
        density = (
            amounts[:, None, None] * self.strength[0] * self.vectors[0]
            + amounts[None, :, None] * self.strength[1] * self.vectors[1]
        )
        rgba = np.full((256, 256, 4), 255, dtype=np.uint8)
        rgba[..., :3] = np.rint(np.array(self.glass) * 10.0**-density)
        return rgba.reshape(-1, 4).view(np.uint32).ravel()


PALETTES = {
    "violet": Palette((0.60, 0.72, 0.34), (0.23, 0.87, 0.42)),
    "rose": Palette((0.68, 0.66, 0.31), (0.11, 0.88, 0.46), (246, 243, 240), (0.86, 1.12)),
}
"""Two laboratories: a violet one like many biopsy slides, and a pinker one with paler nuclei."""


def draw_tissue(scene: Scene, mpp: float, palette: Palette = PALETTES["violet"]) -> Image:
    """Draw a scene at a resolution.

    Parameters
    ----------
    scene
        What to draw, from `slidekit.demo.layout.lay_out`.
    mpp
        µm/px; the same scene at another µm/px is the same tissue.
    palette
        The stains.

    Returns
    -------
    ndarray
        Shape (height, width, 3), uint8, RGB.
    """
    width, height = round(scene.width_um / mpp), round(scene.height_um / mpp)
    pen = _Pen(width, height, mpp)
    eosin, hematoxylin = pen.layer(), pen.layer()
    _draw_stroma(scene, pen, eosin, hematoxylin)
    _draw_structures(scene, pen, eosin, hematoxylin)
    for kind in scene.nuclei:
        pen.nuclei(hematoxylin, kind.outlines, kind.tones, vesicular=kind.vesicular)
    pen.fill_all(scene.clefts, (eosin, 0.0), (hematoxylin, 0.0))
    _add_texture(scene, pen, eosin, hematoxylin)
    # The optics' own blur; it also smooths what was drawn without anti-aliasing.
    for layer in (eosin, hematoxylin):
        cv2.GaussianBlur(layer, (0, 0), max(0.28 / mpp, 0.45), dst=layer)
    return _colour(scene, pen, eosin, hematoxylin, palette)


@dataclass(frozen=True)
class _Pen:
    """Draws outlines given in µm on layers of stain."""

    width: int
    height: int
    mpp: float

    def layer(self) -> Image:
        return np.zeros((self.height, self.width), dtype=np.uint8)

    def to_pixels(self, outlines: Floats, inset: float = 0.0) -> NDArray[np.int32]:
        """Fixed-point pixel coordinates (a pixel's centre is a whole number, as OpenCV has it)."""
        points = outlines / self.mpp - 0.5
        if inset:
            center = points.mean(axis=-2, keepdims=True)
            ray = points - center
            length = np.sqrt((ray**2).sum(-1, keepdims=True))
            points = center + ray * np.maximum(1 - inset / np.maximum(length, 1e-6), 0)
        return np.asarray(np.rint(points * 2**_SHIFT), dtype=np.int32)

    def fill(self, layer: Image, outline: Floats, density: float) -> None:
        cv2.fillPoly(layer, [self.to_pixels(outline)], _level(density), cv2.LINE_AA, _SHIFT)

    def fill_all(self, outlines: Iterable[Floats], *layers: tuple[Image, float]) -> None:
        for outline in outlines:
            for layer, density in layers:
                self.fill(layer, outline, density)

    def lines(self, layer: Image, lines: NDArray[np.int32], density: float, width_um: float) -> None:
        thickness = max(1, round(width_um / self.mpp))
        cv2.polylines(layer, list(lines), False, _level(density), thickness, cv2.LINE_8, _SHIFT)

    def nuclei(self, layer: Image, outlines: Floats, tones: Floats, *, vesicular: bool) -> None:
        """Fill nuclei; vesicular ones are paler inside and have a nucleolus."""
        # OpenCV fills half a pixel beyond the outline; taken back: a nucleus is as big at every µm/px.
        rims = self.to_pixels(outlines, 0.5)
        centers = outlines.mean(axis=1, keepdims=True)
        hearts = self.to_pixels(centers + (outlines - centers) * 0.68, 0.5)
        off = (outlines[:, :1] - centers) * 0.3
        dots = self.to_pixels(centers + off + (outlines - centers) * 0.2, 0.5)
        for rim, heart, dot, tone in zip(rims, hearts, dots, tones, strict=True):
            cv2.fillConvexPoly(layer, rim, _level(tone), cv2.LINE_8, _SHIFT)
            if vesicular:
                cv2.fillConvexPoly(layer, heart, _level(0.74 * tone), cv2.LINE_8, _SHIFT)
                cv2.fillConvexPoly(layer, dot, _level(1.1 * tone), cv2.LINE_8, _SHIFT)


def _level(density: float) -> int:
    return int(min(max(density * _UNIT, 0), 255))


def _draw_stroma(scene: Scene, pen: _Pen, eosin: Image, hematoxylin: Image) -> None:
    """Pale ground, then collagen fibres of many tones over each other, cut to the fragments."""
    pen.fill_all(scene.fragments, (eosin, 0.26), (hematoxylin, 0.05))
    rng = np.random.default_rng([scene.seed, 1])
    tissue = pen.layer()
    pen.fill_all(scene.fragments, (tissue, 10.0))
    for fibres in scene.fibres:
        order = rng.permutation(len(fibres))
        lines = pen.to_pixels(fibres[order])
        for part in np.array_split(np.arange(len(lines)), 48):
            density = float(rng.choice([0.08, 0.18, 0.25, 0.3, 0.36, 0.43, 0.52]))
            pen.lines(eosin, lines[part], density, float(rng.uniform(0.9, 3.6)))
    cv2.bitwise_and(eosin, tissue, dst=eosin)


def _draw_structures(scene: Scene, pen: _Pen, eosin: Image, hematoxylin: Image) -> None:
    """Glands with cytoplasm and lumen, vessels with red cells."""
    for outer, lumen in scene.glands:
        pen.fill(eosin, outer, 0.42)
        pen.fill(hematoxylin, outer, 0.20)
        if lumen is not None:
            middle = outer.mean(axis=0)
            pen.fill(eosin, middle + (lumen - middle) * 1.12, 0.62)
            pen.fill(eosin, lumen, 0.03)
            pen.fill(hematoxylin, lumen, 0.02)
    for outer, lumen in scene.vessels:
        pen.fill(eosin, outer, 0.62)
        pen.fill(hematoxylin, outer, 0.04)
        pen.fill(eosin, lumen, 0.02)
        pen.fill(hematoxylin, lumen, 0.0)
    for cells in scene.red_cells:
        for cell in cells:
            pen.fill(eosin, cell, 0.85)


def _add_texture(scene: Scene, pen: _Pen, eosin: Image, hematoxylin: Image) -> None:
    """Uneven section thickness over the slide, and a grain of about a micron in both stains."""
    rng = np.random.default_rng([scene.seed, 2])
    thick = SmoothField.random(rng, 450.0).on_grid(
        -(-pen.width // 16), -(-pen.height // 16), 16 * pen.mpp, 16 * pen.mpp
    )
    thickness = cv2.resize(1 + 0.09 * thick, (pen.width, pen.height), interpolation=cv2.INTER_LINEAR)
    columns, rows = round(scene.width_um / 0.9), round(scene.height_um / 0.9)
    for layer, contrast in ((eosin, 0.13), (hematoxylin, 0.2)):
        noise = cv2.GaussianBlur(rng.standard_normal((rows, columns), dtype=np.float32), (0, 0), 0.8)
        grain = np.clip((1 + contrast / noise.std() * noise) * 128, 0, 255).astype(np.uint8)
        fine = cv2.resize(grain, (pen.width, pen.height), interpolation=cv2.INTER_CUBIC)
        cv2.multiply(layer, fine, dst=layer, scale=1 / 128)
        level = np.clip(thickness * 128, 0, 255).astype(np.uint8)
        cv2.multiply(layer, level, dst=layer, scale=1 / 128)


def _colour(scene: Scene, pen: _Pen, eosin: Image, hematoxylin: Image, palette: Palette) -> Image:
    """Stain amounts to RGB, with a slight fall-off of the light, band by band to keep memory low."""
    table = palette.table()
    out = np.empty((pen.height, pen.width, 3), dtype=np.uint8)
    x = (np.arange(pen.width) + 0.5) / pen.width - 0.45
    # Rounded by chance: plain rounding of so slight a slope draws rings on the glass.
    dither = np.random.default_rng([scene.seed, 3]).random((512, pen.width), dtype=np.float32)
    for top in range(0, pen.height, 512):
        rows = slice(top, min(top + 512, pen.height))
        index = hematoxylin[rows].astype(np.uint16) * 256 + eosin[rows]
        rgb = table[index].view(np.uint8).reshape(*index.shape, 4)[..., :3]
        y = (np.arange(rows.start, rows.stop) + 0.5) / pen.height - 0.55
        fall = (14 * x**2).astype(np.float32) + (14 * y**2).astype(np.float32)[:, None]
        light = (255 - fall + dither[: len(y)] * 0.99).clip(0, 255).astype(np.uint8)
        cv2.multiply(np.ascontiguousarray(rgb), cv2.merge([light] * 3), dst=out[rows], scale=1 / 255)
    return out
