"""What loaders read: the tiles of a dataset, in TFRecords or on the slides, balanced and clipped as it is."""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from slidekit.collection.label_values import UseFloat
from slidekit.collection.tile_labels import TileLabels, settle_labels
from slidekit.dataset.sampling import Sampling
from slidekit.errors import DatasetError, SpecError
from slidekit.wording import some_of

if TYPE_CHECKING:
    from slidekit.loading.options import LoaderOptions
    from slidekit.loading.stream import TileStream
    from slidekit.sampling.tiles.stream import CellStream

__all__ = ["Streaming"]

logger = logging.getLogger(__name__)

_FEEDING = ("look_ahead", "memory", "open_slides")
"""How a feed reads, which changes no batch."""

_GRID = (
    "roi_method",
    "roi_filter_method",
    "roi_origin",
    "qc",
    "filter_threshold",
    "stride_div",
    "use_edge_tiles",
    "reader",
    "resample",
    "mpp",
    "cache",
)
"""Which cells of the slides are tiles, and how they are read."""

_SPELLINGS = {"qc_filter_threshold": "filter_threshold", "mpp_override": "mpp"}
_PIXEL_FILTERS = ("grayspace_fraction", "whitespace_fraction")


class Streaming(Sampling):
    """The streams of batches that `Dataset` gives to its loaders."""

    def _stream(self, labels: Any, options: LoaderOptions, use_float: UseFloat = "auto") -> TileStream:
        """Batches of the tiles in TFRecords."""
        from slidekit.io.record_table import RecordTable
        from slidekit.loading.stream import TileStream

        records = self._records()
        if not records:
            raise self._say_no_records()
        if options.method is not None:
            _warn_of_normalized({path.parent for path in records.values()})
        table = RecordTable.open(list(records.values()))
        found = settle_labels(labels, table, self.label_rows(), use_float=use_float)
        # By the tiles that the table lists, for they are what is read.
        weights, tiles = self._shares(found, table.starts, list(records))
        return TileStream(
            table,
            options,
            labels=found,
            weights=weights,
            clip=None if self._clip is None else tiles,
            tile_px=self.tile_px,
            num_classes=None if found is None else found.num_classes,
            further=self.more_names,
        )

    def _slide_stream(
        self, labels: Any, options: LoaderOptions, use_float: UseFloat, given: Mapping[str, Any]
    ) -> CellStream:
        """Batches of the tiles that an extraction would keep, read from the slides.

        Parameters
        ----------
        labels, options, use_float
            As for the loaders.
        given
            What `split_slide_options` found.
        """
        from slidekit.sampling.tiles.stream import CellStream
        from slidekit.sampling.tiles.table import CellTable

        if self.more_um:
            raise SpecError(
                "from_wsi=True reads tiles of one size, and the dataset has several.",
                mend="Extract the tiles, whose records have all sizes; or take Dataset.sampler(), whose patches have "
                "them as views.",
            )
        feeding = {name: value for name, value in given.items() if name in (*_FEEDING, "workers")}
        grid = {name: value for name, value in given.items() if name in _GRID}
        sampler = self.sampler(mode="grid", shuffle=False, **{"resample": "shrink", **grid})
        if left_out := [f"{name} ({reason})" for name, reason in sampler.left_out().items()]:
            logger.warning("%d slides have no tiles: %s", len(left_out), some_of(left_out))
        if len(sampler) == 0:
            raise DatasetError(
                f"No slide has a tile{f', such as {left_out[0]}' if left_out else ''}.",
                mend="Check ROIs, QC and the size of the tiles.",
            )
        table = CellTable.of(sampler)
        found = settle_labels(labels, table, self.label_rows(), use_float=use_float)
        weights, tiles = self._shares(found, table.starts, list(table.names))
        return CellStream(
            sampler,
            table,
            options,
            labels=found,
            weights=weights,
            clip=None if self._clip is None else tiles,
            num_classes=None if found is None else found.num_classes,
            **feeding,
        )

    def _shares(
        self, labels: TileLabels | None, starts: npt.NDArray[np.int64], slides: Sequence[str]
    ) -> tuple[npt.NDArray[np.float64] | None, npt.NDArray[np.int64]]:
        """How often each slide is drawn, None for each tile once; and how many of its tiles are used."""
        tiles = np.diff(starts)
        if self._clip is not None:
            used = self._clip.counts(self, dict(zip(slides, tiles.tolist(), strict=True)))
            tiles = np.array([used[slide] for slide in slides], np.int64)
        if self._balance is None:
            return None, tiles
        left = _count_labelled(labels, starts, tiles)
        weights = self._balance.weights(self, dict(zip(slides, left.tolist(), strict=True)))
        return np.array([weights[slide] for slide in slides]), tiles


def split_slide_options(given: MutableMapping[str, Any], *, from_wsi: bool) -> dict[str, Any]:
    """Take out of a loader's options what is for tiles from slides.

    Parameters
    ----------
    given
        Options; what is found is removed.
    from_wsi
        Whether tiles are read from slides.

    Returns
    -------
    dict
        Options of the grid and of the feed by their settled names.

    Raises
    ------
    SpecError
        If there are such options and tiles are not read from slides; or they ask for filters of pixels.
    """
    names = [name for name in given if name in (*_GRID, *_SPELLINGS, *_FEEDING, *_PIXEL_FILTERS)]
    if names and not from_wsi:
        raise SpecError(
            f"{', '.join(names)}: tiles in TFRecords were chosen when they were extracted.",
            mend="Leave it out; or take from_wsi=True, which reads the slides.",
        )
    found = {_SPELLINGS.get(name, name): given.pop(name) for name in names}
    for name in _PIXEL_FILTERS:
        if found.pop(name, 1) != 1:
            raise SpecError(
                f"{name} goes by the pixels of each tile, which from_wsi=True does not read before its turn comes.",
                mend='Leave it out, and take qc="otsu" or "both" against background; or extract the tiles.',
            )
    return found


def _count_labelled(
    labels: TileLabels | None, starts: npt.NDArray[np.int64], tiles: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Of the first `tiles` of each file, how many have a label."""
    if labels is None or labels.used is None:
        return tiles
    if not labels.per_tile:
        return np.where(labels.used, tiles, 0)
    counts = np.diff(starts)
    places = np.arange(int(starts[-1])) - np.repeat(starts[:-1], counts)
    left = np.add.reduceat(np.append(labels.used & (places < np.repeat(tiles, counts)), 0), starts[:-1], dtype=np.int64)
    # Of a file without tiles, reduceat gives what stands at its place.
    return np.where(counts, left, 0)


def _warn_of_normalized(folders: set[Path]) -> None:
    """Say if tiles were normalised when they were extracted: they would be normalised twice."""
    from slidekit.io.spec_file import spec_value

    for folder in sorted(folders):
        if method := spec_value(folder, "normalizer"):
            logger.warning(
                "%s: these tiles were normalised by %s when they were extracted, and now are again. Extract them "
                "without, or leave out normalizer=.",
                folder,
                method,
            )
