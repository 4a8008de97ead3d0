"""The letters that users give."""

from __future__ import annotations

import pytest

from slidekit.augment import DEFAULT, LETTERS, ORDER, parse_augment
from slidekit.errors import SpecError
from slidekit.model_params import ModelParams


@pytest.mark.parametrize(
    ("given", "expected"),
    [(True, "xyrjb"), (False, ""), (None, ""), ("", ""), ("bx", "xb"), ("xxy", "xy"), (LETTERS, LETTERS)],
)
def test_letters_come_once_each_and_in_order(given, expected):
    assert parse_augment(given) == expected


def test_all_letters_but_that_of_the_normaliser_are_worked_on():
    assert sorted(ORDER + "n") == sorted(LETTERS)
    assert set(DEFAULT) < set(LETTERS)


@pytest.mark.parametrize("given", ["xz", "X", 1, ["x"], 0.5])
def test_anything_else_is_an_error_that_lists_the_letters(given):
    with pytest.raises(SpecError, match=LETTERS):
        parse_augment(given)


def test_a_model_knows_the_same_letters():
    params = ModelParams(tile_px=299, tile_um=302, normalizer="macenko", augment=LETTERS)
    assert parse_augment(params.augment) == LETTERS
    with pytest.raises(SpecError, match=LETTERS):
        ModelParams(tile_px=299, tile_um=302, augment="z")
