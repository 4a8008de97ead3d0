"""Background by Otsu's threshold on saturation."""

from __future__ import annotations

from typing import ClassVar

import cv2

from slidekit.errors import QCError
from slidekit.slide.fate import Fate
from slidekit.slide.qc.base import BoolMask, QCMethod, SlideView

__all__ = ["Otsu"]

_SHORT_SIDE = 500
_LONGEST_SIDE = 3000
_MEDIAN = 7


class Otsu(QCMethod):
    """Background: whatever is less saturated than Otsu's threshold.

    The slide is read at its smallest level whose short side is above 500 px; saturation (HSV) is smoothed by a
    median of 7 px; N. Otsu's threshold (IEEE Trans. SMC 9, 1979) divides it.

    Parameters
    ----------
    slide_level
        Pyramid level to use instead.
    min_saturation
        The threshold is at least this, 0–1. Otsu's method always finds two classes, in an empty slide too, where
        they are noise; no stained tissue is this pale. 0 is Otsu's method alone.

    Notes
    -----
    Pen marks are saturated: heavy ones pass for tissue and raise the threshold.
    """

    name: ClassVar[str] = "otsu"
    reason: ClassVar[str] = Fate.BACKGROUND

    def __init__(self, slide_level: int | None = None, *, min_saturation: float = 0.03) -> None:
        self.slide_level = slide_level
        self.min_saturation = min_saturation

    def __call__(self, wsi: SlideView) -> BoolMask:
        """Compute the mask; True = background."""
        image = wsi.overview(*self._size(wsi))
        saturation = cv2.medianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1], _MEDIAN)
        threshold, _ = cv2.threshold(saturation, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        mask: BoolMask = saturation <= max(threshold, 255 * self.min_saturation)
        return mask

    def _size(self, wsi: SlideView) -> tuple[int, int]:
        levels = wsi.levels
        if self.slide_level is not None:
            if not 0 <= self.slide_level < len(levels):
                raise QCError(
                    f"Otsu(slide_level={self.slide_level}): slide {wsi.name} has levels 0 to {len(levels) - 1}.",
                    mend="Leave slide_level out.",
                )
            level = levels[self.slide_level]
        else:
            large = [level for level in levels if min(level.width, level.height) > _SHORT_SIDE]
            level = large[-1] if large else levels[0]
        # A slide without a pyramid would be thresholded at full resolution: slow, and no better.
        shrink = max(1.0, max(level.width, level.height) / _LONGEST_SIDE)
        return max(1, round(level.width / shrink)), max(1, round(level.height / shrink))
