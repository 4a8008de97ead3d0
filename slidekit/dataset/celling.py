"""Cells of a dataset's slides: found, and cut out as tiles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slidekit.collection.sources import PathLike
from slidekit.dataset.extracting import Extracting
from slidekit.errors import DatasetError
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from slidekit.extraction.progress import ProgressEvent

__all__ = ["Celling", "cells_spec"]

_OF_SPEC = (
    *(
        "mpp_override",
        "num_threads",
        "reader",
        "roi_method",
        "roi_origin",
        "artifact_labels",
        "qc",
        "qc_filter_threshold",
    ),
    *("qc_blur_radius", "qc_blur_threshold", "qc_blur_mpp"),
    *("workers", "threads", "time_limit", "memory_limit", "buffer", "buffer_gb"),
)
"""Options that are not the method's."""


class Celling(Extracting):
    """What `Dataset` does with cells."""

    def cell_segmentation(
        self,
        diam_um: float = 8.0,
        dest: PathLike | None = None,
        *,
        method: Any = "classical",
        slide_mpp: float | None = None,
        force: bool = False,
        on_event: Callable[[ProgressEvent], None] | None = None,
        executor: Executor | None = None,
        **options: Any,
    ) -> dict[Path, SlideReport]:
        """Find the cells of all slides, and write ``{slide}.cells.zarr`` for each.

        Slides are worked on in child processes with the limits of an extraction. A slide whose cells were found with
        the same parameters before is ``skipped``; one that fails takes no other with it.

        Parameters
        ----------
        diam_um
            Usual diameter of a cell (or nucleus), µm.
        dest
            Folder for the cells; default ``masks`` in the project.
        method
            ``classical``, ``cellpose``, a function or a `CellMethod`, as for `slidekit.cells.segment_slide`; `model` is
            Slideflow's name for it.
        slide_mpp
            µm/px of level 0, over what files say; the annotations go before it. (`mpp` is what the method works at.)
        force
            Slideflow's name for `overwrite`: replace cells that were found with other parameters.
        on_event
            Called with progress: windows ``decided``, of ``candidates``.
        executor
            As for `extract_tiles`.
        **options
            `qc`, `roi_method`, `artifact_labels`, `workers`, `threads`, `time_limit`, `memory_limit`, `buffer` and
            others as for `extract_tiles`: what QC masks and regions leave out has no cells. The rest as for
            `slidekit.cells.segment_slide`: `mpp`, `window_px`, `mask`, `weights`… Slideflow's `window_size` and
            `diam_mean` will do.

        Returns
        -------
        dict
            Path of each slide to its report; ``kept`` counts its cells, ``status`` says whether it failed and
            ``reason`` why. ``cells_report.csv`` in the folder has the same.

        Raises
        ------
        DatasetError
            Before any work: no slides, two of one name, or no folder.
        SpecError, QCError, CellError, MissingExtraError
            Before any work: the options make no sense, the method needs what is not there, or the folder cannot be
            made.
        """
        from slidekit.extraction.cells import run_cells
        from slidekit.slide.cell_tiles import SegmentPlan
        from slidekit.slide.job import SlideJob

        folder = self._cells_folder(dest)
        spec, rest = cells_spec(options, slide_mpp)
        plan = SegmentPlan(folder, method, {**rest, "diam_um": diam_um, "overwrite": force or rest.get("overwrite")})
        paths, annotated, rois = self.paths(), self.mpp(), self.roi_files()
        if not paths:
            raise DatasetError("The dataset has no slides.", mend="Give slides=, or check filters and annotations.")
        jobs = [
            SlideJob(name=name, path=path, mpp=annotated.get(name), rois=rois.get(name))
            for name, path in sorted(paths.items())
        ]
        others = self._collection.index.rois.values()
        return run_cells(jobs, spec, plan, on_event=on_event, executor=executor, other_rois=others)

    def extract_cells(
        self, masks_path: PathLike | None = None, *, apply_masks: bool = True, **options: Any
    ) -> dict[Path, SlideReport]:
        """Extract a tile around every cell; records, report and resuming are those of `extract_tiles`.

        Parameters
        ----------
        masks_path
            Folder of ``{slide}.cells.zarr``, which `cell_segmentation` writes; default ``masks`` in the project. Also
            called `cells`, as on the command line.
        apply_masks
            Whether pixels outside of the cell are black. Filters and stain normalisation see the whole tile before.
        **options
            As for `extract_tiles`. With `use_edge_tiles` cells at the slide's edge are kept, too; otherwise they are
            counted as outside the slide.

        Returns
        -------
        dict
            As `extract_tiles`. The counts of each slide add up to its cells; a record has the cell's number as
            ``cell_id`` and its class as ``label``.

        Raises
        ------
        CellError
            If the folder has no cells of any slide.
        DatasetError, SpecError
            As `extract_tiles` does.
        """
        folder = self._cells_folder(options.pop("cells", masks_path))
        return self.extract_tiles(cells=folder, apply_masks=apply_masks, **options)

    def _cells_folder(self, given: PathLike | None) -> Path:
        if given is not None:
            return Path(given).expanduser().absolute()
        if self._reports is None:
            raise DatasetError("There is no folder for cells.", mend="Give dest= (masks_path= to extract them).")
        return self._reports.parent / "masks"


def cells_spec(options: Mapping[str, Any], slide_mpp: float | None = None) -> tuple[ExtractionSpec, dict[str, Any]]:
    """Tell options of the slides' reading from those of the method.

    Parameters
    ----------
    options
        All of them.
    slide_mpp
        µm/px of level 0, over what files say.

    Returns
    -------
    ExtractionSpec
        Its size of tile means nothing.
    dict
        The options that are left.

    Raises
    ------
    SpecError
        If the former make no sense.
    """
    of_spec = {name: value for name, value in options.items() if name in _OF_SPEC}
    if slide_mpp is not None:
        of_spec["mpp"] = slide_mpp
    rest = {name: value for name, value in options.items() if name not in of_spec}
    return ExtractionSpec.create(tile_px=256, tile_um=128, **of_spec), rest
