from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from slidekit.cells.values import class_names, whole_number
from slidekit.errors import SpecError


def test_classes_become_text_and_what_is_missing_none() -> None:
    given = ["a", np.str_("b"), None, float("nan"), np.float32("nan"), pd.NA, pd.NaT, 3, np.int64(4), 5.0, np.uint8(6)]

    names = class_names(given, len(given))

    assert names == ["a", "b", None, None, None, None, None, "3", "4", "5", "6"]
    assert all(name is None or type(name) is str for name in names)


@pytest.mark.parametrize(
    "classes",
    [np.array([1, 2]), pd.Series([1, 2], index=[7, 9]), pd.Categorical(["1", "2"]), pd.Series(["1", "2"]), (1.0, 2.0)],
)
def test_classes_may_come_in_any_sequence(classes: object) -> None:
    assert class_names(classes, 2) == ["1", "2"]


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        (["a"], "1 classes for 2 cells"),
        ([], "0 classes for 2 cells"),
        ("ab", "are no classes"),
        (7, "are no classes"),
        (["a", 1.5], "1.5 of cell 2"),
        ([True, "a"], "True of cell 1"),
        (["a", ["b"]], "of cell 2"),
        (["a", np.inf], "of cell 2"),
    ],
)
def test_what_are_no_classes_is_refused_with_its_cell(classes: object, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        class_names(classes, 2)


def test_whole_numbers_of_numpy_count() -> None:
    number = whole_number("workers", np.int64(3))

    assert (number, type(number)) == (3, int)


@pytest.mark.parametrize("value", [0, -1, 2.0, "3", None, True, np.float64(3)])
def test_what_is_no_whole_number_is_refused_by_name(value: object) -> None:
    with pytest.raises(SpecError, match="workers="):
        whole_number("workers", value)
