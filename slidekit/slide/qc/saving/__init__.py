"""Masks in files: `Save` writes all masks that a slide has, `Load` gives them back.

Of each slide there are, in one folder, ``{slide}.qc.json`` (what the masks are, and of which slide),
``{slide}.qc.{mask}.{8 hexadecimal digits}.png`` for each mask (1 bit a pixel, white = discard), and
``{slide}.qc.geojson`` (simplified outlines for QuPath).
"""

from __future__ import annotations

from slidekit.slide.qc.saving.load import Load
from slidekit.slide.qc.saving.save import Save

__all__ = ["Load", "Save"]
