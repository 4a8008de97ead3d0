"""Slides that are read where they lie; those of a remote store cannot be, and fail by name."""

from __future__ import annotations

from collections.abc import Callable

from slidekit.extraction.outcome import failed_report, keep_report, without_coordinates
from slidekit.io.url import RemotePath
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["Extract", "InPlace", "needs_no_pixels"]

Extract = Callable[[SlideJob], SlideReport]

_NO_BUFFER = "It lies in a remote store, and is read from a copy only: give buffer (--buffer), a folder for copies."
_NO_ROIS = 'No regions of interest. Add a file of regions for the slide, or use roi_method="auto".'


def needs_no_pixels(job: SlideJob, spec: ExtractionSpec) -> bool:
    """Whether a slide is skipped before a pixel of it is read: for want of coordinates, or of a file of regions."""
    has_no_places = job.coordinates is not None and not len(job.coordinates)
    return has_no_places or (job.rois is None and spec.roi_method in ("inside", "outside"))


class InPlace:
    """Runs jobs on the slides themselves.

    Parameters
    ----------
    spec
        All parameters.

    Attributes
    ----------
    inherited
        File descriptors that processes which read slides are to keep open.
    """

    inherited: tuple[int, ...] = ()

    def __init__(self, spec: ExtractionSpec) -> None:
        self._spec = spec

    def run(self, job: SlideJob, extract: Extract) -> SlideReport:
        """Run a job; may be called from several threads, for different jobs."""
        return self._run_in_place(job, extract, why=_NO_BUFFER)

    def forget(self, job: SlideJob) -> None:
        """Hear that a job is not run now, for another run has finished it or is at work on it."""

    def stop(self) -> None:
        """Let go of whoever waits in `run`."""

    def _run_in_place(self, job: SlideJob, extract: Extract, *, why: str) -> SlideReport:
        """Run a job on its slide, or say why one of a remote store failed."""
        if not isinstance(job.path, RemotePath):
            return extract(job)
        if job.coordinates is not None and not len(job.coordinates):
            report = without_coordinates(job)
        elif needs_no_pixels(job, self._spec):
            report = SlideReport(slide=job.name, path=str(job.path), status="skipped", reason=_NO_ROIS)
        else:
            report = failed_report(job, why)
        is_ours = job.claim is None or job.claim.stands()
        return keep_report(job, self._spec, report) if is_ours and not self._spec.dry_run else report
