"""`Dataset`: what can be done with many slides at one size of tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from slidekit.annotations import Annotations
from slidekit.collection.config import sources_of
from slidekit.collection.jobs import plan_batches, take_shard
from slidekit.collection.selection import Selection
from slidekit.collection.sources import PathLike, Source
from slidekit.collection.summary import summary_table
from slidekit.collection.tile_table import tile_table
from slidekit.errors import DatasetError, SlidekitError, SpecError
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec, ROIMethod
from slidekit.units import Magnification, tile_size_label
from slidekit.wording import some_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd
    from rich.table import Table

    from slidekit.extraction.runner import ProgressEvent
    from slidekit.pixels.image import RGBImage

__all__ = ["Dataset"]


class Dataset(Selection):
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
        Edge of a tile in microns (128, 302.5) or a magnification (``"10x"``).
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
        tile_um: float | str | Magnification | None = None,
        *,
        tile_mpp: float | None = None,
        slides: PathLike | Sequence[PathLike] | None = None,
        rois: PathLike | None = None,
        tfrecords: PathLike | None = None,
        tiles: PathLike | None = None,
        annotations: PathLike | pd.DataFrame | Annotations | None = None,
        filters: Mapping[str, Any] | None = None,
        filter_blank: str | Sequence[str] | None = None,
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
        )
        self._reports: Path | None = None

    @classmethod
    def of_sources(cls, sources: Sequence[Source], *, reports: Path | None = None, **settings: Any) -> Self:
        """Make a dataset of sources that are ready.

        Parameters
        ----------
        sources
            Where slides lie and tiles go.
        reports
            Folder for the reports of dry runs.
        **settings
            `tile_px`, `tile_um`, `tile_mpp`, `annotations` (an `Annotations`), `filters` and `filter_blank`.
        """
        dataset = cls.__new__(cls)
        Selection.__init__(dataset, sources, **settings)
        dataset._reports = reports
        return dataset

    def extract_tiles(
        self,
        *,
        report_dir: PathLike | None = None,
        on_event: Callable[[ProgressEvent], None] | None = None,
        executor: Executor | None = None,
        shard: tuple[int, int] | None = None,
        **options: Any,
    ) -> dict[Path, SlideReport]:
        """Extract tiles from all slides, and write TFRecords and the report.

        Parameters
        ----------
        report_dir
            Folder of the report; default beside the TFRecords, and for a dry run ``reports`` in the project,
            in the folder `tfrecords`, or in the working directory.
        on_event
            Called with progress.
        executor
            Any ``concurrent.futures.Executor``, such as Dask's ``client.get_executor()``: it carries one call a
            slide, which runs in a child process wherever the call does. Folders must mean the same there. Default
            is this machine.
        shard
            ``(3, 16)``: the third of sixteen parts of the slides, for as many jobs that share the work. A part
            writes no PDF; `tfrecord_report` makes that of all of them.
        **options
            Fields of `ExtractionSpec`, Slideflow's spellings included; `tile_px`, `tile_um` and `tile_mpp` may
            be left out, for they are the dataset's.

        Returns
        -------
        dict
            Path of each slide to its report; a slide that failed has the status ``failed`` and its reason.

        Raises
        ------
        SpecError
            If the options make no sense, or contradict the dataset's size of tile.
        DatasetError
            Before any work: no slides or none with a row, two slides of one name, or no folder to write to.
        """
        from slidekit.extraction.runner import check_jobs, run_extraction

        spec = self._spec(options)
        index = self._collection.index
        if not index.paths:
            raise index.say_empty()
        names = list(self.paths())
        if not names:
            raise DatasetError(
                f"None of the {len(index.paths)} slides that were found has a row that meets the filters.",
                mend=f"Slides are named {some_of(list(index.paths), 3)}; "
                f"the annotations name {some_of(self._collection.table.slides, 3)}.",
            )
        if shard is not None:
            names, spec = take_shard(names, shard), spec.model_copy(update={"report": False})
        batches = plan_batches(
            names,
            index,
            spec,
            mpp=self.mpp(),
            report_dir=Path(report_dir).expanduser().absolute() if report_dir is not None else None,
            dry_run_dir=self.dry_run_dir,
        )
        # All sources before the first is worked on: a mistake must not be found half-way.
        for batch in batches:
            check_jobs(batch.jobs, spec, here=executor is None)
        reports: dict[Path, SlideReport] = {}
        for batch in batches:
            reports |= run_extraction(
                batch.jobs, spec, report_dir=batch.report_dir, on_event=on_event, executor=executor
            )
        return reports

    def tfrecord_report(self, dest: PathLike | None = None) -> list[Path]:
        """Make the PDF report from TFRecords that exist, slidekit's or Slideflow's.

        Parameters
        ----------
        dest
            Where to write it; default beside the TFRecords.

        Returns
        -------
        list of Path
            The PDF, and its further volumes.

        Raises
        ------
        DatasetError
            If there are no TFRecords of this size of tile.
        """
        folders = sorted({path.parent for path in self.tfrecords()})
        if not folders:
            raise self._say_no_records()
        from slidekit.extraction.report import report_from_records

        place = Path(dest).expanduser().absolute() if dest is not None else None
        return report_from_records(folders, slides=self.paths(), dest=place)

    def get_tile_dataframe(self, roi_method: ROIMethod = "auto", stride_div: float = 1, **options: Any) -> pd.DataFrame:
        """Candidates of all slides, kept and dropped, one row a tile.

        The table says what the options that are given here would do now. It is not read from TFRecords: give
        the options of an extraction (`qc`, `roi_filter_method`, `use_edge_tiles`…) to get its candidates;
        what became of them on disk is in ``{slide}.tiles.csv`` and ``{slide}.json`` beside the records.

        Parameters
        ----------
        roi_method, stride_div
            As for `WSI`.
        **options
            Any other field of `ExtractionSpec`, such as `roi_filter_method` and `qc`.

        Returns
        -------
        DataFrame
            Index ``{slide}-{loc_x}-{loc_y}``; the columns of `WSI.get_tile_dataframe` and ``slide``. Slides
            that cannot be used are in ``attrs["failed"]``, name to reason, and in the log.

        Raises
        ------
        SpecError
            If the options make no sense.
        DatasetError
            If the dataset has no size of tile.
        """
        self._demand_label()
        spec = self._spec({"roi_method": roi_method, "stride_div": stride_div, **options})
        return tile_table(self, spec)

    def iter_tiles(self, *, max_tiles: int | None = None, seed: int = 0) -> Iterator[RGBImage]:
        """Read the images of the TFRecords; a stain normaliser can be fitted to them.

        Parameters
        ----------
        max_tiles
            Take a random sample of so many; None takes all.
        seed
            Seed of the sample.

        Returns
        -------
        iterator of ndarray (tile_px, tile_px, 3), uint8, RGB
            Slide after slide by name, in the order of the records.

        Raises
        ------
        DatasetError
            If the dataset has no size of tile, or no TFRecords of it.
        RecordError
            When it comes to a record that is damaged.
        """
        from slidekit.collection.tile_images import iter_tile_images

        records = self.tfrecords()
        if not records:
            raise self._say_no_records()
        return iter_tile_images(records, max_tiles=max_tiles, seed=seed)

    def get_unique_roi_labels(self) -> list[str]:
        """Labels of all regions of interest, sorted.

        Raises
        ------
        ROIError
            If a file cannot be used.
        """
        from slidekit.slide.roi import load_rois

        return sorted({label for path in self.rois() for label in load_rois(path).labels})

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

    def _spec(self, options: Mapping[str, Any]) -> ExtractionSpec:
        merged = dict(options)
        if self.tile_px is not None:
            merged.setdefault("tile_px", self.tile_px)
        if self.tile_um is not None and merged.get("tile_mpp") is None:
            merged.setdefault("tile_um", self.tile_um)
        spec = ExtractionSpec.create(**merged)
        tile_px, tile_um = self.tile_px or spec.tile_px, self.tile_um or spec.tile_um
        label = tile_size_label(tile_px, tile_um)
        if spec.label != label:
            raise SpecError(
                f"The dataset's tiles are {label}, and {spec.label} were asked for.",
                mend="Make a dataset of that size, or leave tile_px, tile_um and tile_mpp out.",
            )
        # What was asked for may differ in the last digits (tile_mpp=302 / 299), which would change the hash.
        return ExtractionSpec.create(**{**merged, "tile_um": tile_um, "tile_mpp": None})

    def _say_no_records(self) -> DatasetError:
        label = self._demand_label()
        return DatasetError(f"There are no TFRecords of {label}.", mend="Run extract_tiles, or check tfrecords=.")

    def report_dirs(self, *, dry_run: bool = False, save_tfrecords: bool = True) -> list[Path]:
        """Folders that `extract_tiles` puts its reports into: one for each source, or one for a dry run."""
        if dry_run:
            return [self.dry_run_dir]
        homes = (source.tfrecords if save_tfrecords else source.tiles for source in self.sources)
        return sorted({home / self._demand_label() for home in homes if home is not None})

    @property
    def dry_run_dir(self) -> Path:
        """Folder for the reports of dry runs."""
        if self._reports is not None:
            return self._reports
        folders = [source.tfrecords for source in self.sources if source.tfrecords is not None]
        return (folders[0] if folders else Path.cwd()) / "reports"


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
