"""From a selection of slides to the jobs of an extraction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.collection.sources import SlideIndex, Source
from slidekit.errors import DatasetError, SpecError
from slidekit.io.url import RemotePath
from slidekit.slide.cell_tiles import CellSource
from slidekit.slide.coordinates import Coordinates
from slidekit.slide.spec import ExtractionSpec

if TYPE_CHECKING:
    from slidekit.extraction.runner import SlideJob

__all__ = ["Batch", "no_places", "plan_batches", "take_shard"]


@dataclass(frozen=True)
class Batch:
    """Slides that are extracted together and share a report.

    Attributes
    ----------
    report_dir
        Folder of the report.
    jobs
        One job a slide, by name.
    """

    report_dir: Path
    jobs: tuple[SlideJob, ...]


def plan_batches(
    slides: Sequence[str],
    index: SlideIndex,
    spec: ExtractionSpec,
    *,
    mpp: Mapping[str, float],
    report_dir: Path | None,
    dry_run_dir: Path,
    coordinates: Mapping[str, Coordinates] | None = None,
    cells: Mapping[str, CellSource] | None = None,
) -> list[Batch]:
    """Make one job a slide, and one batch for every folder that tiles go to.

    Parameters
    ----------
    slides
        Names.
    index
        Where they lie.
    spec
        The extraction.
    mpp
        Slide to µm/px, for those that have it in the annotations.
    report_dir
        Where the report goes, of all slides together; None for beside the tiles, a report for each source.
    dry_run_dir
        Where the report of a dry run goes if `report_dir` is None.
    coordinates
        Slide to the places of its tiles, for every slide; None for tiles from a grid.
    cells
        Slide to the cells that its tiles are cut around, for those that have some.

    Raises
    ------
    DatasetError
        If a source does not say where its tiles shall go.
    SpecError
        If slides of a remote store have no buffer to be copied to.
    """
    from slidekit.extraction.runner import SlideJob

    if not spec.dry_run and not (spec.save_tfrecords or spec.save_tiles):
        raise DatasetError(
            "Neither TFRecords nor tiles are to be written.",
            mend="Use dry_run=True for a report without tiles.",
        )
    remote = (index.paths[name] for name in sorted(slides) if isinstance(index.paths[name], RemotePath))
    if spec.buffer is None and (first := next(remote, None)) is not None:
        raise SpecError(
            "lies in a remote store, and slides are read from local files only.",
            mend="Give buffer=FOLDER (--buffer FOLDER): each slide is copied there when its turn comes.",
            path=first,
        )
    grouped: dict[Path, list[SlideJob]] = {}
    for name in sorted(slides):
        source = index.source_of(name)
        records = _folder(source, spec, "tfrecords", wanted=spec.save_tfrecords)
        tiles = _folder(source, spec, "tiles", wanted=spec.save_tiles)
        place = report_dir or (dry_run_dir if spec.dry_run else records or tiles)
        job = SlideJob(
            name=name,
            path=index.paths[name],
            mpp=mpp.get(name),
            rois=index.rois.get(name),
            tfrecords=records,
            tiles=tiles,
            coordinates=None if coordinates is None else coordinates.get(name),
            cells=None if cells is None else cells.get(name),
        )
        grouped.setdefault(place or dry_run_dir, []).append(job)
    return [Batch(place, tuple(jobs)) for place, jobs in grouped.items()]


def no_places(slides: Iterable[str], folder: Path) -> dict[str, Coordinates]:
    """Coordinates of slides that have no cells in a folder: none, by which they are skipped."""
    nothing = Coordinates.of([], source=f"{folder.name}, for it holds no cells of it")
    return dict.fromkeys(slides, nothing)


def take_shard(slides: Sequence[str], shard: tuple[int, int]) -> list[str]:
    """Choose every n-th slide by name: the same part whoever asks, and no part much longer than another.

    Parameters
    ----------
    slides
        Names of all slides.
    shard
        Number of the part, from 1, and number of parts.

    Raises
    ------
    SpecError
        If there is no such part.
    """
    part, parts = shard
    if not 1 <= part <= parts:
        raise SpecError(f"There is no part {part} of {parts}.", mend="Parts are counted from 1, such as 1/16 to 16/16.")
    return sorted(slides)[part - 1 :: parts]


def _folder(source: Source, spec: ExtractionSpec, kind: str, *, wanted: bool) -> Path | None:
    if not wanted or spec.dry_run:
        return None
    folder: Path | None = getattr(source, kind)
    if folder is None:
        raise DatasetError(
            f"Source {source.name!r} has no folder for {kind}.",
            mend=f"Give {kind}=, or dry_run=True for a report without tiles.",
        )
    return folder / spec.label
