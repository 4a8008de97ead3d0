"""Slides of known pixels for the tests of reading patches."""

from __future__ import annotations

from tests.pixels.conftest import known_levels, known_slide

__all__ = ["known_levels", "known_slide"]
