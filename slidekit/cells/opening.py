"""Slides that are given as a file, opened for as long as they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slidekit.errors import MissingMPPError
from slidekit.slide.image import SlideImage

__all__ = ["opened_slide"]


@contextmanager
def opened_slide(slide: SlideImage | str | Path, slide_mpp: float | None = None) -> Iterator[SlideImage]:
    """Use a slide that is open, or open its file.

    Parameters
    ----------
    slide
        The slide, or its file.
    slide_mpp
        µm/px of level 0, over what the file says; not of a slide that is open, which knows it.

    Raises
    ------
    SlideOpenError
        If the file is no slide.
    MissingMPPError
        If its µm/px is unknown or cannot be true.
    """
    if isinstance(slide, SlideImage):
        yield slide
        return
    path = Path(slide).expanduser()
    try:
        opened = SlideImage(path, mpp=slide_mpp)
    except MissingMPPError as error:
        # mpp= is something else here: what cells are looked for at.
        mend = "Give that of its level 0 by slide_mpp=, such as slide_mpp=0.25, or a WSI that was opened with mpp=."
        raise MissingMPPError(error.message, mend=mend, path=error.path) from error
    with opened:
        yield opened
