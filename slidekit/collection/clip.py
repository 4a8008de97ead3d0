"""How many tiles of each slide are used at most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, get_args

from slidekit.collection.balance import categories_of
from slidekit.collection.numbers import whole_number
from slidekit.collection.shares import apportion
from slidekit.errors import DatasetError

if TYPE_CHECKING:
    from slidekit.collection.selection import Selection

__all__ = ["Clip", "ClipStrategy", "level_off", "scale_down"]

ClipStrategy = Literal["slide", "patient", "category"]


@dataclass(frozen=True)
class Clip:
    """A limit to the tiles that are used, which holds for whatever slides there are.

    Attributes
    ----------
    max_tiles
        The most tiles of a slide, patient or category; 0 sets no limit of its own.
    strategy
        What is brought down to the smallest; None nothing.
    headers
        Columns whose combined values are the categories.
    """

    max_tiles: int = 0
    strategy: ClipStrategy | None = None
    headers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.strategy is not None and self.strategy not in get_args(ClipStrategy):
            raise DatasetError(
                f"strategy={self.strategy!r} is no way to clip.",
                mend=f"There are: {', '.join(get_args(ClipStrategy))}.",
            )
        if whole_number(self.max_tiles) is None:
            raise DatasetError(f"max_tiles={self.max_tiles!r} is no number of tiles.", mend="Give 0 or more.")
        if (self.strategy == "category") != bool(self.headers):
            raise DatasetError(
                f"headers={list(self.headers)} do not go with strategy={self.strategy!r}.",
                mend='Give headers= for strategy="category", and only for it.',
            )
        if not self.max_tiles and self.strategy is None:
            raise DatasetError("Nothing is said to clip to.", mend="Give max_tiles= or strategy=.")

    def counts(self, selection: Selection, tiles: Mapping[str, int]) -> dict[str, int]:
        """Tiles of each slide of a selection that are used.

        Parameters
        ----------
        selection
            The slides.
        tiles
            Slide to the number of tiles in its TFRecord.
        """
        if self.strategy == "patient":
            groups = selection.patients()
        elif self.strategy == "category":
            groups = categories_of(selection, self.headers)
        else:
            groups = {slide: slide for slide in tiles}
        members: dict[str, dict[str, int]] = defaultdict(dict)
        for slide, count in sorted(tiles.items()):
            members[groups[slide]][slide] = count
        totals = [total for counts in members.values() if (total := sum(counts.values()))]
        most = min(totals, default=0) if self.strategy is not None else max(totals, default=0)
        most = min(most, self.max_tiles) if self.max_tiles else most
        share = scale_down if self.strategy == "category" else level_off
        return {slide: count for counts in members.values() for slide, count in share(counts, most).items()}


def level_off(tiles: Mapping[str, int], most: int) -> dict[str, int]:
    """Take `most` tiles of several slides, as even as they allow: from each the same, from small ones all.

    Where it does not come out even, larger slides give one more.
    """
    left, taken = most, {}
    for number, slide in enumerate(sorted(tiles, key=lambda slide: tiles[slide])):
        # From the smallest on: what it cannot give is divided among the larger.
        taken[slide] = min(tiles[slide], left // (len(tiles) - number))
        left -= taken[slide]
    return {slide: taken[slide] for slide in tiles}


def scale_down(tiles: Mapping[str, int], most: int) -> dict[str, int]:
    """Take `most` tiles of several slides, in proportion to what each has."""
    total = sum(tiles.values())
    if total <= most:
        return dict(tiles)
    return apportion({slide: Fraction(count * most, total) for slide, count in tiles.items()}, most)
