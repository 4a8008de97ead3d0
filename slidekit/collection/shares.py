"""Whole numbers in proportion: so many of each, as near to the exact share as whole numbers can be."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeVar

__all__ = ["apportion"]

_Key = TypeVar("_Key")


def apportion(exact: Mapping[_Key, Fraction], total: int) -> dict[_Key, int]:
    """Round shares to whole numbers with a given sum, each to its floor or ceiling (Hamilton's largest remainders).

    Parameters
    ----------
    exact
        Shares, whose sum is less than one away from `total`.
    total
        Sum of the whole numbers. Of equal remainders the earlier one is rounded up.
    """
    floors = {key: share.__floor__() for key, share in exact.items()}
    left = total - sum(floors.values())
    order = sorted(exact, key=lambda key: floors[key] - exact[key])
    # A whole share has nothing to be rounded up.
    raised = set([key for key in order if floors[key] != exact[key]][: max(left, 0)])
    return {key: floor + (key in raised) for key, floor in floors.items()}
