"""How slides, rows of annotations, TFRecords and regions of interest belong together."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from slidekit.annotations import Annotations, manifest_of_slides
from slidekit.collection.names import settle_text
from slidekit.collection.sources import SlideIndex, Source
from slidekit.collection.tile_counts import count_tiles
from slidekit.errors import DatasetError
from slidekit.wording import some_of

__all__ = ["Collection", "Unmatched"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Unmatched:
    """What has no counterpart.

    Attributes
    ----------
    slides_without_rows
        Slides that were found, or of which there are TFRecords, and that stand in no row of the annotations; they are
        not part of the dataset.
    rows_without_slides
        Rows of the annotations for which there is neither a slide nor a TFRecord.
    rois_without_slides
        Files of regions of interest that are named after no slide.
    """

    slides_without_rows: tuple[str, ...]
    rows_without_slides: tuple[str, ...]
    rois_without_slides: tuple[Path, ...]


class Collection:
    """Everything that the sources hold, matched once and shared by all selections of a dataset.

    Parameters
    ----------
    sources
        Where things lie.
    annotations
        The table; None makes a manifest in which each slide is its own patient.
    label
        Folder name of the size of tile, such as ``256px_128um``; None if it is not settled.
    """

    def __init__(self, sources: Sequence[Source], annotations: Annotations | None, label: str | None) -> None:
        self.index = SlideIndex(sources)
        self.label = label
        self._given = annotations
        self._counted: dict[tuple[Path, int, int], int] = {}

    @property
    def records(self) -> Mapping[str, Path]:
        """Slide to TFRecord file of this size of tile; looked up each time, for they are made meanwhile.

        Raises
        ------
        DatasetError
            If there are two TFRecords of one slide.
        """
        if self.label is None:
            return {}
        records: dict[str, Path] = {}
        alike: dict[str, Path] = {}
        for source in self.index.sources:
            for name, path in source.records(self.label).items():
                other = alike.setdefault(settle_text(name), path)
                if other != path and (other.name != path.name or other.resolve() != path.resolve()):
                    raise DatasetError(
                        f"There are two TFRecords of the slide {name!r}, or of what looks like it: {other} and {path}.",
                        mend="Move one of them away, rename one slide, or use one of the sources.",
                    )
                records[name if name.isascii() else self._spelt_as_slide(name)] = other
        return records

    def counts(self, paths: Iterable[Path]) -> dict[Path, int]:
        """Tiles of TFRecord files; a file that has not changed is counted once.

        Raises
        ------
        RecordError
            If a file is damaged or cannot be read.
        """
        states = {path: _state(path) for path in paths}
        new = count_tiles(path for path, state in states.items() if state not in self._counted)
        self._counted |= {states[path]: count for path, count in new.items()}
        return {path: self._counted[state] for path, state in states.items()}

    @cached_property
    def table(self) -> Annotations:
        """The annotations that were given, or the manifest."""
        if self._given is not None:
            return self._given.renamed(self._names_of_files(self._given))
        names = [*self.index.paths, *self.records]
        if not names:
            logger.warning("%s", self.index.say_empty())
        return manifest_of_slides(names)

    def _names_of_files(self, given: Annotations) -> dict[str, str]:
        """Slide as a row calls it to the name of its file, where they differ.

        A row a.svs is of the file a.svs, or of a.svs.tif, whose name is a.svs: what is there tells. And rows are
        spelt in one way where files may be spelt in another, which looks the same.
        """
        if not given.shortened:
            return {}
        present = self.index.paths.keys() | self.records.keys()
        spelt = {settle_text(name): name for name in present}
        called = {}
        for slide in given.slides:
            written = given.shortened.get(slide, slide)
            name = spelt.get(slide, spelt.get(written, slide))
            if name != slide:
                called[slide] = name
        return called

    @cached_property
    def _spellings(self) -> dict[str, str]:
        return {settle_text(name): name for name in self.index.paths}

    def _spelt_as_slide(self, name: str) -> str:
        """Name of the slide that looks like this one; the name itself if there is none."""
        return self._spellings.get(settle_text(name), name)

    @cached_property
    def names(self) -> frozenset[str]:
        """Slides that have a row, and a file or TFRecords; the log names what does not match."""
        self._warn()
        return frozenset(self.table.slides) & (self.index.paths.keys() | self.records.keys())

    @cached_property
    def unmatched(self) -> Unmatched:
        """What has no counterpart."""
        rows, present = set(self.table.slides), self.index.paths.keys() | self.records.keys()
        return Unmatched(
            slides_without_rows=tuple(sorted(present - rows)),
            rows_without_slides=tuple(sorted(rows - present)),
            rois_without_slides=self.index.rois_without_slides,
        )

    def _warn(self) -> None:
        lost, table = self.unmatched, self.table.path or "the annotations"
        if lost.slides_without_rows:
            logger.warning(
                "%d slides (or TFRecords) have no row in %s and are left out: %s. Add rows for them.",
                len(lost.slides_without_rows),
                table,
                some_of(lost.slides_without_rows, 20),
            )
        if lost.rows_without_slides:
            logger.warning(
                "%d rows of %s have no slide: %s. Check names and folders.",
                len(lost.rows_without_slides),
                table,
                some_of(lost.rows_without_slides, 20),
            )
        if lost.rois_without_slides:
            logger.warning(
                "%d ROI files belong to no slide: %s. They must bear the slide's name.",
                len(lost.rois_without_slides),
                some_of([str(path) for path in lost.rois_without_slides], 20),
            )


def _state(path: Path) -> tuple[Path, int, int]:
    """What tells a file that was counted from one that has changed since."""
    try:
        found = path.stat()
    except OSError:
        return path, -1, -1  # counting it says what is wrong
    return path, found.st_size, found.st_mtime_ns
