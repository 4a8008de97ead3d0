"""``buffer=``: while slides are extracted, the next ones are copied to a fast disk, and read from there."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from slidekit.extraction.buffer.folder import BufferFolder, remove_leftovers
from slidekit.extraction.buffer.in_place import InPlace, needs_no_pixels
from slidekit.extraction.buffer.slides import SlideBuffer
from slidekit.slide.job import SlideJob
from slidekit.slide.spec import ExtractionSpec

__all__ = ["InPlace", "open_buffer"]

_log = logging.getLogger("slidekit")

_GB = 10**9


@contextmanager
def open_buffer(jobs: Sequence[SlideJob], spec: ExtractionSpec, *, ahead: int) -> Iterator[InPlace]:
    """Copy slides for a run, if it has a buffer; when the block ends, in whatever way, the copies are gone.

    Parameters
    ----------
    jobs, spec
        What will be extracted, in this order, and all parameters.
    ahead
        Most copies that wait for being extracted.

    Yields
    ------
    InPlace
        Runs the jobs, on their slides or on copies of them.
    """
    if spec.buffer is None:
        yield InPlace(spec)
        return
    remove_leftovers(spec.buffer)
    wanted = [job for job in jobs if not needs_no_pixels(job, spec)]
    try:
        folder = BufferFolder(spec.buffer)
    except OSError as error:
        _log.warning("%s cannot be used (%s): slides are read in place.", spec.buffer, error.strerror)
        yield InPlace(spec)
        return
    most = None if spec.buffer_gb is None else round(spec.buffer_gb * _GB)
    buffer = SlideBuffer(wanted, folder, spec, most=most, ahead=ahead)
    try:
        yield buffer
    finally:
        buffer.close()
