"""How often each slide is drawn in training, so that what is rare is seen as often as what is common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from slidekit.collection.labels import texts_of
from slidekit.errors import DatasetError

if TYPE_CHECKING:
    from slidekit.collection.selection import Selection

__all__ = ["Balance", "BalanceStrategy", "categories_of", "slide_weights"]

BalanceStrategy = Literal["category", "tile", "slide", "patient"]


@dataclass(frozen=True)
class Balance:
    """A way of weighing slides, which holds for whatever slides there are.

    Attributes
    ----------
    strategy
        What is weighed.
    headers
        Columns whose combined values are the categories.
    """

    strategy: BalanceStrategy
    headers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.strategy not in get_args(BalanceStrategy):
            raise DatasetError(
                f"strategy={self.strategy!r} is no way to balance.",
                mend=f"There are: {', '.join(get_args(BalanceStrategy))}; None takes the balance away.",
            )
        if (self.strategy == "category") != bool(self.headers):
            raise DatasetError(
                f"headers={list(self.headers)} do not go with strategy={self.strategy!r}.",
                mend='Give headers= for strategy="category", and only for it.',
            )

    def weights(self, selection: Selection, tiles: Mapping[str, int]) -> dict[str, float]:
        """Weight of each slide of a selection, by `slide_weights`.

        Parameters
        ----------
        selection
            The slides.
        tiles
            Slide to its number of tiles, clipped if they are.
        """
        if self.strategy == "category":
            return slide_weights(tiles, categories_of(selection, self.headers))
        if self.strategy == "patient":
            return slide_weights(tiles, selection.patients())
        if self.strategy == "slide":
            return slide_weights(tiles, {slide: slide for slide in tiles})
        total = sum(tiles.values())
        return {slide: count / total if total else 0.0 for slide, count in tiles.items()}


def slide_weights(tiles: Mapping[str, int], groups: Mapping[str, str]) -> dict[str, float]:
    """Equal shares for groups of slides, each divided equally by its slides.

    Parameters
    ----------
    tiles
        Slide to its number of tiles; a slide without any weighs nothing, and its group is divided by the others.
    groups
        Slide to group: its patient, its category, or itself.

    Returns
    -------
    dict
        Slide to weight, 1 / (groups * slides of the group); the sum is 1, or 0 where there are no tiles.
    """
    members = Counter(groups[slide] for slide, count in tiles.items() if count)
    return {slide: 1 / (len(members) * members[groups[slide]]) if count else 0.0 for slide, count in tiles.items()}


def categories_of(selection: Selection, headers: Sequence[str]) -> dict[str, str]:
    """Slide to its category: what stands in the columns, put together.

    Raises
    ------
    DatasetError
        If a cell is blank.
    AnnotationsError
        If there is no such column.
    """
    columns = [texts_of(selection, header) for header in headers]
    # As a tuple is written, so that parts cannot be mistaken for each other.
    return {slide: repr(tuple(cells[slide] for cells in columns)) for slide in selection.slides()}
