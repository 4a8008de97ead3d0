"""Quotas over columns of the annotations, one within the other: exact shares of slides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from slidekit.errors import DatasetError, SpecError
from slidekit.sampling.slides import SampledSlide
from slidekit.wording import cell_text, some_of

__all__ = ["Quotas", "check_quotas", "quota_shares"]

Quotas = Mapping[str, Mapping[str, float]] | Sequence[str]
"""Columns, each with the shares of its values; or columns alone, whose values come alike."""

_WITHIN = ("slide", "area")
"""Last words: whether slides of a group come alike or by their area; not columns."""


def check_quotas(slides: Sequence[SampledSlide], quotas: Quotas) -> None:
    """Refuse quotas that the annotations do not support.

    Raises
    ------
    SpecError
        If no slide has a column, or shares and values do not agree.
    DatasetError
        If a slide has nothing in a column.
    """
    for column in _columns(quotas):
        known = sorted({name for slide in slides for name in slide.groups})
        if column not in known:
            raise SpecError(
                f"weights: no slide has a column {column!r}.",
                mend=f"Give slide, area, or columns: {', '.join(known)}." if known else "Give slide or area.",
            )
        blank = [slide.name for slide in slides if not _value(slide, column)]
        if blank:
            raise DatasetError(
                f"weights: column {column!r} is blank for {some_of(blank)}.",
                mend="Fill it in, or leave those slides out.",
            )
        if isinstance(quotas, Mapping):
            _check_shares(column, quotas[column], {_value(slide, column) for slide in slides})


def _check_shares(column: str, shares: Mapping[str, float], values: set[str]) -> None:
    if lacking := sorted(values - set(shares)):
        raise SpecError(
            f"weights: values of column {column!r} have no share: {some_of(lacking)}.", mend="Give 0 to leave one out."
        )
    if strange := sorted(set(shares) - values):
        raise SpecError(f"weights: no slide has these values of column {column!r}: {some_of(strange)}.")
    if not any(shares.values()):
        raise SpecError(f"weights: all shares of column {column!r} are 0.")


def quota_shares(
    slides: Sequence[SampledSlide], quotas: Quotas, usable: NDArray[np.bool_], areas: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Share of each slide.

    At each level the values that are there share what their group has: alike, or by the shares given; slides of the
    last groups share alike, or by their area.

    Parameters
    ----------
    slides
        All slides; `check_quotas` has passed them.
    quotas
        Columns from the outermost in.
    usable
        (n,) bool: slides that can be had; the others get nothing, and what their groups have goes to the rest.
    areas
        (n,) µm² of each, for quotas that end in ``area``.

    Returns
    -------
    ndarray (n,), float64
        Adds up to 1; all 0 where no slide is left.
    """
    shares = np.zeros(len(slides))
    pending: list[tuple[list[int], tuple[str, ...], float]] = [
        ([int(index) for index in np.flatnonzero(usable)], _columns(quotas), 1.0)
    ]
    while pending:
        members, columns, share = pending.pop()
        if not columns:
            within = areas[members] if areas is not None else np.ones(len(members))
            if within.sum() > 0:
                shares[members] = share * within / within.sum()
            continue
        by_value: dict[str, list[int]] = {}
        for index in members:
            by_value.setdefault(_value(slides[index], columns[0]), []).append(index)
        given = quotas[columns[0]] if isinstance(quotas, Mapping) else dict.fromkeys(by_value, 1.0)
        total = sum(given[value] for value in by_value)
        pending += [
            (group, columns[1:], share * given[value] / total) for value, group in by_value.items() if given[value] > 0
        ]
    # A group whose slides are all out, or of no area, leaves its share to the others.
    return shares / shares.sum() if shares.any() else shares


def _value(slide: SampledSlide, column: str) -> str:
    """What stands in a column, as text; numbers as they would be written."""
    return cell_text(slide.groups.get(column))


def _columns(quotas: Quotas) -> tuple[str, ...]:
    columns = tuple(quotas)
    return columns[:-1] if not isinstance(quotas, Mapping) and columns[-1] in _WITHIN else columns
