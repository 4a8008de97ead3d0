"""Images and masks of a dataset's slides, as a segmentation network is trained on."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from slidekit.errors import DatasetError, SpecError
from slidekit.io.atomic import atomic_write
from slidekit.segment.attempts import Failure, attempt
from slidekit.segment.export_folder import claim_folder, release_folder
from slidekit.segment.export_jobs import ExportJob, SlidesToSegment, gather_jobs, settle_labels
from slidekit.segment.mask_config import ExportedSlide, MaskConfig, image_file, mask_file
from slidekit.segment.painting import paint_mask
from slidekit.segment.progress import OnSlide, SlideProgress, SlidesReport, SlideStatus
from slidekit.segment.reading import read_pair
from slidekit.slide.identity import file_digest, slide_identity
from slidekit.slide.image import SlideImage
from slidekit.slide.parallel import map_ordered, usable_cores
from slidekit.slide.roi import ROISet, load_rois
from slidekit.slide.segmentation.config import SegmentMode
from slidekit.slide.segmentation.mask_polygons import is_number
from slidekit.wording import some_of

__all__ = ["SlidesToSegment", "export_thumbs_and_masks"]

logger = logging.getLogger(__name__)

_MOST_PIXELS = 1 << 28
_MOST_THREADS = 4
_SECONDS_BETWEEN_SAVES = 5.0


@dataclass(frozen=True)
class _Made:
    status: SlideStatus
    reason: str = ""
    slide: ExportedSlide | None = None


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
        Whether slides without regions are left out; else all of them is background.
    mode, labels, artifact_labels
        As for `paint_mask`. Where `labels` is None, ``multiclass`` and ``multilabel`` take all that there are. A slide
        whose regions have none of the labels is background as a whole.
    allow_missing_labels
        Whether a label that no region has is no mistake, as where slides are for validation; the log names it.
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
    jobs = gather_jobs(dataset)
    found = settle_labels(jobs, mode, wanted, artifacts, allow_missing=allow_missing_labels)
    config = MaskConfig(mpp=mpp, mode=mode, labels=found, artifact_labels=artifacts)
    folder = Path(dest).expanduser().absolute()
    config = claim_folder(folder, config, [job.name for job in jobs], overwrite=overwrite)
    work = _Export(config, folder, overwrite, skip_missing_roi, mpp_override)
    report, slides = _run(work, jobs, num_workers or min(_MOST_THREADS, usable_cores()), on_slide)
    if not slides:
        reasons = [f"{name}: {reason}" for name, reason in sorted(report.reasons.items())]
        raise DatasetError(f"No slide was exported. {some_of(reasons, 5)}", mend="Mend what is wrong with the slides.")
    return report


def _run(
    work: _Export, jobs: list[ExportJob], threads: int, on_slide: OnSlide | None
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


class _Export:
    """Exports one slide; called from several threads."""

    def __init__(
        self, config: MaskConfig, folder: Path, overwrite: bool, skip_missing_roi: bool, mpp_override: float | None
    ) -> None:
        self.config, self.folder = config, folder
        self._overwrite, self._skip_missing, self._mpp = overwrite, skip_missing_roi, mpp_override

    def is_whole(self, name: str) -> bool:
        """Whether the files of a slide are there, and can be trained on."""
        try:
            read_pair(self.folder, self.config, name)
        except (DatasetError, OSError):
            return False
        return True

    def __call__(self, job: ExportJob) -> _Made:
        made = attempt(job.name, partial(self._export, job))
        return _Made("failed", made.reason) if isinstance(made, Failure) else made

    def _export(self, job: ExportJob) -> _Made:
        if job.rois is None and self._skip_missing:
            return _Made("skipped", "it has no regions of interest")
        regions = "none" if job.rois is None else file_digest(job.rois)
        source = f"{slide_identity(job.path)} mpp={job.mpp or self._mpp or 'file'} rois={regions}"
        known = self.config.slides.get(job.name)
        if not self._overwrite and known is not None and known.source == source and self.is_whole(job.name):
            return _Made("finished before", slide=known)
        with SlideImage(job.path, annotated_mpp=job.mpp, mpp=self._mpp) as slide:
            rois = ROISet()
            if job.rois is not None:
                bounds = slide.reader.metadata.bounds_origin
                rois = load_rois(job.rois, slide_size=slide.dimensions, bounds_origin=bounds)
            if not rois and self._skip_missing:
                return _Made("skipped", "its file of regions holds none")
            columns, rows = (max(1, round(um / self.config.mpp)) for um in slide.size_um)
            self._write(job.name, slide, rois, columns, rows)
            pixel_um = (slide.size_um[0] / columns, slide.size_um[1] / rows)
        made = ExportedSlide(columns=columns, rows=rows, pixel_um=pixel_um, patient=job.patient, source=source)
        return _Made("done", slide=made)

    def _write(self, name: str, slide: SlideImage, rois: ROISet, columns: int, rows: int) -> None:
        if columns * rows > _MOST_PIXELS:
            raise DatasetError(
                f"An image of {columns} × {rows} px is too large to train on.",
                mend="Give a larger mpp.",
                path=slide.path,
            )
        config = self.config
        mask = paint_mask(
            rois.rois,
            slide.dimensions,
            (rows, columns),
            mode=config.mode,
            labels=config.labels,
            artifact_labels=config.artifact_labels,
        )
        with atomic_write(mask_file(self.folder, name, config.mode)) as file:
            if config.mode == "multilabel":
                np.savez_compressed(file, mask=mask)
            else:
                file.write(_png(mask))
        with atomic_write(image_file(self.folder, name)) as file:
            file.write(_png(cv2.cvtColor(slide.overview(columns, rows), cv2.COLOR_RGB2BGR)))


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


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
