"""Extraction of the tiles of a dataset's slides, its report, and the table of its candidates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slidekit.collection.jobs import no_places, plan_batches, take_shard
from slidekit.collection.selection import Selection
from slidekit.collection.sources import PathLike
from slidekit.collection.tile_table import tile_table
from slidekit.errors import DatasetError, SpecError
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec, ROIMethod
from slidekit.units import tile_size_label
from slidekit.wording import some_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import pandas as pd

    from slidekit.extraction.runner import ProgressEvent
    from slidekit.slide.cell_tiles import CellSource
    from slidekit.slide.coordinates import Coordinates

__all__ = ["Extracting"]


class Extracting(Selection):
    """What `Dataset` does with slides: tiles, the report on them, and the table of the candidates."""

    _reports: Path | None = None

    def extract_tiles(
        self,
        *,
        report_dir: PathLike | None = None,
        on_event: Callable[[ProgressEvent], None] | None = None,
        executor: Executor | None = None,
        shard: tuple[int, int] | None = None,
        coordinates: PathLike | pd.DataFrame | None = None,
        cells: PathLike | None = None,
        apply_masks: bool = True,
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
        coordinates
            Where tiles lie, instead of on a grid: a CSV or parquet file, or a DataFrame, with the columns ``slide``,
            ``x``, ``y`` and perhaps ``label``; see `slidekit.slide.coordinate_table.read_coordinate_table`. The options
            `coordinates_unit` ("px" of level 0, or "um") and `coordinates_anchor` ("center" of the tile, or "corner")
            say what numbers mean. Slides without a row are ``skipped``, and their tiles of an earlier run removed.
        cells
            Folder of ``{slide}.cells.zarr``, which `cell_segmentation` writes: a tile is cut around every cell; see
            `extract_cells`. Slides without cells are ``skipped``.
        apply_masks
            Of tiles around cells: whether pixels outside of the cell are black.
        **options
            Fields of `ExtractionSpec`, Slideflow's spellings included; `tile_px`, `tile_um` and `tile_mpp` may
            be left out, for they are the dataset's. Among them `artifact_labels`: tiles in regions with these labels
            are removed; one that no region of any slide has is warned of.

        Returns
        -------
        dict
            Path of each slide to its report; a slide that failed has the status ``failed`` and its reason.

        Raises
        ------
        SpecError
            If the options make no sense, or contradict the dataset's size of tile.
        DatasetError
            Before any work: no slides or none with a row, two slides of one name, no folder to write to, or
            `coordinates` that cannot be used.
        """
        from slidekit.extraction.runner import check_jobs, run_extraction

        given = coordinates
        if cells is not None:
            given = self._cells_as_coordinates(coordinates, apply_masks)
        spec = self._spec(options if given is None else {**options, "coordinates": given})
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
        places = None if coordinates is None else self._coordinates(coordinates, spec, names)
        if places:
            # What the columns of the table say goes before what was said of them.
            one = next(iter(places.values()))
            spec = spec.model_copy(update={"coordinates_unit": one.unit, "coordinates_anchor": one.anchor})
        sources = None if cells is None else self._cells(cells, names, apply_masks)
        if sources is not None:
            places = no_places(set(names) - set(sources), Path(cells or ""))
        if shard is not None:
            names, spec = take_shard(names, shard), spec.model_copy(update={"report": False})
        batches = plan_batches(
            names,
            index,
            spec,
            mpp=self.mpp(),
            report_dir=Path(report_dir).expanduser().absolute() if report_dir is not None else None,
            dry_run_dir=self.dry_run_dir,
            coordinates=places,
            cells=sources,
        )
        # All sources before the first is worked on: a mistake must not be found half-way.
        for batch in batches:
            check_jobs(batch.jobs, spec, here=executor is None)
        self._check_artifact_labels(spec)
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

    def get_tile_dataframe(
        self,
        roi_method: ROIMethod = "auto",
        stride_div: float = 1,
        *,
        num_workers: int | None = None,
        coordinates: PathLike | pd.DataFrame | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Candidates of all slides, kept and dropped, one row a tile.

        The table says what the options that are given here would do now. It is not read from TFRecords: give
        the options of an extraction (`qc`, `roi_filter_method`, `use_edge_tiles`…) to get its candidates;
        what became of them on disk is in ``{slide}.tiles.csv`` and ``{slide}.json`` beside the records.

        Parameters
        ----------
        roi_method, stride_div
            As for `WSI`.
        num_workers
            Processes that work at the same time; 1 is this one alone. None: as many as there are cores, as soon as
            that is faster. The table is the same.
        coordinates
            As for `extract_tiles`: one row of them is one row of the table. Slides without are left out.
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
            If the dataset has no size of tile, or `coordinates` cannot be used.
        """
        self._demand_label()
        given = {} if coordinates is None else {"coordinates": coordinates}
        spec = self._spec({"roi_method": roi_method, "stride_div": stride_div, **options, **given})
        self._check_artifact_labels(spec)
        places = None if coordinates is None else self._coordinates(coordinates, spec, list(self.paths()))
        return tile_table(self, spec, num_workers=num_workers, coordinates=places)

    def get_unique_roi_labels(self) -> list[str]:
        """Labels of all regions of interest, sorted.

        Raises
        ------
        ROIError
            If a file cannot be used.
        """
        from slidekit.slide.roi import load_rois

        return sorted({label for path in self.rois() for label in load_rois(path).labels})

    def _check_artifact_labels(self, spec: ExtractionSpec) -> None:
        if spec.artifact_labels:
            from slidekit.slide.roi import refuse_unknown_labels

            every = self._collection.index.rois.values()
            refuse_unknown_labels(self.rois(), spec.artifact_labels, others=every)

    def _coordinates(
        self, source: PathLike | pd.DataFrame, spec: ExtractionSpec, names: list[str]
    ) -> dict[str, Coordinates]:
        from slidekit.collection.coordinates import slide_coordinates

        return slide_coordinates(source, spec, slides=names, known=self._collection.index.paths)

    @staticmethod
    def _cells_as_coordinates(coordinates: object, apply_masks: bool) -> str:
        from slidekit.cells.tile_cells import describe

        if coordinates is not None:
            raise SpecError("coordinates and cells exclude each other.", mend="Leave one of them out.")
        return describe(apply_masks)

    @staticmethod
    def _cells(folder: PathLike, names: list[str], apply_masks: bool) -> Mapping[str, CellSource]:
        from slidekit.cells.store import zarr_library
        from slidekit.cells.tile_cells import cells_in

        zarr_library()
        return cells_in(Path(folder).expanduser().absolute(), names, apply_masks)

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

    def _spec(self, options: Mapping[str, Any]) -> ExtractionSpec:
        merged = dict(options)
        if self.tile_px is not None:
            merged.setdefault("tile_px", self.tile_px)
        if self.tile_um is not None and merged.get("tile_mpp") is None:
            merged.setdefault("tile_um", self.tile_sizes)
        spec = ExtractionSpec.create(**merged)
        tile_px, sizes = self.tile_px or spec.tile_px, self.tile_sizes or spec.sizes
        label = tile_size_label(tile_px, sizes)
        if spec.label != label:
            raise SpecError(
                f"The dataset's tiles are {label}, and {spec.label} were asked for.",
                mend="Make a dataset of that size, or leave tile_px, tile_um and tile_mpp out.",
            )
        # What was asked for may differ in the last digits (tile_mpp=302 / 299), which would change the hash.
        return ExtractionSpec.create(**{**merged, "tile_um": sizes, "more_um": (), "tile_mpp": None})
