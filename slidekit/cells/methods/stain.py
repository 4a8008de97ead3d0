"""How much nuclear stain there is at each pixel, and what of it is usual on a slide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from slidekit.cells.methods.scale_space import MOST_COUNTS, Counts
from slidekit.errors import SpecError
from slidekit.norm.stains import find_stains
from slidekit.pixels.image import RGBImage

__all__ = ["STAINS", "UNIT", "StainFacts", "measure_stain", "nuclear_stain"]

Floats = npt.NDArray[np.float64]

STAINS = ("he", "hdab", "hdab-nuclear")
UNIT = 4096
"""Counts of `nuclear_stain` for an optical density of 1."""

_HEMATOXYLIN, _EOSIN, _DAB = (0.650, 0.704, 0.286), (0.072, 0.990, 0.105), (0.268, 0.570, 0.776)
"""Optical densities of the stains alone: Ruifrok and Johnston, Anal. Quant. Cytol. Histol. 23, 2001."""

_TRUSTED = np.cos(np.deg2rad((20.0, 30.0)))
"""Stains that were found on a slide are taken where they are within these angles of the published ones."""

_STAINED = 0.15
"""Macenko's beta, of the natural logarithm."""

_LEAST_CONTRAST = 0.2 * UNIT
"""Otsu's threshold always finds two classes, in a slide without nuclei, too: no nucleus is this pale."""


class StainFacts(NamedTuple):
    """What `prepare` finds on a slide.

    Attributes
    ----------
    white
        (R, G, B) of glass.
    weights
        Amount of nuclear stain for a unit of optical density in R, G, B.
    background, nuclear
        Usual amounts outside and inside nuclei, counts.
    found
        Whether the vectors are the slide's own (Macenko's), not the published ones.
    """

    white: tuple[float, float, float]
    weights: tuple[float, float, float]
    background: float
    nuclear: float
    found: bool

    @property
    def contrast(self) -> float:
        """Counts by which nuclei usually stand out."""
        return self.nuclear - self.background


def nuclear_stain(image: RGBImage, facts: StainFacts) -> Counts:
    """Unmix the nuclear stain by colour deconvolution.

    Parameters
    ----------
    image
        uint8 (rows, columns, 3), RGB.
    facts
        Of the slide.

    Returns
    -------
    ndarray of uint16 (rows, columns)
        Optical density of the stain · 4096; negative amounts are 0.

    Notes
    -----
    The optical density is a table of 256 values a channel, and unmixing a sum of three: whole numbers all the way.
    """
    values = np.arange(256)
    density = -np.log10(np.maximum(values, 1)[:, None] / np.array(facts.white))
    tables = np.rint(np.maximum(density, 0) * np.array(facts.weights) * UNIT).astype(np.int16)
    parts = cv2.split(cv2.LUT(image, tables[None]))
    total = cv2.add(cv2.add(parts[0], parts[1]), parts[2])
    return np.clip(total, 0, MOST_COUNTS).astype(np.uint16)


def measure_stain(samples: Sequence[RGBImage], white: tuple[float, float, float], stain: str = "he") -> StainFacts:
    """Find the stains of a slide and how strong they are.

    Parameters
    ----------
    samples
        Pieces of its tissue at the µm/px of the work.
    white
        (R, G, B) of glass.
    stain
        ``he``: the vectors by Macenko's method where they are plausible, else the published ones. ``hdab``: the
        published ones; brown does not count. ``hdab-nuclear``: brown counts as blue does.

    Raises
    ------
    SpecError
        For a stain that is none.
    """
    if stain not in STAINS:
        raise SpecError(f"stain={stain!r} is not a stain.", mend=f"Use {', '.join(STAINS)}.")
    pixels = np.concatenate([sample.reshape(-1, 3) for sample in samples])
    vectors = _find_vectors(pixels, white) if stain == "he" else None
    facts = StainFacts(white, _weights(vectors, stain), 0.0, 0.0, vectors is not None)
    background, nuclear = _two_levels(samples, facts)
    return facts._replace(background=background, nuclear=max(nuclear, background + _LEAST_CONTRAST))


def _find_vectors(pixels: npt.NDArray[np.uint8], white: tuple[float, float, float]) -> Floats | None:
    """Hematoxylin and eosin (2, 3) of the slide, where they look like them."""
    density = -np.log(np.maximum(pixels, 1) / np.array(white)).astype(np.float32)[None]
    stained = (density.min(axis=-1) > _STAINED).astype(np.uint8) * 255
    stains = find_stains(density, stained)
    if stains is None:
        return None
    vectors = stains.matrix.T
    published = _unit(_HEMATOXYLIN, _EOSIN)
    return vectors if np.all((vectors * published).sum(axis=1) >= _TRUSTED) else None


def _weights(vectors: Floats | None, stain: str) -> tuple[float, float, float]:
    """Weights of the channels for the nuclear stain."""
    first, second = _unit(_HEMATOXYLIN, _EOSIN) if vectors is None else vectors
    # The third, brown, takes up erythrocytes and pigment, which two stains would share among them.
    unmix = np.linalg.inv(np.array([first, second, *_unit(_DAB)]))
    weights = unmix[:, 0] + unmix[:, 2] if stain == "hdab-nuclear" else unmix[:, 0]
    return float(weights[0]), float(weights[1]), float(weights[2])


def _unit(*vectors: tuple[float, float, float]) -> Floats:
    table = np.array(vectors)
    return np.asarray(table / np.linalg.norm(table, axis=1, keepdims=True))


def _two_levels(samples: Sequence[RGBImage], facts: StainFacts) -> tuple[float, float]:
    """Usual amounts outside and inside nuclei: means on either side of Otsu's threshold."""
    counts = np.zeros(MOST_COUNTS + 1, np.int64)
    for sample in samples:
        stain = cv2.blur(nuclear_stain(sample, facts), (3, 3))
        counts += np.bincount(stain.ravel(), minlength=MOST_COUNTS + 1)
    values = np.arange(MOST_COUNTS + 1)
    weight, total = np.cumsum(counts), np.cumsum(counts * values)
    rest, above = weight[-1] - weight, total[-1] - total
    below_mean, above_mean = total / np.maximum(weight, 1), above / np.maximum(rest, 1)
    threshold = int(np.argmax(weight * rest * (above_mean - below_mean) ** 2))
    return float(below_mean[threshold]), float(above_mean[threshold])
