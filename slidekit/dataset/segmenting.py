"""Tissue segmentation for a dataset: masks for training, and regions of interest that a network draws."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from slidekit.collection.selection import Selection
from slidekit.collection.sources import PathLike
from slidekit.errors import DatasetError

if TYPE_CHECKING:
    from slidekit.segment.progress import OnSlide, SlidesReport
    from slidekit.segment.rois import Segmenter

__all__ = ["Segmenting"]


class Segmenting(Selection):
    """What `Dataset` does for segmentation networks, and with them."""

    def export_thumbs_and_masks(self, mpp: float, dest: PathLike, **options: Any) -> SlidesReport:
        """Write an image and a mask of every slide that has regions of interest.

        Parameters
        ----------
        mpp
            µm/px of images and masks.
        dest
            Folder; it is made.
        **options
            As for `slidekit.segment.export_thumbs_and_masks`: `mode`, `labels`, `artifact_labels`, `skip_missing_roi`,
            `include_generated`, `overwrite`… Slides that an earlier export left in the folder stay in it; give `train`
            this dataset beside ``data_source=dest``, and only its own are used.

        Raises
        ------
        SpecError, DatasetError
            As that does.
        """
        from slidekit.segment.exporting import export_thumbs_and_masks

        return export_thumbs_and_masks(self, mpp, dest, **options)

    def generate_rois(
        self,
        model: Segmenter | PathLike,
        *,
        dest: PathLike | None = None,
        overwrite: bool = False,
        mpp: float | None = None,
        on_slide: OnSlide | None = None,
        **options: Any,
    ) -> SlidesReport:
        """Draw regions of interest by a segmentation network; `extract_tiles` of this dataset takes them.

        Each slide gets ``{slide}.csv`` in its folder of regions, and ``generated/{slide}.geojson`` there for QuPath.
        Slides with regions that somebody drew, in whatever format, are left alone, also where something was generated
        before; so are those whose generated files somebody edited. What was generated in the same way before is not
        generated again. It is no truth for `export_thumbs_and_masks` and `slidekit.segment.train`, unless they are told
        so.

        Parameters
        ----------
        model
            Folder of a model that `slidekit.segment.train` wrote, or an object with `config` and `scores(wsi)`.
        dest
            Another folder; the dataset does not take regions from there.
        overwrite
            Whether to generate all anew, also where somebody drew or edited regions: a file in the way is kept as
            ``{slide}.csv.backup``, or ``generated/{slide}.geojson.backup``.
        mpp
            µm/px of level 0, over what files say; the annotations go before it.
        on_slide
            Called when a slide is settled.
        **options
            `threshold`, `min_area_mm2`, `min_hole_mm2` and `simplify_um` of `slidekit.segment.generate_rois`.

        Returns
        -------
        SlidesReport
            What became of each slide; those that failed are in the log, too.

        Raises
        ------
        DatasetError
            If there are no slides, or no folder for their regions, or a file in its place.
        SpecError
            If an option makes no sense, or `model` is none.
        QCError
            If there is no model, or it is damaged.
        MissingExtraError
            If the network needs a package that is not installed.
        """
        from slidekit.segment.generating import RoiJob, generate_roi_files
        from slidekit.segment.rois import resolve_segmenter

        paths, annotated, index = self.paths(), self.mpp(), self._collection.index
        if not paths:
            raise DatasetError("The dataset has no slides.", mend="Give slides=, or check filters and annotations.")
        folders = {}
        for name in paths:
            source = index.source_of(name)
            folder = source.rois if dest is None else Path(dest).expanduser().absolute()
            if folder is None:
                raise DatasetError(f"Source {source.name!r} has no folder for regions.", mend="Give rois= or dest=.")
            folders[name] = folder
        jobs = [RoiJob(name, path, folders[name], annotated.get(name)) for name, path in sorted(paths.items())]
        try:
            return generate_roi_files(
                jobs, resolve_segmenter(model), overwrite=overwrite, mpp=mpp, on_slide=on_slide, **options
            )
        finally:
            index.forget_rois()
