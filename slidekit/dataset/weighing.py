"""Which slides of a dataset are drawn how often, and how many tiles of each are used."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Self

from slidekit.collection.balance import Balance, BalanceStrategy
from slidekit.collection.clip import Clip, ClipStrategy
from slidekit.collection.labels import is_float
from slidekit.collection.selection import Selection
from slidekit.errors import DatasetError

__all__ = ["Weighing"]


class Weighing(Selection):
    """What `Dataset` does against unequal numbers: balance what is drawn, and clip what is used."""

    def balance(
        self,
        headers: str | Sequence[str] | None = None,
        strategy: BalanceStrategy | None = "category",
        *,
        force: bool = False,
    ) -> Self:
        """Weigh slides, so that loaders draw tiles of what is rare as often as of what is common.

        The weights are in `prob_weights`. They are found anew for the slides of any dataset that is filtered or
        split from this one, and count only tiles that `clip` leaves.

        Parameters
        ----------
        headers
            Columns for ``"category"``: each combination of their values is one.
        strategy
            - ``"category"``: equal shares for the categories, each divided equally by its slides.
            - ``"patient"``: equal shares for the patients, each divided equally by the patient's slides.
            - ``"slide"``: equal shares for the slides.
            - ``"tile"``: in proportion to the slides' tiles, as without balance.
            - None: take the balance away.

            Slides without tiles weigh nothing, and have no part in the shares; in a loader that is given labels,
            nor do slides without a tile that has one.
        force
            Take numbers for categories.

        Returns
        -------
        Dataset
            A new one.

        Raises
        ------
        DatasetError
            If the strategy is unknown, `headers` do not go with it, hold numbers, or are blank for a slide.
        AnnotationsError
            If there is no such column.
        """
        rule = Balance(strategy, _headers(headers)) if strategy is not None else None
        for header in _headers(headers) if not force else ():
            if is_float(self, header):
                raise DatasetError(
                    f"The column {header!r} holds numbers, and a category of each.",
                    mend="Give a column of classes, or force=True to take numbers for classes.",
                )
        other = copy.copy(self)
        other._balance = rule
        if self.label is not None and rule is not None:
            other.prob_weights  # noqa: B018 - a column that is blank is said now and not in training
        return other

    def clip(
        self,
        max_tiles: int = 0,
        strategy: ClipStrategy | None = None,
        headers: str | Sequence[str] | None = None,
    ) -> Self:
        """Limit how many tiles are used; `num_tiles` and ``clipped`` in `manifest` say how many.

        The limit is found anew for the slides of any dataset that is filtered or split from this one. TFRecords
        do not change. Used are the first tiles of a file, which are a random choice in TFRecords that were shuffled
        when they were written, as is the default. Labels are not known here: the first tiles count whether they have
        one or not, so that a loader that is given labels may have fewer.

        Parameters
        ----------
        max_tiles
            The most tiles of a slide; with ``"patient"`` and ``"category"`` of a patient or category. 0: no limit
            but that of the strategy.
        strategy
            - None: only `max_tiles`.
            - ``"slide"``: every slide down to the smallest.
            - ``"patient"``: every patient down to the smallest, with as many tiles of each slide as can be.
            - ``"category"``: every category down to the smallest, its slides in proportion to their tiles.

            What has no tiles is not counted as the smallest.
        headers
            Columns for ``"category"``: each combination of their values is one.

        Returns
        -------
        Dataset
            A new one; a clip that was set before is replaced.

        Raises
        ------
        DatasetError
            If the strategy is unknown, `headers` do not go with it or are blank for a slide, or there is nothing
            to clip to.
        AnnotationsError
            If there is no such column.
        """
        other = copy.copy(self)
        other._clip = Clip(max_tiles, strategy, _headers(headers))
        if self.label is not None:
            other.manifest()
        return other

    def unclip(self) -> Self:
        """Use all tiles again."""
        other = copy.copy(self)
        other._clip = None
        return other


def _headers(headers: str | Sequence[str] | None) -> tuple[str, ...]:
    return (headers,) if isinstance(headers, str) else tuple(headers or ())
