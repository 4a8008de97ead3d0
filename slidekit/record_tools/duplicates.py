"""Slides that are in a collection twice: the same file under two names, or the same scan saved again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slidekit.errors import SlideError, SlidekitError
from slidekit.record_tools.batch import try_each
from slidekit.record_tools.pictures import SlidePicture, check_size, square_picture
from slidekit.slide.identity import slide_identity

__all__ = ["DuplicatePair", "find_duplicates"]

_AT_ONCE = 512
"""Slides that are compared with as many others at a time: bounds the memory beside the pictures themselves."""


class DuplicatePair(NamedTuple):
    """Two slides that look the same."""

    first: Path
    second: Path
    mse: float
    """Mean squared difference of their thumbnails, grey levels²; NaN where one cannot be drawn."""
    same_file: bool
    """Whether size, first and last MiB of the files are equal."""


class _Look(NamedTuple):
    identity: str | None
    pixels: npt.NDArray[np.uint8] | None


def find_duplicates(
    slides: Sequence[Path], *, px: int = 64, mse_thresh: float = 100.0, num_workers: int | None = None
) -> tuple[list[DuplicatePair], dict[Path, SlidekitError]]:
    """Compare every slide with every other.

    Parameters
    ----------
    slides
        Files; one that is given twice is compared once.
    px
        Edge of the square thumbnails, pixels; slides are drawn in the middle of white squares.
    mse_thresh
        Thumbnails whose mean squared difference over pixels and channels is below this are of the same slide. Slides
        with very little tissue resemble each other: look at what is found.
    num_workers
        Threads that draw; one a core by default.

    Returns
    -------
    list of DuplicatePair
        In the order of `slides`.
    dict
        Slides that cannot be drawn, and why; they are compared as files only.

    Raises
    ------
    SpecError
        If `px` is no size of a picture.
    """
    check_size(px)
    paths = list(dict.fromkeys(slides))
    errors: dict[Path, SlidekitError] = {}

    def look(path: Path) -> _Look:
        try:
            identity = slide_identity(path)
        except OSError as error:
            what = f"cannot be read: {error.strerror or error}."
            errors[path] = SlideError(what, mend="Check the path.", path=path)
            return _Look(None, None)
        try:
            return _Look(identity, square_picture(SlidePicture(path), px))
        except SlidekitError as error:
            errors[path] = error
            return _Look(identity, None)

    done, failed = try_each(look, paths, num_workers=num_workers)
    errors |= dict(failed)
    looks = dict(done)
    pairs = {(first, second): mse for first, second, mse in _alike(paths, looks, mse_thresh)}
    same = dict.fromkeys(_same_files(paths, looks))
    found = [
        DuplicatePair(paths[first], paths[second], pairs.get((first, second), np.nan), (first, second) in same)
        for first, second in sorted(pairs.keys() | same.keys())
    ]
    return found, {path: errors[path] for path in paths if path in errors}


def _alike(paths: Sequence[Path], looks: dict[Path, _Look], mse_thresh: float) -> Iterator[tuple[int, int, float]]:
    """Numbers of slides whose thumbnails differ by less, and by how much."""
    pictures = {
        number: look.pixels
        for number, path in enumerate(paths)
        if (look := looks.get(path)) is not None and look.pixels is not None
    }
    if not pictures:
        return
    drawn, pixels = list(pictures), np.stack(list(pictures.values())).reshape(len(pictures), -1)
    for start in range(0, len(drawn), _AT_ONCE):
        for other in range(start, len(drawn), _AT_ONCE):
            found = _near(pixels[start : start + _AT_ONCE], pixels[other : other + _AT_ONCE], mse_thresh)
            for row, column, mse in found:
                if start + row < other + column:
                    yield drawn[start + row], drawn[other + column], mse


def _near(
    these: npt.NDArray[np.uint8], those: npt.NDArray[np.uint8], mse_thresh: float
) -> Iterator[tuple[int, int, float]]:
    """Rows of two arrays whose mean squared difference is below a limit."""
    # From the middle of the range the products stay small enough for the 24 bits of float32.
    first, second = these.astype(np.float32) - 128, those.astype(np.float32) - 128
    squares = [np.einsum("ij,ij->i", part, part, dtype=np.float64) for part in (first, second)]
    products = (first @ second.T).astype(np.float64)
    mse = (squares[0][:, np.newaxis] + squares[1] - 2 * products) / first.shape[1]
    # A little more than asked for, which is then measured exactly.
    for row, column in np.argwhere(mse < mse_thresh + 1):
        exact = float(np.mean((first[row] - second[column]) ** 2, dtype=np.float64))
        if exact < mse_thresh:
            yield int(row), int(column), exact


def _same_files(paths: Sequence[Path], looks: dict[Path, _Look]) -> Iterator[tuple[int, int]]:
    by_identity: dict[str, list[int]] = {}
    for number, path in enumerate(paths):
        identity = looks[path].identity if path in looks else None
        if identity is not None:
            for other in by_identity.setdefault(identity, []):
                yield other, number
            by_identity[identity].append(number)
