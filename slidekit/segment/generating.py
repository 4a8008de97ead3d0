"""Regions of interest for many slides."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from slidekit.errors import DatasetError, SpecError
from slidekit.segment.attempts import Failure, attempt
from slidekit.segment.progress import OnSlide, SlideProgress, SlidesReport, SlideStatus
from slidekit.segment.roi_files import RoiFiles
from slidekit.segment.rois import Segmenter, check_options, generate_rois
from slidekit.slide.identity import slide_identity
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

__all__ = ["RoiJob", "generate_roi_files"]

logger = logging.getLogger(__name__)

_TILE_PX = 256


@dataclass(frozen=True)
class RoiJob:
    """A slide that is to have regions.

    Attributes
    ----------
    name, path
        The slide.
    folder
        Where its file of regions goes.
    mpp
        µm/px from the annotations, if they have it.
    """

    name: str
    path: Path
    folder: Path
    mpp: float | None = None


def generate_roi_files(
    jobs: Sequence[RoiJob],
    model: Segmenter,
    *,
    overwrite: bool = False,
    mpp: float | None = None,
    on_slide: OnSlide | None = None,
    **options: Any,
) -> SlidesReport:
    """Generate regions of many slides, and write them as CSV and GeoJSON.

    Parameters
    ----------
    jobs
        Slides.
    model
        The network.
    overwrite
        Whether to generate again what is there, and to replace files that somebody drew or edited (they are kept as
        ``{slide}.csv.backup``, ``generated/{slide}.geojson.backup``).
    mpp
        µm/px of level 0, over what files say.
    on_slide
        Called when a slide is settled.
    **options
        As for `generate_rois`.

    Returns
    -------
    SlidesReport
        ``skipped``: somebody drew regions, in whatever format, or edited what was generated. ``empty``: the network
        found nothing. Slides that fail are named, with the reason, and the others go on, whatever the network raises.

    Raises
    ------
    SpecError
        If an option makes no sense.
    DatasetError
        If the folder of a slide's regions is a file.
    MissingExtraError
        If the network needs a package that is not installed.
    """
    if unknown := set(options) - {"threshold", "min_area_mm2", "min_hole_mm2", "simplify_um"}:
        raise SpecError(f"{', '.join(sorted(unknown))} is not an option.", mend="See generate_rois.")
    check_options(**options)
    folders = {job.folder for job in jobs}
    for folder in folders:
        if folder.exists() and not folder.is_dir():
            raise DatasetError("is a file, not a folder for regions.", mend="Give a folder.", path=folder)
    spec = ExtractionSpec.create(tile_px=_TILE_PX, tile_mpp=model.config.mpp, roi_method="ignore", mpp=mpp)
    status: dict[str, SlideStatus] = {}
    reasons: dict[str, str] = {}
    for job in jobs:
        made = attempt(job.name, partial(_generate, job, model, spec, overwrite, options))
        status[job.name], reason = ("failed", made.reason) if isinstance(made, Failure) else made
        if reason:
            reasons[job.name] = reason
        if status[job.name] in ("failed", "empty"):
            logger.warning("Slide %s has no generated regions: %s", job.name, reason)
        if on_slide is not None:
            on_slide(SlideProgress(job.name, status[job.name], reason, len(status), len(jobs)))
    return SlidesReport(folders.pop() if len(folders) == 1 else None, status, reasons)


def _generate(
    job: RoiJob, model: Segmenter, spec: ExtractionSpec, overwrite: bool, options: dict[str, Any]
) -> tuple[SlideStatus, str]:
    files = RoiFiles(job.folder, job.name)
    if not overwrite and (drawn := files.drawn()) is not None:
        return "skipped", _describe(drawn, files)
    key = getattr(model, "key", None)
    made_by = {
        "model": key,
        "slide": slide_identity(job.path),
        "mpp": job.mpp or spec.mpp,
        "options": dict(sorted(options.items())),
    }
    # A model that does not say which one it is may be another one than before.
    if not overwrite and key is not None and files.is_finished(made_by):
        return "finished before", ""
    with WSI.from_spec(job.path, spec, annotated_mpp=job.mpp) as wsi:
        rois = generate_rois(wsi, model, apply=False, **options)
        files.write(rois, made_by, wsi.reader.metadata.bounds_origin)
    return ("done", "") if rois else ("empty", "the network finds nothing that is large enough")


def _describe(drawn: Path, files: RoiFiles) -> str:
    reason = f"it has regions that were drawn or edited: {drawn.relative_to(files.folder)}"
    if files.is_ours():
        return f"{reason}; extraction takes the generated {files.csv.name} until you remove or replace it"
    return reason
