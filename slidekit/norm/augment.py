"""Stain augmentation: normalise to colours a little beside those of the fit, different ones each time."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from slidekit.errors import NormalizerError
from slidekit.norm.fitting import FitField, Fitted, Values, check_values
from slidekit.norm.presets import AUGMENT_STDEV, DEFAULT_AUGMENT_PRESET

__all__ = ["LEAST_SHARE", "Augmented", "perturb"]

LEAST_SHARE = 0.01
"""Share of a value that has to be positive below which it is not perturbed."""

_COUNTING = threading.Lock()


def perturb(
    fit: Values, stdev: Mapping[str, ArrayLike], generator: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Draw a fit from the normal distribution around one.

    Parameters
    ----------
    fit
        The numbers of a fit.
    stdev
        Standard deviations, under the same names and of the same shapes.
    generator
        Source of chance.

    Returns
    -------
    dict
        float64 arrays. Spreads and concentrations, which have to stay positive, are held above a hundredth of
        what they were.
    """
    drawn = {}
    for name, value in fit.items():
        sample = generator.normal(value, np.asarray(stdev[name], np.float64))
        positive = name in ("target_concentrations", "target_stds")
        drawn[name] = np.maximum(sample, LEAST_SHARE * value) if positive else sample
    return drawn


class Augmented(Fitted):
    """What can be perturbed: the numbers of its fit have standard deviations."""

    def __init__(self, method: str) -> None:
        self._stdev: Values | None = None
        self._seed = 0
        self._calls = 0
        super().__init__(method)

    def set_augment(self, preset: str | None = None, *, seed: int = 0, **stdev: ArrayLike) -> Self:
        """Say how far `augment` and ``transform(…, augment=True)`` go, and seed them.

        Parameters
        ----------
        preset
            ``"v2"`` (default): three times the spread between tiles of many slides; ``"v1"``: five times.
        seed
            Seed. Normalisers of the same seed draw the same fits call by call, in every framework; so do the
            copies of one in the workers of a loader, each of which should have a seed of its own.
        **stdev
            Instead of `preset`: the standard deviation of every value of the fit, under the fit's names.

        Returns
        -------
        StainNormalizer
            This normaliser.

        Raises
        ------
        NormalizerError
            If there is no such preset, both or neither is usable, or the method has no fit to perturb.
        """
        if preset is not None and stdev:
            raise NormalizerError("set_augment takes a preset or standard deviations, not both.", mend="Leave one out.")
        self._stdev = self._check_stdev(stdev) if stdev else self._preset_stdev(preset or DEFAULT_AUGMENT_PRESET)
        self._seed, self._calls = seed, 0
        return self

    def _check_stdev(self, stdev: Mapping[str, ArrayLike]) -> Values:
        # Zero is allowed: that value then stays as it is.
        fields = {name: FitField(field.shape, positive=False) for name, field in self._fields.items()}
        checked = check_values(f"The augmentation of {self._method}", stdev, fields)
        for name, value in checked.items():
            if (value < 0).any():
                raise NormalizerError(f"The standard deviations of {name} are negative.", mend="Give 0 or more.")
        return checked

    def _preset_stdev(self, preset: str) -> Values:
        presets = AUGMENT_STDEV.get(self._method)
        if presets is None:
            raise NormalizerError(
                f"There are no standard deviations for the stain augmentation of {self._method}.",
                mend=f"Give them to set_augment, or use one of {', '.join(sorted(AUGMENT_STDEV))}.",
            )
        if preset not in presets:
            raise NormalizerError(f"There is no augmentation preset {preset!r}.", mend=f"Use {' or '.join(presets)}.")
        return self._check_stdev(presets[preset])

    def _augment_stdev(self) -> Values:
        """Standard deviations that were set, or the default preset's."""
        return self._preset_stdev(DEFAULT_AUGMENT_PRESET) if self._stdev is None else self._stdev

    def _next_generators(self, number: int, seed: int | None) -> list[np.random.Generator]:
        """Sources of chance for the images of a call."""
        if seed is None:
            # Threads share a normaliser: no two calls may get the same number.
            with _COUNTING:
                key, self._calls = (self._seed, self._calls, 0), self._calls + 1
        else:
            key = (seed, 0, 1)
        return [np.random.Generator(np.random.Philox(np.random.SeedSequence((*key, image)))) for image in range(number)]
