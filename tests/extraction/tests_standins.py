"""QC methods that misbehave; in a module of their own, so that a child process can import them."""

from __future__ import annotations

import ctypes


class Crash:
    """Reads address 0 on one slide."""

    def __init__(self, slide: str) -> None:
        self.slide = slide

    def __call__(self, wsi) -> None:
        if wsi.name == self.slide:
            ctypes.string_at(0)
