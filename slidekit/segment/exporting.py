"""Images and masks of a dataset's slides, as a segmentation network is trained on."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from slidekit.errors import DatasetError, SpecError
from slidekit.segment.export_folder import claim_folder, release_folder
from slidekit.segment.export_jobs import ExportJob, SlidesToSegment, gather_jobs, settle_labels
from slidekit.segment.export_slide import SlideExport
from slidekit.segment.mask_config import ExportedSlide, MaskConfig
from slidekit.segment.progress import OnSlide, SlideProgress, SlidesReport, SlideStatus
from slidekit.slide.parallel import map_ordered, usable_cores
from slidekit.slide.segmentation.config import SegmentMode
from slidekit.slide.segmentation.mask_polygons import is_number
from slidekit.wording import some_of

__all__ = ["SlidesToSegment", "export_thumbs_and_masks"]

logger = logging.getLogger(__name__)

_MOST_THREADS = 4
_SECONDS_BETWEEN_SAVES = 5.0


def export_thumbs_and_masks(
    dataset: SlidesToSegment,
    mpp: float,
    dest: str | Path,
    *,
    overwrite: bool = False,
    skip_missing_roi: bool = True,
    mode: SegmentMode = "binary",
    labels: Sequence[str] | None = None,
    artifact_labels: Sequence[str] = (),
    allow_missing_labels: bool = False,
    include_generated: bool = False,
    mpp_override: float | None = None,
    num_workers: int | None = None,
    on_slide: OnSlide | None = None,
) -> SlidesReport:
    """Write an image and a mask of every slide, for `train`.

    Parameters
    ----------
    dataset
        Slides with regions of interest.
    mpp
        µm/px of images and masks. A slide is the whole number of pixels that is nearest to that; what its pixels are
        exactly stands in ``mask_config.json``.
    dest
        Folder; it is made. Slides that are there already are left alone if slide, regions and parameters are the same
        and the files are not damaged, so that an export that was stopped goes on. Slides of earlier exports stay, also
        where `dataset` does not have them.
    overwrite
        Whether images and masks that are there are made anew, and may be of other parameters, or of no export.
    skip_missing_roi
        Whether slides without a file of regions are left out; else all of them is background. A file that holds no
        regions, a CSV of its header alone or a GeoJSON without features, says that there is nothing on the slide: it is
        background in either case.
    mode, labels, artifact_labels
        As for `paint_mask`. Where `labels` is None, ``multiclass`` and ``multilabel`` take all that there are. A slide
        whose regions have none of the labels is background as a whole.
    allow_missing_labels
        Whether a label that no region has is no mistake, as where slides are for validation; the log names it.
    include_generated
        Whether regions count that `generate_rois` wrote, and nobody edited. Without, their slides are left out, for
        what a network found is no truth; the log names them.
    mpp_override
        µm/px of the slides' level 0, over what files say; the annotations go before it.
    num_workers
        Slides that are worked on at the same time.
    on_slide
        Called when a slide is settled.

    Returns
    -------
    SlidesReport
        Slides that fail are in it, with the reason, and in the log; the others go on.

    Raises
    ------
    SpecError
        If parameters make no sense.
    DatasetError
        If there are no slides, no region has one of the labels, the folder holds something else, two slides would have
        one file, or no slide is there in the end.
    """
    _check_numbers(mpp, mpp_override, num_workers)
    wanted, artifacts = _as_labels(labels), _as_labels(artifact_labels) or ()
    jobs = gather_jobs(dataset, include_generated=include_generated)
    found = settle_labels(jobs, mode, wanted, artifacts, allow_missing=allow_missing_labels)
    config = MaskConfig(mpp=mpp, mode=mode, labels=found, artifact_labels=artifacts)
    folder = Path(dest).expanduser().absolute()
    config = claim_folder(folder, config, [job.name for job in jobs], overwrite=overwrite)
    work = SlideExport(config, folder, overwrite, skip_missing_roi, mpp_override)
    report, slides = _run(work, jobs, num_workers or min(_MOST_THREADS, usable_cores()), on_slide)
    if not slides:
        reasons = [f"{name}: {reason}" for name, reason in sorted(report.reasons.items())]
        raise DatasetError(f"No slide was exported. {some_of(reasons, 5)}.", mend="Mend what is wrong with the slides.")
    return report


def _run(
    work: SlideExport, jobs: list[ExportJob], threads: int, on_slide: OnSlide | None
) -> tuple[SlidesReport, dict[str, ExportedSlide]]:
    slides = dict(work.config.slides)
    status: dict[str, SlideStatus] = {}
    reasons: dict[str, str] = {}
    saved, done = time.monotonic(), False
    try:
        for job, made in zip(jobs, map_ordered(work, jobs, threads=threads), strict=True):
            status[job.name] = made.status
            if made.reason:
                reasons[job.name] = made.reason
            if made.status == "failed":
                logger.warning("Slide %s is not exported: %s", job.name, made.reason)
            if made.slide is not None:
                slides[job.name] = made.slide
            else:
                # What may lie there from before is of other regions, or of another slide.
                slides.pop(job.name, None)
            if on_slide is not None:
                on_slide(SlideProgress(job.name, made.status, made.reason, len(status), len(jobs)))
            if time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                release_folder(work.folder, work.config, slides, done=False)
                saved = time.monotonic()
        done = True
    finally:
        # An interrupt must not cost what was exported until then.
        release_folder(work.folder, work.config, slides, done=done)
    return SlidesReport(work.folder, status, reasons), slides


def _as_labels(labels: Sequence[str] | None) -> tuple[str, ...] | None:
    """One label may be given as text."""
    return None if labels is None else (labels,) if isinstance(labels, str) else tuple(labels)


def _check_numbers(mpp: float, mpp_override: float | None, num_workers: int | None) -> None:
    if not is_number(mpp) or not 0.05 <= mpp <= 200:
        raise SpecError(f"mpp={mpp!r} is not µm/px of an image of a slide.", mend="Give 0.05 to 200; 10 is usual.")
    if mpp_override is not None and not is_number(mpp_override):
        raise SpecError(f"mpp_override={mpp_override!r} is not µm/px.", mend="Give a number.")
    if num_workers is not None and (not is_number(num_workers) or num_workers < 1):
        raise SpecError(f"num_workers={num_workers!r} is no number of slides.", mend="Give 1 or more.")
