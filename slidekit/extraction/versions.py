"""Versions of what the bytes of tiles depend on."""

from __future__ import annotations

from importlib.metadata import version

from slidekit import __version__

__all__ = ["library_versions"]

_LIBRARIES = ("numpy", "opencv-python-headless", "openslide-bin", "pillow", "pyvips-binary", "simplejpeg", "tifffile")


def library_versions() -> dict[str, str]:
    """Name to version, slidekit's first."""
    return {"slidekit": __version__} | {name: version(name) for name in _LIBRARIES}
