"""A changed QC function is another method."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from slidekit.slide.fingerprint import describe_callable
from slidekit.slide.qc import Otsu

THRESHOLD = 150


class Darker:
    def __init__(self, than: int) -> None:
        self.than = than

    def __call__(self, wsi) -> np.ndarray:
        return wsi.thumb()[..., 0] < self.than


def named(wsi, threshold: int = 150):
    return wsi.thumb()[..., 0] < threshold


def uses_global(wsi):
    return wsi.thumb()[..., 0] < THRESHOLD


def bound(threshold: object):
    return lambda wsi: wsi.thumb()[..., 0] < threshold


class Slotted:
    __slots__ = ("than",)

    def __init__(self, than: int) -> None:
        self.than = than

    def __call__(self, wsi):
        return wsi.thumb()[..., 0] < self.than


def helped(wsi):
    return HELPER(wsi)


HELPER = Darker(1)

PAIRS = [
    (Slotted(1), Slotted(2)),
    (lambda wsi: wsi.thumb()[..., 0] < 150, lambda wsi: wsi.thumb()[..., 0] > 150),
    (lambda wsi: wsi.thumb()[..., 0] < 150, lambda wsi: wsi.thumb()[..., 0] < 151),
    (lambda wsi: wsi.thumb(), lambda wsi: wsi.preview()),
    (bound(150), bound(240)),
    (bound(np.zeros(3)), bound(np.ones(3))),
    (functools.partial(named, threshold=150), functools.partial(named, threshold=240)),
    (Darker(150), Darker(240)),
    (Darker(150).__call__, Darker(240).__call__),
    (Otsu(), Otsu(min_saturation=0.1)),
]


@pytest.mark.parametrize("pair", PAIRS, ids=range(len(PAIRS)))
def test_what_differs_is_told_apart(pair) -> None:
    first, second = pair
    assert describe_callable(first) != describe_callable(second)


@pytest.mark.parametrize("make", [lambda: bound(150), lambda: functools.partial(named, threshold=1), lambda: Darker(3)])
def test_what_is_the_same_stays_the_same(make) -> None:
    assert describe_callable(make()) == describe_callable(make())


def test_a_global_that_changes_changes_the_function(monkeypatch) -> None:
    before = describe_callable(uses_global)
    monkeypatch.setitem(uses_global.__globals__, "THRESHOLD", 240)
    assert describe_callable(uses_global) != before

    before = describe_callable(helped)
    monkeypatch.setitem(helped.__globals__, "HELPER", Darker(2))
    assert describe_callable(helped) != before


def test_a_function_that_calls_itself_ends() -> None:
    def again(wsi, depth: int = 0):
        return again(wsi, depth + 1) if depth < 3 else None

    assert describe_callable(again) == describe_callable(again)
