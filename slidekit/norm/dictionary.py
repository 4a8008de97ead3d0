"""Sparse non-negative dictionary learning for two atoms, which is what Vahadane's method needs of it.

The problem is that of `sklearn.decomposition.DictionaryLearning` and of SPAMS, with everything non-negative::

    minimise over D, A ≥ 0, ‖rows of D‖ ≤ 1:    mean over points of  ½ ‖x − a D‖² + λ ‖a‖₁

For two atoms the lasso of a point has a closed form, so that no solver runs per pixel. Colours take the place
of pixels: many pixels share one, no sample has to be drawn, and the order of the pixels changes nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["colours", "learn_dictionary", "nonnegative_code", "unmixing"]

# Bits of each channel that tell two colours apart; a colour stands for the mean of its pixels.
_BITS = 6

# Haematoxylin and eosin (Ruifrok and Johnston 2001), only to begin with: random beginnings end at the same
# dictionary on H&E tiles.
_BEGINNING = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])

_MAX_STEPS = 500
_TOLERANCE = 1e-6

# Share of a mean square concentration below which an atom is one that no pixel uses.
_UNUSED = 1e-9


def colours(image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distinct colours of an image, to 6 bits a channel, in an order that does not depend on that of the pixels.

    Parameters
    ----------
    image
        uint8 (h, w, 3), RGB.

    Returns
    -------
    (numpy.ndarray, numpy.ndarray)
        float64 (m, 3), mean of the pixels of each colour, 0–255; float64 (m,), their number.
    """
    level = np.arange(256) >> (8 - _BITS)
    channels = [image[..., channel].reshape(-1) for channel in range(3)]
    codes = sum((level << shift * _BITS)[channel] for shift, channel in enumerate(channels))
    counts = np.bincount(codes, minlength=1 << 3 * _BITS)
    there = np.flatnonzero(counts)
    # Sums of integers: exact, whatever their order.
    sums = [np.bincount(codes, channel, minlength=counts.size)[there] for channel in channels]
    number = counts[there].astype(np.float64)
    return np.stack(sums, axis=1) / number[:, np.newaxis], number


def unmixing(dictionary: NDArray[np.float64], sparsity: float = 0.0) -> tuple[NDArray[np.float64], float, float]:
    """What the non-negative lasso of a point comes down to for two atoms.

    The solution without bounds is ``u = inverse x − shift``; with bounds, an atom whose `u` is negative is left
    out, and the other one takes over what they have in common: ``a₀ = max(0, u₀ + overlap · min(0, u₁))``, and
    `a₁` likewise. Both follow from the conditions of Karush, Kuhn and Tucker.

    Parameters
    ----------
    dictionary
        float64 (2, 3), rows of length 1, not parallel.
    sparsity
        λ; 0 makes it non-negative least squares.

    Returns
    -------
    inverse, shift, overlap
        float64 (2, 3), least-squares inverse; ``λ / (1 + overlap)``; the product of the atoms.
    """
    overlap = float(dictionary[0] @ dictionary[1])
    inverse = (dictionary - overlap * dictionary[::-1]) / (1 - overlap**2)
    return inverse, sparsity / (1 + overlap), overlap


def nonnegative_code(
    points: NDArray[np.float64], dictionary: NDArray[np.float64], sparsity: float = 0.0
) -> NDArray[np.float64]:
    """Solve ``min over a ≥ 0 of ½ ‖x − a D‖² + λ ‖a‖₁`` for every point, exactly.

    Parameters
    ----------
    points
        float64 (3, n), a column each.
    dictionary, sparsity
        As for `unmixing`.

    Returns
    -------
    numpy.ndarray
        float64 (2, n).
    """
    inverse, shift, overlap = unmixing(dictionary, sparsity)
    first, second = np.einsum("ij,jn->in", inverse, points) - shift
    code = [first + overlap * np.minimum(second, 0), second + overlap * np.minimum(first, 0)]
    return np.maximum(code, 0)


def learn_dictionary(
    points: NDArray[np.float64], weights: NDArray[np.float64], sparsity: float
) -> NDArray[np.float64] | None:
    """Learn two atoms by turns: codes with the atoms held, atoms with the codes held, until they stand still.

    Parameters
    ----------
    points
        float64 (3, n), non-negative, a column each; fastest in C order.
    weights
        float64 (n,), non-negative, sum 1.
    sparsity
        λ, above zero.

    Returns
    -------
    numpy.ndarray or None
        float64 (2, 3), non-negative rows of length 1; None if no second atom is used, or the atoms become one.
    """
    dictionary = _unit_rows(_BEGINNING)
    for _ in range(_MAX_STEPS):
        code = nonnegative_code(points, dictionary, sparsity)
        # Sums by einsum: those of a BLAS may depend on its number of threads.
        correlation = np.einsum("in,jn->ij", weights * code, code)
        moments = np.einsum("in,jn->ij", weights * code, points)
        if correlation.diagonal().min() <= _UNUSED * correlation.diagonal().max():
            return None
        before, dictionary = dictionary, _best_atoms(dictionary, correlation, moments)
        if 1 - dictionary[0] @ dictionary[1] < _TOLERANCE:
            return None
        if np.abs(dictionary - before).max() < _TOLERANCE:
            break
    return dictionary


def _best_atoms(
    dictionary: NDArray[np.float64], correlation: NDArray[np.float64], moments: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Atoms (2, 3) that fit held codes best: block coordinate descent of Mairal et al., JMLR 11, 2010, algorithm 2.

    `correlation` (2, 2) is the mean of aᵀa, `moments` (2, 3) that of aᵀx.
    """
    atoms = dictionary.copy()
    for _ in range(_MAX_STEPS):
        before = atoms.copy()
        for number in range(2):
            wanted = atoms[number] + (moments[number] - correlation[number] @ atoms) / correlation[number, number]
            wanted = np.maximum(wanted, 0)
            # Atoms want to be as long as they may, because long atoms make small codes.
            atoms[number] = wanted / max(float(np.linalg.norm(wanted)), 1.0)
        if np.abs(atoms - before).max() < _TOLERANCE / 10:
            break
    return _unit_rows(atoms)


def _unit_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows brought to length 1; what has no length stays as it is."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float64] = rows / np.where(lengths > 0, lengths, 1)
    return unit
