"""Fits that Slideflow's users know by name.

The values are Slideflow's (3.0.2), so that tiles that are normalised here look like tiles that were
normalised there. ``v1`` was measured on one reference tile, ``v2`` was tuned by hand, ``v3`` is the mean of
some 50 000 tiles from about 450 TCGA slides.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

__all__ = ["DEFAULT_PRESET", "PRESETS"]

DEFAULT_PRESET = "v3"
"""Preset that a normaliser has until it is fitted to something else."""

_Values: TypeAlias = tuple[float, ...] | tuple[tuple[float, ...], ...]
_Fits: TypeAlias = Mapping[str, Mapping[str, _Values]]


def _macenko(*presets: tuple[tuple[tuple[float, ...], ...], tuple[float, ...]]) -> _Fits:
    """Presets v1, v2, …, each a stain matrix (rows R, G, B; columns H, E) and peak concentrations (H, E)."""
    return MappingProxyType(
        {
            f"v{number}": MappingProxyType({"stain_matrix_target": matrix, "target_concentrations": peak})
            for number, (matrix, peak) in enumerate(presets, start=1)
        }
    )


def _reinhard(*presets: tuple[tuple[float, ...], tuple[float, ...]]) -> _Fits:
    """Presets v1, v2, …, each the means and standard deviations of CIELAB's L*, a*, b*."""
    return MappingProxyType(
        {
            f"v{number}": MappingProxyType({"target_means": means, "target_stds": stds})
            for number, (means, stds) in enumerate(presets, start=1)
        }
    )


_MACENKO_V2 = (((0.5626, 0.2159), (0.7201, 0.8012), (0.4062, 0.5581)), (1.9705, 1.0308))

PRESETS: Mapping[str, _Fits] = MappingProxyType(
    {
        "macenko": _macenko(
            (
                ((0.63111544, 0.24816133), (0.6962834, 0.8226449), (0.34188122, 0.5115382)),
                (1.4423684, 0.9685806),
            ),
            _MACENKO_V2,
            (
                ((0.5062568, 0.2218694), (0.75322306, 0.8652155), (0.40691733, 0.42241502)),
                (1.7656903, 1.2797493),
            ),
        ),
        "macenko_fast": _macenko(
            (
                ((0.6148019, 0.21480364), (0.7010872, 0.82317936), (0.36124164, 0.5255809)),
                (1.8029537, 0.9606744),
            ),
            _MACENKO_V2,
            (
                ((0.52000326, 0.2623537), (0.73508584, 0.83495414), (0.4249617, 0.4630997)),
                (2.0259454, 1.4088874),
            ),
        ),
        "reinhard": _reinhard(
            ((72.272896, 22.99831, -13.860236), (15.594496, 9.642087, 9.290526)),
            ((72.909996, 20.8268, -4.9465137), (18.560713, 14.889295, 5.6756697)),
            ((65.22132, 28.934267, -14.142519), (15.800227, 9.263783, 6.0213304)),
        ),
        "reinhard_fast": _reinhard(
            ((63.71194, 20.716246, -12.290746), (14.52781, 8.344005, 8.300264)),
            ((69.20197, 19.82498, -4.690998), (17.71583, 14.156416, 5.4176064)),
            ((58.12343, 26.483482, -12.701005), (14.675022, 7.5744166, 5.226378)),
        ),
    }
)
"""Fits by method, then by name of preset, then by the key that `StainNormalizer.set_fit` takes."""
