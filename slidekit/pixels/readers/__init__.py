"""Ways of reading a slide, one file each, behind `SlideReader`; `open_slide` chooses for each slide."""

from __future__ import annotations

from slidekit.pixels.readers.base import Level, SlideReader
from slidekit.pixels.readers.choose import READERS, open_slide

__all__ = ["READERS", "Level", "SlideReader", "open_slide"]
