"""Background by Otsu's threshold on a blurred thumbnail: the tissue mask of histo-fetch."""

from __future__ import annotations

from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from slidekit.errors import QCError
from slidekit.pixels.image import WHITE, RGBImage
from slidekit.slide.fate import Fate
from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView

__all__ = ["Channel", "Ground", "HistoFetch", "Operation"]

Channel = Literal["red", "green", "blue", "gray", "saturation"]
Operation = Literal["dilate", "erode"]
Ground = Literal["light", "dark"]

_CHANNELS: tuple[Channel, ...] = ("red", "green", "blue", "gray", "saturation")
_SHRINKS = (1, 2, 4, 8)
"""Reductions that decoding JPEG can do."""

_LEAST_LIGHT = 8
"""Power of two: that all channels are below it is then seen in their bits."""

_LEAST_SIDE = 0.4
"""Share of the longest side that a stored size may fall short to: with levels and their DCT reductions there is
nearly always one between the two, and nothing is resampled."""


class HistoFetch(QCMethod):
    """Background: whatever is brighter than Otsu's threshold on a blurred thumbnail of the slide.

    After B. Lutnick et al., J. Pathol. Inform. 13:7 (2022): a thumbnail of at most 2000 px is blurred by a Gaussian,
    and N. Otsu's threshold (IEEE Trans. SMC 9, 1979) divides one of its channels.

    Parameters
    ----------
    radius
        Sigma of the Gaussian, pixels of a thumbnail of `longest_side`; 0 does not blur.
    channel
        ``red``, ``green``, ``blue``, ``gray`` (mean of the three) or ``saturation`` (HSV).
    kernel
        Edge of the square of the morphology, odd, pixels of a thumbnail of `longest_side`.
    operation
        ``dilate`` the tissue, as the published program does; ``erode`` it, as the paper says; or None.
    longest_side
        Longest side of the thumbnail, pixels. The smallest size is read that the slide stores, or that decoding can
        reduce it to, of at least 0.4 of this; `radius` and `kernel` shrink with it. Where there is none, the
        thumbnail is resampled to this size.
    min_contrast
        Least difference between the means of the two classes, 0–1. Otsu's method always finds two, in an empty slide
        too, where they are noise; such a slide is background as a whole. 0 is Otsu's method alone.
    background
        ``light`` as of stains in bright field, or ``dark`` as of fluorescence, where tissue is the brighter part.

    Raises
    ------
    QCError
        If a parameter makes no sense.

    Notes
    -----
    Pixels that are black, or nearly so after compression (all of R, G and B below 8), are those that a format has no
    data for: on a light background they count as white.
    """

    name: ClassVar[str] = "histofetch"
    reason: ClassVar[str] = Fate.BACKGROUND

    def __init__(
        self,
        radius: float = 10.0,
        channel: Channel = "red",
        kernel: int = 5,
        operation: Operation | None = "dilate",
        *,
        longest_side: int = 2000,
        min_contrast: float = 0.04,
        background: Ground = "light",
    ) -> None:
        if background not in ("light", "dark"):
            raise QCError(f"background={background!r} is not known.", mend="Take light or dark.")
        if channel not in _CHANNELS:
            raise QCError(f"channel={channel!r} is no channel.", mend=f"Take one of {', '.join(_CHANNELS)}.")
        if operation not in ("dilate", "erode", None):
            raise QCError(f"operation={operation!r} is not known.", mend="Take dilate, erode or None.")
        if radius < 0 or kernel < 1 or kernel % 2 == 0 or longest_side < 16 or not 0 <= min_contrast < 1:
            raise QCError(
                f"HistoFetch(radius={radius}, kernel={kernel}, longest_side={longest_side},"
                f" min_contrast={min_contrast}) makes no sense.",
                mend="radius is at least 0, kernel odd, longest_side at least 16, min_contrast in [0, 1).",
            )
        self.radius = radius
        self.channel = channel
        self.kernel = kernel
        self.operation = operation
        self.longest_side = longest_side
        self.min_contrast = min_contrast
        self.background = background

    def __call__(self, wsi: SlideView) -> BoolMask:
        """Compute the mask; True = background."""
        columns, rows = self._size(wsi)
        scale = max(columns, rows) / self.longest_side
        channel = self._blurred_channel(wsi.overview(columns, rows), self.radius * scale)
        threshold, _ = cv2.threshold(channel, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        above = channel > threshold
        if not self._are_two(channel, above):
            return np.ones((rows, columns), np.bool_)
        # Tissue is darker than glass, and more saturated; in fluorescence it is brighter than nothing.
        upper = self.channel == "saturation" or self.background == "dark"
        tissue = (above if upper else ~above).astype(np.uint8)
        edge = 2 * round((self.kernel - 1) / 2 * min(1.0, scale)) + 1
        if self.operation is not None and edge > 1:
            change = cv2.dilate if self.operation == "dilate" else cv2.erode
            tissue = np.asarray(change(tissue, np.ones((edge, edge), np.uint8)), dtype=np.uint8)
        return np.asarray(tissue == 0)

    def _size(self, wsi: SlideView) -> tuple[int, int]:
        width, height = wsi.dimensions
        longest = min(self.longest_side, max(width, height))
        stored = [
            (max(1, round(level.width / shrink)), max(1, round(level.height / shrink)))
            for level in wsi.levels
            for shrink in _SHRINKS
        ]
        fitting = [size for size in stored if _LEAST_SIDE * self.longest_side <= max(size) <= longest]
        if fitting:
            return min(fitting, key=max)
        return max(1, round(width * longest / max(width, height))), max(1, round(height * longest / max(width, height)))

    def _blurred_channel(self, image: RGBImage, sigma: float) -> NDArray[np.uint8]:
        absent = np.asarray((image[..., 0] | image[..., 1] | image[..., 2]) < _LEAST_LIGHT)
        if self.background == "light" and absent.any():
            image = np.where(absent[..., None], np.uint8(WHITE), image)
        if self.channel == "saturation":
            # Saturation of the blurred colours: that of single pixels of glass is noise.
            return np.ascontiguousarray(cv2.cvtColor(_blur(image, sigma), cv2.COLOR_RGB2HSV)[..., 1], dtype=np.uint8)
        if self.channel == "gray":
            return _blur(np.asarray(cv2.transform(image, np.full((1, 3), 1 / 3)), dtype=np.uint8), sigma)
        return _blur(np.ascontiguousarray(image[..., _CHANNELS.index(self.channel)]), sigma)

    def _are_two(self, channel: NDArray[np.uint8], above: BoolMask) -> bool:
        count = int(np.count_nonzero(above))
        if count in (0, above.size):
            # One grey level: whatever it is, nothing stands out from anything.
            return False
        high = cv2.mean(channel, above.astype(np.uint8))[0]
        low = cv2.mean(channel, (~above).astype(np.uint8))[0]
        return high - low > 255 * self.min_contrast


def _blur(image: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    if sigma <= 0:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8)
