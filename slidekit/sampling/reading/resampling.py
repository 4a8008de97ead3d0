"""Which stored pixels become patches, and how, where it is left to slidekit."""

from __future__ import annotations

from slidekit.pixels.readers.base import SlideReader
from slidekit.pixels.source import Source, choose_source

__all__ = ["settle_source"]

_FINE = 0.3
"""µm/px of level 0, at most, where half decoding and interpolation stay near to exact: a scan at 40×."""


def settle_source(reader: SlideReader, pixel: tuple[float, float], mpp: tuple[float, float], resample: str) -> Source:
    """Choose the stored pixels of patches; ``resample="auto"`` is ``"fast"`` where that is as good, else ``"shrink"``.

    Decoding at half size and cubic interpolation save about half of the time of a patch. What they cost depends on how
    fine the slide was scanned. PSNR to ``"exact"`` of patches of 128 pixels, dB:

    ============================================================  ============  ============
    Level 0, decoded at 1/2, to patches                           mean          least
    ============================================================  ============  ============
    0.25 → 0.5 µm/px (gastric, OS-1, the slide of benchmarks)     39 to 41      36 to 38
    0.499 → 1 µm/px (CMU-1)                                       33
    ============================================================  ============  ============

    So ``"auto"`` interpolates where level 0 has at most 0.3 µm/px, is what is read, and 1/2 is within 5 % of the
    reduction. Decoding at 1/4, or at 1/2 on a smaller level, is farther off exact.

    Parameters
    ----------
    reader
        The slide.
    pixel
        Width and height of a patch's pixel, level-0 pixels.
    mpp
        µm/px of level 0 along x and y; NaN where it is not known, which is as if it were coarse.
    resample
        ``auto``, or a word of `choose_source`.
    """
    if resample != "auto":
        return choose_source(reader, *pixel, resample=resample)
    fast = choose_source(reader, *pixel, resample="fast")
    if all(axis <= _FINE for axis in mpp) and fast.level == 0 and fast.shrink == 2 and fast.cubic:
        return fast
    return choose_source(reader, *pixel, resample="shrink")
