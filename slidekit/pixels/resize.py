"""Lanczos resampling with a sub-pixel origin: libvips where its grid can be made to fit, Pillow elsewhere.

libvips ``resize`` has no origin. It centres the output's grid on the input: with L input pixels, M output pixels and
S input pixels per output pixel, the left edge of output pixel k lies at ``k·S + (L − M·S) / 2``. By choosing where
the input starts, its length and a few more outputs than are wanted, that edge can be brought to almost any place;
the surplus feeds the kernel at the borders. How near it comes is known before a pixel is read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import pyvips
from PIL import Image

from slidekit.pixels.image import RGBImage

__all__ = [
    "MOST_LEAD",
    "SHORT_LEAD",
    "AxisPlan",
    "interpolate_to_plan",
    "plan_axis",
    "resize_to_plan",
]

_SUPPORT = 3
"""Lanczos3 reaches 3 output pixels to either side when it reduces."""

_MOST_TAIL = 24

SHORT_LEAD, MOST_LEAD = 24, 256
"""Outputs that lead, at most: where pixels are dear, and where they are cheap."""

_MOST_LEADS = (SHORT_LEAD, 64, 128, MOST_LEAD)
"""Outputs that lead, at most, tried in turn. Near whole scales (2.004) every output pixel begins at nearly the same
place within a source pixel: what brings the origin right lies far off. To read and resample so much more still costs
less than Pillow, whose Lanczos takes six times as long as libvips'."""

_MOST_LEAD_NEAR_1 = 128
"""The same for scales near 1, where Pillow takes three times as long."""

_NEAR_1 = 1.25

_MOST_SCALE = 300
"""libvips refuses kernels of more than about 2000 points, 6 for each source pixel per output pixel."""

_GOOD, _ACCEPTABLE = 0.01, 0.02
"""Residuals in output pixels: below the first a shorter plan wins, above the second Pillow takes over.

At 0.02 the worst real tile that the tests compare is 48 dB from Pillow's; at 0.045, still within the tolerance of
a tile's place, near whole reductions of sharp slides it falls to 44 dB.
"""

_WHOLE = 1e-3
"""Positions that differ by less than this many output pixels are the same position."""


@dataclass(frozen=True)
class AxisPlan:
    """How one axis is resampled.

    Attributes
    ----------
    start, length
        Source pixels to read.
    lead, size
        Output pixels to drop at the start, and to keep.
    total
        Output pixels that libvips makes; 0 where Pillow resamples with `box`, or nothing needs resampling.
    box
        (from, to) of the wanted pixels relative to `start`, in source pixels.
    scale
        Source pixels per output pixel.
    """

    start: int
    length: int
    lead: int
    size: int
    total: int
    box: tuple[float, float]
    scale: float

    @property
    def is_crop(self) -> bool:
        """Whether the source pixels are the output pixels."""
        return self.total == 0 and self.length == self.size and self.box == (0.0, float(self.size))


@lru_cache(maxsize=4096)
def plan_axis(origin: float, scale: float, size: int, most_lead: int = MOST_LEAD) -> AxisPlan:
    """Plan one axis.

    Parameters
    ----------
    origin
        Left edge of the first output pixel, in source pixels.
    scale
        Source pixels per output pixel.
    size
        Output pixels.
    most_lead
        How many outputs may lead; 0 leaves all that is not a crop to Pillow.
    """
    if crop := _plan_crop(origin, scale, size):
        return crop
    if 1 + 1e-9 < scale <= _MOST_SCALE:
        if scale < _NEAR_1:
            most_lead = min(most_lead, _MOST_LEAD_NEAR_1)
        for lead in _MOST_LEADS:
            if lead <= most_lead and (planned := _plan_vips(origin, scale, size, lead)):
                return planned
    return _plan_pillow(origin, scale, size)


def _plan_crop(origin: float, scale: float, size: int) -> AxisPlan | None:
    drift = abs(scale - 1) * size
    whole = round(origin)
    if drift + abs(origin - whole) < _WHOLE:
        return AxisPlan(whole, size, 0, size, 0, (0.0, float(size)), 1.0)
    return None


def _plan_vips(origin: float, scale: float, size: int, most_lead: int) -> AxisPlan | None:
    lead, tail, change = np.meshgrid(
        np.arange(_SUPPORT, most_lead),
        np.arange(_SUPPORT, _MOST_TAIL),
        np.arange(-math.ceil(scale / 2), math.ceil(scale / 2) + 1),
        indexing="ij",
    )
    total = size + lead + tail
    length = np.rint(total * scale).astype(np.int64) + change
    centring = (length - total * scale) / 2
    wanted = origin - lead * scale - centring
    residual = np.abs(wanted - np.rint(wanted)) / scale
    # libvips rounds length / scale to a number of outputs: it must be the number that was planned.
    residual[np.abs(length / scale - total) > 0.49] = np.inf
    cost = np.where(residual <= _GOOD, 0.0, residual) + 1e-4 * (lead + tail)
    best = np.unravel_index(np.argmin(cost), cost.shape)
    if residual[best] > _ACCEPTABLE:
        return None
    start = round(float(wanted[best]))
    edge = float(centring[best] + lead[best] * scale)
    return AxisPlan(
        start, int(length[best]), int(lead[best]), size, int(total[best]), (edge, edge + size * scale), scale
    )


def _plan_pillow(origin: float, scale: float, size: int) -> AxisPlan:
    margin = math.ceil(_SUPPORT * max(scale, 1.0)) + 1
    start = math.floor(origin) - margin
    stop = math.ceil(origin + size * scale) + margin
    return AxisPlan(start, stop - start, 0, size, 0, (origin - start, origin - start + size * scale), scale)


def resize_to_plan(image: RGBImage, across: AxisPlan, down: AxisPlan) -> RGBImage:
    """Resample an image that was read as two plans say.

    Parameters
    ----------
    image
        (down.length, across.length, 3), uint8.
    across, down
        Plans of columns and rows.

    Returns
    -------
    ndarray (down.size, across.size, 3), uint8
    """
    if across.is_crop and down.is_crop:
        return image
    if across.total and down.total:
        rows, columns, _ = image.shape
        source = pyvips.Image.new_from_memory(np.ascontiguousarray(image).data, columns, rows, 3, "uchar")
        # gap=0: no box shrink before the kernel, which would cost up to 20 dB at large reductions.
        made = source.resize(1 / across.scale, vscale=1 / down.scale, kernel="lanczos3", gap=0)
        cut = made.crop(across.lead, down.lead, across.size, down.size)
        return np.frombuffer(cut.write_to_memory(), np.uint8).reshape(down.size, across.size, 3)
    box = (across.box[0], down.box[0], across.box[1], down.box[1])
    resized = Image.fromarray(image).resize((across.size, down.size), Image.Resampling.LANCZOS, box=box)
    return np.asarray(resized, dtype=np.uint8)


def interpolate_to_plan(image: RGBImage, across: AxisPlan, down: AxisPlan) -> RGBImage:
    """Interpolate cubically between the pixels of an image: for scales near 1, faster than Pillow's Lanczos.

    OpenCV's `resize` would be five times as fast, but takes the ratio of two whole sizes for the scale, whatever
    factors it is given: half a pixel off at the far end.

    Parameters
    ----------
    image
        (down.length, across.length, 3), uint8.
    across, down
        Plans of columns and rows, made with ``most_lead=0``.

    Returns
    -------
    ndarray (down.size, across.size, 3), uint8
    """
    # From centres of output pixels to centres of source pixels.
    x, y = across.box[0] + across.scale / 2 - 0.5, down.box[0] + down.scale / 2 - 0.5
    matrix = np.array([[across.scale, 0, x], [0, down.scale, y]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    made = cv2.warpAffine(image, matrix, (across.size, down.size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(made, dtype=np.uint8)
