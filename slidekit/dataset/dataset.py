"""`Dataset`: what can be done with many slides at one size of tile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from slidekit.annotations import Annotations
from slidekit.collection.config import sources_of
from slidekit.collection.selection import Selection
from slidekit.collection.sources import PathLike, Source
from slidekit.collection.summary import summary_table
from slidekit.dataset.celling import Celling
from slidekit.dataset.exporting import Exporting
from slidekit.dataset.labelling import Labelling
from slidekit.dataset.loading import Loading
from slidekit.dataset.segmenting import Segmenting
from slidekit.dataset.splitting import Splitting
from slidekit.dataset.tools import RecordTools
from slidekit.dataset.weighing import Weighing
from slidekit.errors import DatasetError, SlidekitError
from slidekit.units import TileSizes

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table


__all__ = ["Dataset"]


class Dataset(Loading, Celling, Labelling, Weighing, Splitting, RecordTools, Exporting, Segmenting):
    """Slides with their annotations, regions of interest and TFRecords, at one size of tile.

    A dataset does not change: `filter` and its like return a narrower one. Folders are looked through once,
    when something is first asked of the dataset or of one that was filtered from it.

    Parameters
    ----------
    config
        Sources by name as in Slideflow's ``datasets.json``, or the path of such a file; instead of `slides`,
        `rois`, `tfrecords` and `tiles`.
    sources
        Names of the sources to use from `config`; default all.
    tile_px
        Edge of a tile in output pixels; may be left out where no tiles are concerned.
    tile_um
        Edge of a tile in microns (128, 302.5) or a magnification (``"10x"``). Several, such as ``[128, 512]``, are of
        concentric tiles in one record: the first is that of the grid, and readers give tuples of images.
    tile_mpp
        µm/px of the tiles, instead of `tile_um`: 0.5 with tiles of 256 px is the same as 128 µm.
    slides
        A folder (searched with all folders below it), a slide file, or a list of such; a URL that fsspec
        understands, such as ``s3://bucket/cohort``, where the extraction has a `buffer`. PNG and JPEG files are
        slides only if they are named; ``find_slides(folder, images=True)`` lists them.
    rois
        Folder with one file of regions of interest a slide, named after it; `roi` is Slideflow's name for it.
    tfrecords
        Folder for TFRecords; each size of tile has a folder in it, such as ``256px_128um``.
    tiles
        Folder for loose tiles, likewise.
    annotations
        CSV file, data frame or `Annotations`; None makes each slide its own patient, and the log says so.
    filters
        Column of the annotations to a value or a list of values.
    filter_blank
        Columns of the annotations that must not be empty.
    min_tiles
        Slides whose TFRecord has fewer tiles are left out, and slides without TFRecords; see `filter`.

    Raises
    ------
    DatasetError
        If both or neither of `config` and folders are given, or `rois` is not a folder.
    AnnotationsError
        If the annotations cannot be used.
    SpecError
        If `tile_um` or `tile_mpp` is not a size, or both are given.
    """

    def __init__(
        self,
        config: PathLike | Mapping[str, Any] | None = None,
        sources: str | Sequence[str] | None = None,
        tile_px: int | None = None,
        tile_um: TileSizes | None = None,
        *,
        tile_mpp: float | Sequence[float] | None = None,
        slides: PathLike | Sequence[PathLike] | None = None,
        rois: PathLike | None = None,
        tfrecords: PathLike | None = None,
        tiles: PathLike | None = None,
        annotations: PathLike | pd.DataFrame | Annotations | None = None,
        filters: Mapping[str, Any] | None = None,
        filter_blank: str | Sequence[str] | None = None,
        min_tiles: int = 0,
        roi: PathLike | None = None,
    ) -> None:
        by_folder = _source_of_folders(slides, rois if rois is not None else roi, tfrecords, tiles)
        if (config is None) == (by_folder is None):
            raise DatasetError(
                "A dataset is made of config= or of folders, not of both or neither.",
                mend="Give slides= (and rois=, tfrecords=), or config=.",
            )
        if by_folder is not None and sources is not None:
            raise DatasetError("sources= names sources of config=, which is not given.", mend="Leave sources= out.")
        if annotations is not None and not isinstance(annotations, Annotations):
            annotations = Annotations.read(annotations)
        names = [sources] if isinstance(sources, str) else sources
        found = [by_folder] if by_folder is not None else sources_of(config or {}, names)
        super().__init__(
            found,
            tile_px=tile_px,
            tile_um=tile_um,
            tile_mpp=tile_mpp,
            annotations=annotations,
            filters=filters,
            filter_blank=filter_blank,
            min_tiles=min_tiles,
        )
        self._reports: Path | None = None

    @classmethod
    def of_sources(
        cls, sources: Sequence[Source], *, reports: Path | None = None, splits: Path | None = None, **settings: Any
    ) -> Self:
        """Make a dataset of sources that are ready.

        Parameters
        ----------
        sources
            Where slides lie and tiles go.
        reports
            Folder for the reports of dry runs.
        splits
            File of splits.
        **settings
            `tile_px`, `tile_um`, `tile_mpp`, `annotations` (an `Annotations`), `filters`, `filter_blank`
            and `min_tiles`.
        """
        dataset = cls.__new__(cls)
        Selection.__init__(dataset, sources, **settings)
        dataset._reports, dataset._splits_file = reports, splits
        return dataset

    def summary(self) -> None:
        """Print the dataset at a glance; ``rich.print(dataset)`` prints the same."""
        from rich.console import Console

        Console().print(self)

    def __rich__(self) -> Table:
        return summary_table(self)

    def __repr__(self) -> str:
        try:
            patients = self.patients()
        except (SlidekitError, OSError) as error:
            counts = f"slides cannot be looked up ({error})"
        else:
            counts = f"{len(patients):,} slides of {len(set(patients.values())):,} patients"
        filters = ", ".join(f"{column}={'|'.join(values)}" for column, values in self.filters.items())
        return f"<Dataset {self.label or 'without a tile size'}: {counts}{f', where {filters}' if filters else ''}>"


def _source_of_folders(
    slides: PathLike | Sequence[PathLike] | None,
    rois: PathLike | None,
    tfrecords: PathLike | None,
    tiles: PathLike | None,
) -> Source | None:
    if all(given is None for given in (slides, rois, tfrecords, tiles)):
        return None
    source = Source.of_paths("dataset", slides=slides, rois=rois, tfrecords=tfrecords, tiles=tiles)
    if source.rois is not None and not source.rois.is_dir():
        raise DatasetError("is not a folder.", mend="Give the folder of ROI files.", path=source.rois)
    return source
