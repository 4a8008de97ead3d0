"""`SlideReport`: everything that is known about one slide after a run, as it stands in ``{slide}.json``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from slidekit.slide.fate import Fate

__all__ = ["QCFigures", "RecordFile", "SlideReport", "SlideStatus"]

SlideStatus = Literal["done", "empty", "skipped", "failed"]


def _check_name(name: str) -> str:
    """Refuse a name that leads out of its folder: files are looked up by it, and it may have been tampered with."""
    if name in (".", "..") or "/" in name or "\0" in name:
        raise ValueError("not the name of a file")
    return name


_FileName = Annotated[str, AfterValidator(_check_name)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RecordFile(_Frozen):
    """A finished TFRecord file.

    Attributes
    ----------
    name
        File name, relative to the folder of the ``.json``.
    records
        Number of records.
    size
        Bytes.
    sha256
        Hex digest of the whole file.
    """

    name: _FileName
    records: int
    size: int
    sha256: str


class QCFigures(_Frozen):
    """What one QC method says about one slide.

    Attributes
    ----------
    method
        Its name.
    reason
        What tiles that it drops are counted as; empty where it is not known.
    share_of_slide
        Masked share of the slide, 0–1.
    share_of_tissue
        Masked share of the tissue, 0–1; None for background, which says what is tissue, and where it is not known.
    area_mm2
        Masked area, mm².
    tiles_dropped
        Tiles that are counted as dropped by this method, none of which another one or a region had dropped before;
        None where it is not known.
    parameters
        What the method depends on, as plain JSON values.
    """

    method: str
    reason: str = ""
    share_of_slide: float
    share_of_tissue: float | None = None
    area_mm2: float | None = None
    tiles_dropped: int | None = None
    parameters: dict[str, Any] = {}


class SlideReport(_Frozen):
    """What was done with one slide, and what a reviewer should know.

    Attributes
    ----------
    slide
        Name of the slide: its file's stem. Never a path: paths can carry patient names.
    path
        Where the slide was read from; kept for the machine, never printed in a PDF.
    status
        ``done``, ``empty`` (finished, no tile kept), ``skipped`` (finished before, or no ROI where one was
        demanded) or ``failed``.
    reason
        Why a slide was skipped, is empty or failed; one sentence that names the mend. Empty for ``done``.
    width, height
        Size in level-0 pixels.
    mpp_x, mpp_y
        µm/px of level 0.
    mpp_source
        Where the µm/px came from, for people: ``openslide.mpp-x``, ``annotations``, ``mpp=`` …
    mpp_doubt
        Why the µm/px should be looked at by a person; None where there is no doubt.
    vendor
        Format as the reader names it, such as ``aperio``.
    reader
        The reader that delivered the pixels.
    level, level_downsample
        Pyramid level that was read and its downsample.
    resampling
        One phrase: how the level became tiles (``resampled 1.978× from level 0``, ``level 1 as stored``).
    tile_px
        Edge of a tile in output pixels.
    tile_um_x, tile_um_y
        Edge of a tile on this slide, µm; the two differ only where a level of an anisotropic slide is read as
        stored.
    further
        Further sizes of concentric tiles that each record holds, such as ``512um``.
    candidates
        Cells of the grid, or coordinates that were given.
    counts
        Candidates by reason, ``kept`` among them; they add up to `candidates`.
    unnormalized
        Kept tiles on which the stain normaliser has no defined statistics and which it left as they were.
    labels
        Kept tiles by label: that of their ROI, or that given with their coordinates.
    coordinates
        Number of coordinates given for this slide; None where tiles are from a grid.
    rois
        Number of regions of interest.
    roi_problems
        What was wrong in the ROI file, a sentence each.
    artifacts, artifacts_mm2
        Number of artifact regions, which are removed, and the area of the slide that they cover, mm²; None without.
    tissue_share
        Share of the slide that Otsu calls tissue, 0–1; None where no mask was computed.
    tissue_mm2
        The same as an area, mm².
    tissue_doubt
        Why what Otsu calls background should be looked at by a person; None where there is no doubt.
    blur_burden
        Share of tissue out of focus, 0–1; None where blur was not measured.
    qc_shares
        Share of the whole slide that each QC method discards, by the method's name.
    qc_tissue_shares
        The same of the tissue; not for background, which says what is tissue.
    qc_methods
        All figures of each method, in the order in which they ran; empty in files of earlier versions.
    warnings
        Sentences for the log and the report.
    preview_um
        µm per pixel of the preview picture, for its scale bar.
    records
        The TFRecord file; None in a dry run, or where none was written.
    loose_tiles
        Number of loose tiles written.
    loose_format
        Their format, ``jpg`` or ``png``; empty where there are none.
    seconds
        Wall time, s.
    identity
        Size and hash of head and tail of the slide's file.
    job_hash
        Hash of the spec and of what is particular to the slide (µm/px given, ROI file).
    worth_retrying
        Whether what made a slide fail may have passed, such as a network that was away; not written to any file.
    """

    slide: _FileName
    path: str = ""
    status: SlideStatus
    reason: str = ""
    width: int | None = None
    height: int | None = None
    mpp_x: float | None = None
    mpp_y: float | None = None
    mpp_source: str | None = None
    mpp_doubt: str | None = None
    vendor: str | None = None
    reader: str | None = None
    level: int | None = None
    level_downsample: float | None = None
    resampling: str | None = None
    tile_px: int | None = None
    tile_um_x: float | None = None
    tile_um_y: float | None = None
    further: tuple[str, ...] = ()
    candidates: int = 0
    counts: dict[str, int] = {}
    unnormalized: int = 0
    labels: dict[str, int] = {}
    coordinates: int | None = None
    rois: int = 0
    roi_problems: tuple[str, ...] = ()
    artifacts: int = 0
    artifacts_mm2: float | None = None
    tissue_share: float | None = None
    tissue_mm2: float | None = None
    tissue_doubt: str | None = None
    blur_burden: float | None = None
    qc_shares: dict[str, float] = {}
    qc_tissue_shares: dict[str, float] = {}
    qc_methods: tuple[QCFigures, ...] = ()
    warnings: tuple[str, ...] = ()
    preview_um: float | None = None
    records: RecordFile | None = None
    loose_tiles: int = 0
    loose_format: Literal["", "jpg", "png"] = ""
    seconds: float = 0.0
    identity: str | None = None
    job_hash: str | None = None
    worth_retrying: bool = Field(default=False, exclude=True)

    @property
    def kept(self) -> int:
        """Number of tiles kept."""
        return self.counts.get(Fate.KEPT, 0)

    @property
    def num_tiles(self) -> int:
        """Number of tiles kept (Slideflow's name for `kept`)."""
        return self.kept

    @property
    def unreadable(self) -> int:
        """Number of candidates whose pixels could not be decoded."""
        return self.counts.get(Fate.UNREADABLE, 0)

    @property
    def qc_figures(self) -> tuple[QCFigures, ...]:
        """`qc_methods`; of files that have none, what `qc_shares` says."""
        if self.qc_methods or not self.qc_shares:
            return self.qc_methods
        area = None
        if self.width is not None and self.height is not None and self.mpp_x is not None:
            mpp_y = self.mpp_x if self.mpp_y is None else self.mpp_y
            area = self.width * self.mpp_x * self.height * mpp_y / 1e6
        return tuple(
            QCFigures(method=name, share_of_slide=share, area_mm2=None if area is None else share * area)
            for name, share in self.qc_shares.items()
        )
