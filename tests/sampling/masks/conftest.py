"""Small synthetic slides for the tests of masks: those of one slide's tests."""

from __future__ import annotations

from tests.slide.conftest import make_slide, tissue, tissue_slide

__all__ = ["make_slide", "tissue", "tissue_slide"]
