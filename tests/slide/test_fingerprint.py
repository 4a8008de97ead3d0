"""A changed QC function is another method."""

from __future__ import annotations

import copy
import functools
import pickle
import threading

import numpy as np
import pytest

from slidekit.slide.fingerprint import describe_callable, fingerprint
from slidekit.slide.qc import Otsu, QCMethod

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


class WithHelper:
    FACTOR = 1

    def helper(self, wsi):
        return wsi.thumb() * self.FACTOR

    def __call__(self, wsi):
        return self.helper(wsi)[..., 0] < 1


@pytest.mark.parametrize(("name", "value"), [("helper", lambda self, wsi: wsi.thumb() * 0), ("FACTOR", 2)])
def test_methods_and_attributes_of_a_class_belong_to_it(monkeypatch, name: str, value: object) -> None:
    before = describe_callable(WithHelper())

    monkeypatch.setattr(WithHelper, name, value)

    assert describe_callable(WithHelper()) != before


def test_names_in_functions_inside_are_seen(monkeypatch) -> None:
    def nested(wsi):
        return [value < THRESHOLD for value in wsi.thumb()] and (lambda: THRESHOLD)

    before = describe_callable(nested)

    monkeypatch.setitem(nested.__globals__, "THRESHOLD", 7)

    assert describe_callable(nested) != before


def test_arrays_count_by_type_and_content() -> None:
    kinds = [np.zeros(4), np.zeros(4, np.int64), np.zeros((2, 2)), np.array(["a"], object), np.array(["b"], object)]

    found = {fingerprint({"held": kind}) for kind in kinds}

    assert len(found) == len(kinds)
    assert fingerprint(np.array(["a" * 3], object)) == fingerprint(np.array(["aa" + "a"], object))


def test_what_cannot_be_looked_into_counts_by_its_type(tmp_path) -> None:
    paths = [tmp_path / "one", tmp_path / "two"]
    with paths[0].open("w") as first, paths[1].open("w") as second:
        assert fingerprint(first) == fingerprint(second)
    assert fingerprint(threading.Lock()) == fingerprint(threading.Lock())
    assert fingerprint(paths[0]) != fingerprint(paths[1])


@pytest.mark.torch
def test_a_network_that_a_function_uses_counts_by_its_weights() -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Conv2d(3, 2, 3)
    before = describe_callable(bound(net))

    with torch.no_grad():
        net.weight[0, 0, 0, 0] += 1

    assert describe_callable(bound(net)) != before
    assert describe_callable(bound(copy.deepcopy(net))) == describe_callable(bound(net))
    assert describe_callable(bound(torch.zeros(2))) != describe_callable(bound(torch.zeros(2, dtype=torch.bfloat16)))


def test_a_class_that_was_pickled_is_the_same() -> None:
    before = fingerprint(_Pickled)

    pickle.dumps(_Pickled())

    assert "__slotnames__" in vars(_Pickled)  # pickle leaves that behind
    assert fingerprint(_Pickled) == before


class _Pickled:
    """A method of a user's that goes to another process."""

    def __call__(self, wsi) -> None: ...


def test_a_threshold_counts_whatever_parameters_say() -> None:
    class Own(QCMethod):
        name = reason = "own"

        def __call__(self, wsi) -> None: ...

        def parameters(self) -> dict:
            return {}

    method = Own()
    before = describe_callable(method)
    method.filter_threshold = 0.3

    assert before == {"method": "Own"}
    assert describe_callable(method) == {"method": "Own", "filter_threshold": 0.3}
