"""Which stored pixels an output resolution is made from: a pyramid level, and a reduction while decoding."""

from __future__ import annotations

from dataclasses import dataclass

from slidekit.pixels.readers.base import SlideReader

__all__ = ["LEVEL_TOLERANCE", "Source", "choose_source", "level_as_stored"]

LEVEL_TOLERANCE = 0.01
"""A level this much coarser than asked for still matches: stored downsamples and µm/px are rounded numbers."""

MAGNIFICATION_TOLERANCE = 0.05
"""A level within this of a magnification is read as it is stored (SEMANTICS, Geometry)."""

_LEAST_LEFT = 1.5
"""Reduction that must be left to Lanczos after a DCT reduction, in mode ``shrink``."""

_WHOLE_REDUCTION = 0.05

_AVERAGE_FROM, _LEFT_BY_AVERAGE = 10.0, 4.0
"""From what reduction on pixels are averaged first, and how much reduction is left to Lanczos then, at least."""

_ROUNDING = 1e-9
"""0.3 / 0.1 is a little less than 3: limits hold to this relative precision."""


@dataclass(frozen=True)
class Source:
    """Stored pixels, and how they relate to level 0 and to the output.

    Attributes
    ----------
    level, shrink
        Pyramid level, and the reduction while decoding it.
    downsample_x, downsample_y
        Level-0 pixels per source pixel.
    scale_x, scale_y
        Source pixels per output pixel; 1 where the source is the output.
    average
        Pixels of the level, decoded at 1 / `shrink`, that are averaged along each axis to a source pixel.
    cubic
        Whether the little that is left to resample is done by cubic interpolation instead of Lanczos.
    """

    level: int
    shrink: int
    downsample_x: float
    downsample_y: float
    scale_x: float
    scale_y: float
    average: int = 1
    cubic: bool = False

    def averaged(self) -> Source:
        """The source with pixels averaged first, where neither a level nor a DCT reduction comes near the output.

        Where 10 × or more is left to resample, blocks of n × n pixels become one, n the largest whole number that
        leaves at least 4 × to Lanczos. It bounds memory: 256 px of 64 × are made from 800 MB of pixels. And it comes
        nearer to exact Lanczos, because libvips rounds the weights of very many pixels to a few bits: on synthetic
        tissue at 10, 16, 41 and 64 ×, averages are 50 dB and more from Pillow's Lanczos, libvips alone 49, 46, 40 and
        34 dB.
        """
        least = min(self.scale_x, self.scale_y)
        if least < _AVERAGE_FROM - _ROUNDING:
            return self
        by = int(least / _LEFT_BY_AVERAGE + _ROUNDING)
        return Source(
            self.level,
            self.shrink,
            self.downsample_x * by,
            self.downsample_y * by,
            self.scale_x / by,
            self.scale_y / by,
            by,
        )


def choose_source(
    reader: SlideReader,
    pixel_x: float,
    pixel_y: float,
    *,
    resample: str = "shrink",
    enable_downsample: bool = True,
) -> Source:
    """Choose the stored pixels for an output pixel of a given size.

    Parameters
    ----------
    reader
        The slide.
    pixel_x, pixel_y
        Size of an output pixel in level-0 pixels.
    resample
        ``exact``: full decode. ``shrink``: DCT reductions that leave at least 1.5 to Lanczos, or 1/2 where that is
        exactly the reduction. ``fast``: any DCT reduction that is not beyond the output by more than 5 %.
    enable_downsample
        Whether levels other than 0 may be used.
    """
    level = 0
    if enable_downsample:
        usable = [
            index
            for index, at in enumerate(reader.levels)
            if at.downsample_x <= pixel_x * (1 + LEVEL_TOLERANCE) and at.downsample_y <= pixel_y * (1 + LEVEL_TOLERANCE)
        ]
        level = max(usable, key=lambda index: reader.levels[index].downsample_x, default=0)
    at = reader.levels[level]
    reductions = (pixel_x / at.downsample_x, pixel_y / at.downsample_y)
    shrink = _choose_shrink(reader.shrinks(level), reductions, resample)
    left = (reductions[0] / shrink, reductions[1] / shrink)
    return Source(
        level,
        shrink,
        at.downsample_x * shrink,
        at.downsample_y * shrink,
        *left,
        cubic=resample == "fast" and all(abs(scale - 1) <= _WHOLE_REDUCTION for scale in left),
    )


def _choose_shrink(available: tuple[int, ...], reductions: tuple[float, float], resample: str) -> int:
    def allowed(shrink: int) -> bool:
        # Both axes: what is the whole reduction of one may be too much or too little for the other.
        left = [reduction / shrink for reduction in reductions]
        if resample == "fast":
            return min(left) >= 1 - _WHOLE_REDUCTION - _ROUNDING
        # What remains of a reduction that is not quite whole costs as much to resample as half decoding saves, and
        # the two together fall below 40 dB of exact.
        is_whole = all(abs(value - 1) <= _ROUNDING for value in left)
        return min(left) >= _LEAST_LEFT - _ROUNDING or (shrink == 2 and is_whole)

    if resample == "exact":
        return 1
    return max((shrink for shrink in available if shrink > 1 and allowed(shrink)), default=1)


def level_as_stored(
    reader: SlideReader, mpp: tuple[float, float], target_mpp: float, *, enable_downsample: bool = True
) -> int | None:
    """The level whose own µm/px is nearest to a magnification's, if within 5 % of it.

    Parameters
    ----------
    reader
        The slide.
    mpp
        µm/px of level 0 along x and y; both must be within 5 %.
    target_mpp
        µm/px that the magnification stands for.
    enable_downsample
        Whether levels other than 0 may be used.

    Returns
    -------
    int or None
    """
    levels = reader.levels if enable_downsample else reader.levels[:1]
    off = [
        max(abs(at.downsample_x * mpp[0] / target_mpp - 1), abs(at.downsample_y * mpp[1] / target_mpp - 1))
        for at in levels
    ]
    best = min(range(len(off)), key=off.__getitem__)
    return best if off[best] <= MAGNIFICATION_TOLERANCE + _ROUNDING else None
