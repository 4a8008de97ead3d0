"""Masks on disk: 1-bit PNG images in a folder of their own, named by what they depend on."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import slidekit
from slidekit.errors import SpecError
from slidekit.io.atomic import atomic_write
from slidekit.sampling.masks.facts import MadeMask, SlideFacts
from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.masks.png import encode_png

__all__ = ["MaskCache", "default_cache"]

_log = logging.getLogger("slidekit")

_LONGEST_NAME = 60
"""Bytes: file systems count them, and not letters."""
_UNSAFE = re.compile(r"[^\w.-]")
_KEY = "slidekit"

_WARNED_OF: set[Path] = set()
"""Folders that could not be written to: one warning of each is enough."""

_DAMAGE = (OSError, ValueError, SyntaxError, KeyError, TypeError)
"""What Pillow and JSON raise on a file that is not whole, or is another's; SyntaxError is Pillow's for broken PNG."""


def default_cache() -> Path:
    """The folder that masks are kept in where none is named.

    ``$SLIDEKIT_CACHE/masks`` if that is set, else ``slidekit/masks`` in the platform's folder for caches.

    Raises
    ------
    SpecError
        If it is not set, and the user has no home.
    """
    if named := os.environ.get("SLIDEKIT_CACHE"):
        return Path(named) / "masks"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "slidekit" / "masks"
    if sys.platform == "linux" and (caches := os.environ.get("XDG_CACHE_HOME")):
        return Path(caches) / "slidekit" / "masks"
    below = {"win32": "AppData/Local", "darwin": "Library/Caches"}.get(sys.platform, ".cache")
    try:
        return Path.home() / below / "slidekit" / "masks"
    except RuntimeError as error:
        raise SpecError(
            "There is no folder for masks: this user has no home.",
            mend="Set SLIDEKIT_CACHE to a folder, or give cache=.",
        ) from error


class MaskCache:
    """Masks of slides in a folder.

    A name is made of the slide's and of a hash of its identity and of everything that the mask depends on: slides of
    one name, or of names that begin alike, never share a mask, and a slide that was replaced gets a new one.

    Parameters
    ----------
    folder
        The folder; it is made when the first mask is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str, identity: str, parameters: dict[str, Any]) -> Path:
        """Where the mask of a slide is, or would be."""
        digest = hashlib.sha256(json.dumps([identity, parameters], sort_keys=True).encode()).hexdigest()[:20]
        # A name may have been given by the user, and be anything.
        plain = _UNSAFE.sub("_", name).encode()[:_LONGEST_NAME].decode(errors="ignore")
        return self.folder / f"{plain}-{digest}.png"

    def read(self, name: str, identity: str, parameters: dict[str, Any]) -> MadeMask | None:
        """The mask of a slide; None where there is none, or what is there is damaged or another's."""
        path = self.path(name, identity, parameters)
        try:
            with Image.open(path, formats=["PNG"]) as image:
                said = json.loads(image.info[_KEY])
                if said["identity"] != identity or said["parameters"] != parameters or image.mode != "1":
                    return None
                pixels = np.asarray(image)
            facts = SlideFacts(
                name,
                tuple(said["dimensions"]),
                (float(said["mpp"][0]), float(said["mpp"][1])),
                tuple((float(x), float(y)) for x, y in said["downsamples"]),
                identity,
                tuple(said["bounds"]),
            )
            box = None if said["box"] is None else tuple(said["box"])
            return MadeMask(facts, PackedMask(pixels) if said["masked"] else None, box)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except _DAMAGE as error:
            _log.warning("%s: the mask is damaged and is made anew (%s).", path, error)
            return None

    def write(self, made: MadeMask, parameters: dict[str, Any]) -> bool:
        """Keep a mask; a folder that cannot be written to is warned of, once.

        Returns
        -------
        bool
            Whether it was written.
        """
        facts = made.facts
        said = {**asdict(facts), "parameters": parameters, "masked": made.tissue is not None, "box": made.box}
        tissue = made.tissue if made.tissue is not None else PackedMask(np.zeros((1, 1), np.bool_))
        texts = {"Software": f"slidekit {slidekit.__version__}", _KEY: json.dumps(said)}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Several processes may make one mask at once; each writes a file of its own, and all are equal.
            path = self.path(facts.name, facts.identity, parameters)
            with atomic_write(path, private=True) as file:
                file.write(encode_png(tissue, texts))
        except OSError as error:
            if self.folder not in _WARNED_OF:
                _WARNED_OF.add(self.folder)
                _log.warning(
                    "Masks cannot be kept in %s (%s): they are held in memory. Set SLIDEKIT_CACHE, or cache=.",
                    self.folder,
                    error,
                )
            return False
        return True
