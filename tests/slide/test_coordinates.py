"""Given coordinates of one slide: their order, their hash, and where their tiles' centres lie."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import SpecError
from slidekit.slide.coordinates import Coordinates

PLACES = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.sampled_from([None, "a", "b"])), min_size=1, max_size=12
)


def of(rows: list[tuple[int, int, str | None]], **options: str) -> Coordinates:
    return Coordinates.of([row[:2] for row in rows], [row[2] for row in rows], **options)


@given(PLACES, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_rows_does_not_matter(rows, chance) -> None:
    # Arrange
    other = list(rows)
    chance.shuffle(other)

    # Act
    one, two = of(rows), of(other)

    # Assert
    assert one.digest() == two.digest()
    assert one.xy.tolist() == two.xy.tolist()
    assert one.labels.tolist() == two.labels.tolist()
    assert [rows[k] for k in one.rows] == [other[k] for k in two.rows]


@given(PLACES)
@settings(deadline=None)
def test_every_row_stays_itself(rows) -> None:
    made = of(rows)
    again = [(*place, label) for place, label in zip(made.xy.tolist(), made.labels, strict=True)]
    assert [rows[k] for k in made.rows] == again
    assert sorted(made.rows.tolist()) == list(range(len(rows)))


@pytest.mark.parametrize(
    "other",
    [
        of([(1, 2, "a"), (3, 4, "b")]),
        of([(1, 2, "a"), (3, 5, None)]),
        of([(1, 2, "a"), (3, 4, None)], unit="um"),
        of([(1, 2, "a"), (3, 4, None)], anchor="corner"),
        of([(1, 2, "a"), (3, 4, None), (3, 4, None)]),
        of([(1, 2, None), (3, 4, "a")]),
    ],
)
def test_the_hash_changes_with_what_changes_tiles(other: Coordinates) -> None:
    assert other.digest() != of([(1, 2, "a"), (3, 4, None)]).digest()


def test_the_hash_is_the_same_elsewhere_and_knows_no_file() -> None:
    made = of([(1, 2, "a"), (-0.0, 4, None)])
    assert pickle.loads(pickle.dumps(made)).digest() == made.digest()
    assert of([(1, 2, "a"), (0.0, 4, None)], source="b.csv").digest() == made.digest()


def test_units_and_anchors() -> None:
    # µm/px 0.5 × 0.25, tiles of 10 × 20 px of level 0
    mpp, tile = (0.5, 0.25), (10.0, 20.0)
    assert Coordinates.of([[30, 40]]).centres(mpp, tile).tolist() == [[30, 40]]
    assert Coordinates.of([[30, 40]], unit="um").centres(mpp, tile).tolist() == [[60, 160]]
    assert Coordinates.of([[30, 40]], anchor="corner").centres(mpp, tile).tolist() == [[35, 50]]
    assert Coordinates.of([[30, 40]], unit="um", anchor="corner").centres(mpp, tile).tolist() == [[65, 170]]


@pytest.mark.parametrize(
    ("xy", "said"),
    [
        ([[1, 2, 3]], "shape (1, 3)"),
        ([1, 2], "shape (2,)"),
        (5, "shape ()"),
        ([[1, 2], [3]], "no table"),
        ([[1, np.nan]], "NaN"),
        ([[1, np.inf]], "no place"),
        ([[1, 1e13]], "no place"),
        ([["a", "b"]], "not numbers"),
        ([["1", "2"]], "not numbers"),
        ([[1, None]], "not numbers"),
        ([[True, False]], "not numbers"),
        ([[1 + 2j, 3]], "not numbers"),
        ({"x": [1], "y": [2]}, "not numbers"),
    ],
)
def test_what_is_no_place_is_refused(xy, said: str) -> None:
    with pytest.raises(SpecError) as raised:
        Coordinates.of(xy)
    assert said in str(raised.value)
    assert raised.value.mend


@pytest.mark.parametrize(
    "xy",
    [np.array([[1, 2]], np.uint8), np.array([[1, 2]], np.float32), np.array([[1, 2.0]], object), [(1, 2)]],
)
def test_numbers_of_any_type_are_places(xy) -> None:
    made = Coordinates.of(xy)
    assert (made.xy.tolist(), made.xy.dtype) == ([[1, 2]], np.float64)


def test_labels_are_one_a_place_and_empty_is_none() -> None:
    assert Coordinates.of([[1, 2], [3, 4], [5, 6]], ["", "b", np.nan]).labels.tolist() == [None, "b", None]
    with pytest.raises(SpecError, match="1 labels of 2 coordinates"):
        Coordinates.of([[1, 2], [3, 4]], ["b"])


def test_no_places_are_places_too() -> None:
    assert len(Coordinates.of([])) == 0
    assert Coordinates.of([]).centres((1, 1), (2, 2)).shape == (0, 2)
