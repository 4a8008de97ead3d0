"""Second chances: a slide whose process died, or that a network lost, is tried once more before it is called failed."""

from __future__ import annotations

import logging
from collections.abc import Callable

from slidekit.extraction.isolation.process import ChildProcess
from slidekit.extraction.outcome import keep_report
from slidekit.extraction.ownership import remove_parts
from slidekit.extraction.progress import ProgressEvent
from slidekit.slide.job import SlideJob
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec

__all__ = ["extract_in_child"]

_log = logging.getLogger("slidekit")


def extract_in_child(
    child: ChildProcess,
    job: SlideJob,
    spec: ExtractionSpec,
    on_event: Callable[[ProgressEvent], None],
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> SlideReport:
    """Extract a slide in a child process; should the child die, once more in a new one.

    Chance may have ended the first: memory that others took, a network share that was away. A slide that is itself to
    blame ends the second as well, and has failed. So is a slide tried again whose report is `worth_retrying`; not one
    that could be read and was found wanting.

    Parameters
    ----------
    child
        Runs the job; is started again when it has died.
    job, spec
        What to extract, and all parameters.
    on_event
        Told of progress.
    stopped
        Whether the run is being stopped, which ends children too: the slide is then not to blame. Nor is it where
        `child` was killed by `ChildProcess.kill`.

    Returns
    -------
    SlideReport
        What became of the slide. A failure is kept beside the records, unless the run was stopped, has lost the
        slide to another run, or is a dry one.
    """

    def attempt() -> SlideReport:
        report = child.run(job, spec, on_event)
        if child.died and _is_ours(job):
            _remove_parts(job)
        return report

    def is_final(report: SlideReport) -> bool:
        is_blameless = stopped() or child.killed or not _is_ours(job)
        return is_blameless or not (child.died or report.worth_retrying)

    report = attempt()
    if is_final(report):
        return report
    _log.warning("slide %s is tried once more: %s", job.name, report.reason)
    # A process that lost its files with the network may hold on to them.
    child.close()
    report = attempt()
    if is_final(report):
        return report
    if child.died:
        reason = f"Tried twice: {report.reason[:1].lower()}{report.reason[1:]}"
        report = report.model_copy(update={"reason": reason})
    return report if spec.dry_run else keep_report(job, spec, report)


def _is_ours(job: SlideJob) -> bool:
    """Whether no other run has taken the slide over meanwhile."""
    return job.claim is None or job.claim.stands()


def _remove_parts(job: SlideJob) -> None:
    try:
        remove_parts(job)
    except OSError as error:
        # A folder that is gone, or has become read-only, must not end the other slides.
        _log.warning("temporary files of %s cannot be removed: %s", job.name, error.strerror or error)
