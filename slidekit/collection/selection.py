"""`Selection`: the slides of a dataset that meet its filters, and what belongs to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slidekit.annotations import Annotations
from slidekit.collection.balance import Balance
from slidekit.collection.clip import Clip
from slidekit.collection.matching import Collection
from slidekit.collection.membership import Membership
from slidekit.collection.sources import Source
from slidekit.collection.tile_size import settle_sizes
from slidekit.errors import DatasetError
from slidekit.units import TileSize, TileSizes, size_name, tile_size_label
from slidekit.wording import some_of

__all__ = ["Selection"]


class Selection(Membership):
    """Slides that are looked up, matched with annotations and filtered; the ground that `Dataset` stands on.

    A selection does not change: `filter` and its like return a narrower one. Folders are looked through once,
    when something is first asked of a selection or of one that was filtered from it; TFRecords are looked up
    each time.

    Parameters
    ----------
    sources
        Where slides lie and tiles go.
    tile_px, tile_um
        Size of the tiles in output pixels, and in microns or as a magnification; None where it does not
        matter. Of several, for concentric tiles, the first is `tile_um`, and the others are `more_um`.
    tile_mpp
        µm/px of the tiles, instead of `tile_um`.
    annotations
        The table; None makes each slide its own patient, and the log says so.
    filters
        Column of the annotations to a value or a list of values.
    filter_blank
        Columns that must not be empty.
    min_tiles
        Slides whose TFRecord has fewer tiles are left out.
    """

    _balance: Balance | None = None
    _clip: Clip | None = None

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        tile_px: int | None = None,
        tile_um: TileSizes | None = None,
        tile_mpp: float | Sequence[float] | None = None,
        annotations: Annotations | None = None,
        filters: Mapping[str, Any] | None = None,
        filter_blank: str | Sequence[str] | None = None,
        min_tiles: int = 0,
    ) -> None:
        sizes = settle_sizes(tile_px, tile_um, tile_mpp)
        label = tile_size_label(tile_px, sizes) if tile_px is not None and sizes else None
        self.tile_px = tile_px
        self.tile_um: TileSize | None = sizes[0] if sizes else None
        self.more_um = sizes[1:]
        super().__init__(Collection(sources, annotations, label), filters, filter_blank, min_tiles)

    @property
    def tile_sizes(self) -> tuple[TileSize, ...]:
        """`tile_um` and `more_um`: sizes of concentric tiles, the one that the grid is of first; none where unknown."""
        return () if self.tile_um is None else (self.tile_um, *self.more_um)

    @property
    def more_names(self) -> tuple[str, ...]:
        """`more_um` as it stands in the names of features of the records, such as ``512um``."""
        return tuple(map(size_name, self.more_um))

    def paths(self) -> dict[str, Path]:
        """Slide to path, by name; slides of which only TFRecords are left are not there."""
        paths = self._collection.index.paths
        return {name: paths[name] for name in self.slides() if name in paths}

    def slide_paths(self) -> list[Path]:
        """Paths of the slides, in the order of their names."""
        return list(self.paths().values())

    def patients(self) -> dict[str, str]:
        """Slide to patient."""
        patients = self._collection.table.patients
        return {name: patients[name] for name in self.slides()}

    def mpp(self) -> dict[str, float]:
        """Slide to µm/px, for the slides that have it in the annotations."""
        mpp = self._collection.table.mpp
        return {name: mpp[name] for name in self.slides() if name in mpp}

    def roi_files(self) -> dict[str, Path]:
        """Slide to its file of regions of interest, for the slides that have one."""
        files = self._collection.index.rois
        return {name: files[name] for name in self.slides() if name in files}

    def rois(self) -> list[Path]:
        """Files of regions of interest, in the order of the slides' names."""
        return list(self.roi_files().values())

    def find_slide(self, *, slide: str | None = None, patient: str | None = None) -> Path | None:
        """Path of one slide of this dataset.

        Parameters
        ----------
        slide
            Name of the slide.
        patient
            Name of the patient, instead.

        Returns
        -------
        Path or None
            None if this dataset, filters included, has no such slide.

        Raises
        ------
        DatasetError
            If both or neither is given, or the patient has several slides.
        """
        if (slide is None) == (patient is None):
            raise DatasetError("find_slide needs either slide= or patient=.", mend="Give one of them.")
        patients = self.patients()
        names = {name for name, owner in patients.items() if slide == name or patient == owner}
        paths = {name: path for name, path in self.paths().items() if name in names}
        if len(paths) > 1:
            raise DatasetError(
                f"Patient {patient!r} has {len(paths)} slides: {some_of(list(paths))}.", mend="Give slide=."
            )
        return next(iter(paths.values()), None)

    @property
    def num_tiles(self) -> int:
        """Number of tiles in the TFRecords; where they are clipped, of those that are used.

        Labels are not known here: tiles that have none when a loader is given labels are counted, and do not come
        from it. The loader's own `num_tiles` says how many come.
        """
        return sum(entry["clipped"] for entry in self.manifest().values())

    @property
    def prob_weights(self) -> dict[str, float] | None:
        """Path of each TFRecord file to its share of what is drawn, sum 1; None if the dataset is not balanced.

        A file without tiles weighs 0. The weights are of the slides that this dataset holds, found when they are
        asked for. Labels are not known here: a loader that is given some weighs only the tiles that have one.
        """
        if self._balance is None:
            return None
        records = self._records()
        used = self._used_tiles(records)
        weights = self._balance.weights(self, used)
        return {str(path): weights[name] for name, path in records.items()}

    def tfrecords(self) -> list[Path]:
        """TFRecord files of the slides at this size of tile, in the order of the slides' names.

        Raises
        ------
        DatasetError
            If the dataset has no size of tile.
        """
        return list(self._records().values())

    def manifest(self) -> dict[str, dict[str, int]]:
        """Path of each TFRecord file to its tiles, ``{"total": n, "clipped": m}``: m of them are used."""
        records = self._records()
        counts, used = self._collection.counts(records.values()), self._used_tiles(records)
        return {str(path): {"total": counts[path], "clipped": used[name]} for name, path in records.items()}

    def _records(self) -> dict[str, Path]:
        """Slide to TFRecord file, by name."""
        self._demand_label()
        records = self._collection.records
        return {name: records[name] for name in self.slides() if name in records}

    def _used_tiles(self, records: Mapping[str, Path]) -> dict[str, int]:
        """Slide to the number of its tiles that are used."""
        counts = self._collection.counts(records.values())
        tiles = {name: counts[path] for name, path in records.items()}
        return tiles if self._clip is None else self._clip.counts(self, tiles)

    def _say_no_records(self) -> DatasetError:
        label, records = self._demand_label(), self._collection.records
        if not records:
            others = sorted({other for source in self.sources for other in source.record_labels()})
            mend = "Run extract_tiles, or check tfrecords=."
            if others:
                mend = f"There are {some_of(others)}: give one of these as tile_px= and tile_um=, or run extract_tiles."
            return DatasetError(f"There are no TFRecords of {label}.", mend=mend)
        if not self.slides():
            return DatasetError(
                f"The dataset holds no slide, and there are TFRecords of {label} for {len(records)} slides.",
                mend="Check filters, min_tiles and annotations, or take the other side of the split.",
            )
        return DatasetError(
            f"None of the dataset's {len(self.slides())} slides is among the {len(records)} with TFRecords of {label}.",
            mend="Run extract_tiles, or check filters and annotations.",
        )
