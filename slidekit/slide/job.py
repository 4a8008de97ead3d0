"""One slide's share of an extraction: what to read, where to write, and the hash that resuming goes by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from slidekit.io.lock import Claim
from slidekit.slide.cell_tiles import CellSource, SegmentPlan
from slidekit.slide.coordinates import Coordinates
from slidekit.slide.identity import file_digest
from slidekit.slide.qc.base import QCMethod
from slidekit.slide.spec import ExtractionSpec

__all__ = ["SlideJob", "job_hash"]


@dataclass(frozen=True)
class SlideJob:
    """One slide of an extraction.

    Attributes
    ----------
    name
        Name of the slide.
    path
        Its file.
    mpp
        µm/px from the annotations, if they have one.
    rois
        File of regions of interest, if there is one.
    tfrecords
        Folder of TFRecords of this tile size, such as ``…/tfrecords/256px_128um``; None writes none.
    tiles
        Folder for loose tiles of this tile size; None writes none.
    previews
        Folder for the pictures of the report; None makes none.
    copy
        Copy of the slide's file in a buffer, which its pixels are read from; None reads `path`. Whatever is said,
        written or looked up goes by `path` all the same.
    digest
        Hash of the run's parameters when it began: a QC function may have state, and change. Empty: that of now.
    qc_only
        Whether QC alone is wanted: no tile is read then.
    picture
        File for the drawn-over slide, where QC alone is wanted; None draws none.
    coordinates
        Where its tiles lie, instead of on a grid; empty where none is on this slide.
    cells
        Cells that tiles are cut around, instead of `coordinates`.
    segment
        How its cells are found and where they go, where that is what is wanted: no tile is cut then.
    claim
        The lock under which the slide is extracted; nothing is published when it has been lost.
    """

    name: str
    path: Path
    mpp: float | None = None
    rois: Path | None = None
    tfrecords: Path | None = None
    tiles: Path | None = None
    previews: Path | None = None
    copy: Path | None = None
    digest: str = ""
    qc_only: bool = False
    picture: Path | None = None
    coordinates: Coordinates | None = None
    cells: CellSource | None = None
    segment: SegmentPlan | None = None
    claim: Claim | None = None

    @property
    def records_dir(self) -> Path | None:
        """Folder that gets ``{slide}.json``: that of its records, else that of its tiles."""
        return self.tfrecords or self.tiles


def job_hash(job: SlideJob, spec: ExtractionSpec) -> str:
    """Hash of everything but the slide itself that the bytes of a slide's tiles depend on."""
    rois = "" if job.rois is None or not job.rois.is_file() else file_digest(job.rois)
    # What a QC method reads beside the slide, such as masks that were saved, is each slide's own.
    read = [method.content(job.path) for method in spec.qc if isinstance(method, QCMethod)]
    places = [] if job.coordinates is None else [job.coordinates.digest()]
    places += [] if job.cells is None else [job.cells.content()]
    text = "\n".join((job.digest or spec.digest(), repr(job.mpp), rois, *(one for one in read if one), *places))
    return hashlib.sha256(text.encode()).hexdigest()
