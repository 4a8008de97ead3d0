"""One slide's QC without extraction: masks, figures and a picture; no tile is read."""

from __future__ import annotations

from pathlib import Path

from slidekit.io.atomic import atomic_write
from slidekit.slide.encode import encode_image
from slidekit.slide.fate import Fate
from slidekit.slide.report_model import SlideReport
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.summary import TileOutcome, kept_boxes, summarise
from slidekit.slide.wsi import WSI

__all__ = ["check_slide"]


def check_slide(wsi: WSI, spec: ExtractionSpec, *, picture: Path | None = None) -> SlideReport:
    """Say what regions and QC decide about a slide.

    Parameters
    ----------
    wsi
        The slide, QC having been run.
    spec
        All parameters.
    picture
        File for the drawn-over slide, ``.png`` or ``.jpg``; its folder is made. None draws none.

    Returns
    -------
    SlideReport
        ``kept`` counts the tiles that regions and QC leave; tile filters need pixels and are not run.

    Raises
    ------
    OSError
        If the picture cannot be written.
    """
    cells = wsi.grid.cells()[wsi.fates().taken].tolist()
    outcomes = [TileOutcome(i, j, Fate.KEPT, None, None, False) for i, j in cells]
    report = summarise(wsi, spec, outcomes)
    if picture is None:
        return report
    image = wsi.draw(kept_boxes(wsi, outcomes))
    picture.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(picture) as file:
        file.write(encode_image(image, "png" if picture.suffix.lower() == ".png" else "jpg"))
    return report.model_copy(update={"preview_um": wsi.preview_um()})
