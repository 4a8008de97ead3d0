"""Windows along an axis: they cover it, blend without a seam, and lie where their cells do."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.pixels.windows import blended_axis, separate_axis, window_starts

LENGTHS = st.integers(1, 500)
SIZES = st.integers(1, 80)


@st.composite
def axes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Length, size, overlap, cells."""
    length, size = draw(LENGTHS), draw(SIZES)
    return length, size, draw(st.integers(0, size - 1)), draw(st.integers(1, length))


@given(axes(), st.sampled_from([1, 2, 4]))
@settings(deadline=None)
def test_windows_cover_the_axis_evenly_with_their_overlap(axis: tuple[int, int, int, int], multiple: int) -> None:
    length, size, overlap, _ = axis
    size, overlap = size * multiple, overlap * multiple

    starts = np.array(window_starts(length, size, overlap, multiple=multiple))

    assert (starts % multiple == 0).all()
    assert starts[0] <= 0
    assert starts[-1] + size >= length
    if len(starts) > 1:
        steps = np.diff(starts)
        assert starts[0] == 0
        assert starts[-1] + size < length + multiple
        assert steps.max() <= size - overlap
        assert steps.max() - steps.min() <= multiple
    else:
        assert length <= size


@given(LENGTHS, SIZES)
@settings(deadline=None)
def test_a_cell_lies_within_a_quarter_window_of_its_window(length: int, size: int) -> None:
    axis = separate_axis(length, size)

    cell = length / axis.cells
    middles = np.array(axis.starts) + size / 2
    assert np.abs((np.arange(axis.cells) + 0.5) * cell - middles).max() <= max(size / 4, 0.5) + 0.5
    assert axis.cells == -(-length // size)


@given(axes())
@settings(deadline=None)
def test_weights_of_each_cell_add_up_to_one(axis: tuple[int, int, int, int]) -> None:
    length, size, overlap, cells = axis
    blended = blended_axis(length, window_starts(length, size, overlap), size, cells)

    total = np.zeros(cells)
    for share in blended.shares:
        assert (share.weights > 0).all()
        total[share.cells] += share.of_whole()

    np.testing.assert_allclose(total, 1, atol=1e-12)


@given(axes(), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_what_does_not_depend_on_the_window_comes_back_as_means_of_cells(
    axis: tuple[int, int, int, int], seed: int
) -> None:
    # Arrange: the same signal is seen through all windows
    length, size, overlap, cells = axis
    signal = np.random.default_rng(seed).random(length)
    starts = window_starts(length, size, overlap)
    beyond = np.pad(signal, size)

    # Act
    blended = blended_axis(length, starts, size, cells)
    found = np.zeros(cells)
    for start, share in zip(starts, blended.shares, strict=True):
        found[share.cells] += share.gather(beyond[size + start : 2 * size + start], axis=0)

    # Assert
    cell_of = np.minimum(((np.arange(length) + 0.5) * cells / length).astype(int), cells - 1)
    np.testing.assert_allclose(found, [signal[cell_of == cell].mean() for cell in range(cells)], atol=1e-9)


def test_weights_fade_towards_the_border_of_a_window() -> None:
    blended = blended_axis(100, window_starts(100, 40, 10), 40, 100)

    first = blended.shares[0].weights
    assert blended.starts == (0, 30, 60)
    np.testing.assert_allclose(first[:30], 1)
    assert (np.diff(first[29:]) < 0).all()
    np.testing.assert_allclose(first[30:] + blended.shares[1].weights[:10], 1)
