from __future__ import annotations

import numpy as np
import pytest

from slidekit.cells.methods import METHOD_WORDS, CellMethod, FunctionMethod, resolve_method
from slidekit.cells.methods.classical import ClassicalNuclei
from slidekit.errors import CellError, SpecError


def dark(image: np.ndarray) -> np.ndarray:
    return (image.max(axis=-1) < 100).astype(np.int32)


def test_a_word_stands_for_its_method_with_its_options() -> None:
    method = resolve_method("Classical", 10, mpp=0.4, sensitivity=0.5)

    assert isinstance(method, ClassicalNuclei)
    assert isinstance(method, CellMethod)
    assert (method.diam_um, method.mpp, method.sensitivity) == (10, 0.4, 0.5)
    assert method.margin_um >= 2 * 2.5 * 10


def test_a_function_becomes_a_method() -> None:
    method = resolve_method(dark, 6, mpp=1)
    image = np.full((4, 5, 3), 250, np.uint8)
    image[1, 2] = 20

    labels = method(image, method.prepare(None))

    assert isinstance(method, CellMethod)
    assert isinstance(method, FunctionMethod)
    assert (method.name, method.mpp, method.margin_um) == ("dark", 1.0, 36.0)
    assert np.argwhere(labels).tolist() == [[1, 2]]
    assert method.parameters()["function"].endswith(".dark")


def test_a_method_stays_what_it_is() -> None:
    method = ClassicalNuclei()

    assert resolve_method(method) is method
    assert resolve_method(method, mpp=method.mpp) is method


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        ("watershed", {}, "classical, cellpose"),
        (dark, {}, "mpp="),
        (7, {}, "finds no cells"),
        (ClassicalNuclei, {"mpp": 1}, "finds no cells"),
        (ClassicalNuclei(), {"sensitivity": 0.5}, "sensitivity"),
        (ClassicalNuclei(), {"mpp": 0.25}, "mpp"),
        ("classical", {"colour": 1}, "sensitivity"),
        (dark, {"mpp": 0}, "mpp"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_mend(given: object, options: dict[str, object], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        resolve_method(given, **options)


def test_every_word_is_known() -> None:
    assert resolve_method(METHOD_WORDS[0]).name == METHOD_WORDS[0]
    # Known, and not to be had without weights.
    with pytest.raises(CellError, match="weights"):
        resolve_method(METHOD_WORDS[1])
