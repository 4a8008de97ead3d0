"""Fits, and the spread for stain augmentation, that Slideflow's users know by name.

The values are Slideflow's (3.0.2), so that tiles that are normalised here look like tiles that were
normalised there. ``v1`` was measured on one reference tile, ``v2`` was tuned by hand, ``v3`` is the mean of
some 50 000 tiles from about 450 TCGA slides. The masked methods have the fits of the unmasked.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

__all__ = ["AUGMENT_STDEV", "DEFAULT_AUGMENT_PRESET", "DEFAULT_PRESET", "PRESETS", "default_preset"]

DEFAULT_PRESET = "v3"
"""Preset that a normaliser has until it is fitted to something else; `default_preset` knows the exceptions."""

DEFAULT_AUGMENT_PRESET = "v2"
"""Preset of `AUGMENT_STDEV` that stain augmentation takes unless told otherwise."""

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

_BASIC: dict[str, _Fits] = {
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

# Vahadane's have no concentrations: none were published, and Slideflow scales none.
_VAHADANE: _Fits = MappingProxyType(
    {
        "v1": MappingProxyType(
            {"stain_matrix_target": ((0.54176575, 0.75441414, 0.37060648), (0.17089975, 0.8640189, 0.4735658))}
        ),
        "v2": MappingProxyType(
            {"stain_matrix_target": ((0.4435433, 0.7502863, 0.4902447), (0.27688965, 0.8088818, 0.5186929))}
        ),
    }
)

PRESETS: Mapping[str, _Fits] = MappingProxyType(
    {
        **_BASIC,
        "reinhard_mask": _BASIC["reinhard"],
        "reinhard_fast_mask": _BASIC["reinhard_fast"],
        "vahadane": _VAHADANE,
    }
)
"""Fits by method, then by name of preset, then by the key that `StainNormalizer.set_fit` takes."""


def default_preset(method: str) -> str | None:
    """Preset that a normaliser of this method has until it is fitted to something else.

    Parameters
    ----------
    method
        One of `slidekit.norm.METHODS`.

    Returns
    -------
    str or None
        ``v3``; the last that there is for a method without ``v3``; None for a method that is not fitted.
    """
    presets = PRESETS.get(method, {})
    return DEFAULT_PRESET if DEFAULT_PRESET in presets else max(presets, default=None)


# Augmentation: v1 is five times, v2 three times the spread of the fits of the tiles that v3 was measured on.
_AUGMENT_FACTORS = {"v1": 5, "v2": 3}


def _stdevs(**units: _Values) -> _Fits:
    """Presets v1 and v2 of a method, from its unit values."""
    return MappingProxyType(
        {
            preset: MappingProxyType({name: _scaled(unit, factor) for name, unit in units.items()})
            for preset, factor in _AUGMENT_FACTORS.items()
        }
    )


def _scaled(values: _Values, factor: float) -> Any:
    return tuple(_scaled(value, factor) if isinstance(value, tuple) else value * factor for value in values)


_UNITS: dict[str, _Fits] = {
    "macenko": _stdevs(
        stain_matrix_target=((0.00893346, 0.01153686), (0.00659814, 0.00722771), (0.00726339, 0.01352414)),
        target_concentrations=(0.06665898, 0.06770515),
    ),
    "macenko_fast": _stdevs(
        stain_matrix_target=((0.00794701, 0.01137106), (0.00559027, 0.00642623), (0.00609103, 0.01144302)),
        target_concentrations=(0.06623945, 0.08137263),
    ),
    "reinhard": _stdevs(
        target_means=(1.1882676, 1.3114343, 1.1200949),
        target_stds=(0.5123385, 0.37919158, 0.26019168),
    ),
    "reinhard_fast": _stdevs(
        target_means=(1.2963034, 1.0061347, 0.90867484),
        target_stds=(0.47548684, 0.3956356, 0.23499836),
    ),
}

AUGMENT_STDEV: Mapping[str, _Fits] = MappingProxyType(
    _UNITS | {"reinhard_mask": _UNITS["reinhard"], "reinhard_fast_mask": _UNITS["reinhard_fast"]}
)
"""Standard deviations for stain augmentation by method, then by preset (``v1``, ``v2``), then by the keys of a fit.

Methods that are not augmented by their fit (Vahadane, HSV) are not in it.
"""
