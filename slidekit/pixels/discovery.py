"""Which files of a folder are slides, and what each slide is called."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from slidekit.errors import DatasetError
from slidekit.pixels.dicom_header import read_series_uid

__all__ = [
    "IMAGE_SUFFIXES",
    "SLIDE_SUFFIXES",
    "check_unique_names",
    "find_slides",
    "has_slide_suffix",
    "is_passed_folder",
    "slide_name",
    "why_no_slide",
]

logger = logging.getLogger(__name__)

SLIDE_SUFFIXES = (
    ".bif", ".czi", ".dcm", ".mrxs", ".ndpi", ".scn", ".svs", ".svslide", ".tif", ".tiff", ".vms", ".vmu"
)  # fmt: skip
"""Suffixes (lower case) of whole-slide formats: OpenSlide 4's, and OME-TIFF by its ``.tif`` or ``.tiff``."""

IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png")
"""Suffixes (lower case) of plain images, which are slides only when asked for or given by name."""

_FLAT = (".tif", ".tiff", *IMAGE_SUFFIXES)
_NOT_TISSUE = re.compile(r"(?:^|[-_. ])(?:label|macro|mask|thumbnail)$", re.IGNORECASE)
# Folders that network storage and archives fill with copies of names, never with slides.
_SYSTEM_FOLDERS = frozenset({"@eadir", "__macosx"})
_MAX_VMS_BYTES = 1 << 16


def slide_name(path: str | Path) -> str:
    """Name of a slide: the stem of its file, without a trailing ``.ome``."""
    stem = Path(path).stem
    return stem[:-4] if len(stem) > 4 and stem.lower().endswith(".ome") else stem


def has_slide_suffix(path: str | Path, *, images: bool = False) -> bool:
    """Whether a file's suffix is that of a whole-slide format, or of a plain image if `images`."""
    suffix = Path(path).suffix.lower()
    return suffix in SLIDE_SUFFIXES or (images and suffix in IMAGE_SUFFIXES)


def find_slides(folder: str | Path, *, images: bool = False) -> list[Path]:
    """Find the slides in a folder and all folders below it.

    Hidden files, companion files (MIRAX, VMS), label, macro and mask images are passed over, and a DICOM
    series counts once, by its first file; the log says how many files were passed over and why. A file that
    cannot be read is returned as itself, so that it fails under its own name later. Symbolic links are
    followed, every folder once.

    Parameters
    ----------
    folder
        Where to look.
    images
        Whether PNG and JPEG files are slides.

    Returns
    -------
    list of Path
        Sorted paths, each beginning with `folder`.

    Raises
    ------
    DatasetError
        If `folder` is not a folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError("is not a folder.", mend="Give the folder that holds the slides.", path=folder)
    passed: Counter[str] = Counter()
    found: list[Path] = []
    for parent, names in _walk(folder, passed):
        companions = _vms_companions(parent, names) if images else frozenset()
        for name in names:
            if not has_slide_suffix(name, images=images):
                continue
            reason = _why_not(parent / name, companions)
            if reason:
                passed[reason] += 1
            else:
                found.append(parent / name)
    slides = _first_of_series(sorted(found), passed)
    if passed:
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(passed.items()))
        logger.info("%s: %d slides; passed over: %s.", folder, len(slides), counts)
    return slides


def check_unique_names(paths: Iterable[str | Path]) -> None:
    """Make sure that no two slides have the same name.

    Raises
    ------
    DatasetError
        Naming both paths of the first name that occurs twice.
    """
    seen: dict[str, str | Path] = {}
    for path in paths:
        name = slide_name(path)
        if name in seen:
            raise DatasetError(
                f"Two slides are named {name!r}: {seen[name]} and {path}.",
                mend="Rename or move one of them, or give the slides as a list of paths that holds only one.",
            )
        seen[name] = path


def _walk(folder: Path, passed: Counter[str]) -> Iterator[tuple[Path, list[str]]]:
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_report_unreadable):
        # A link may lead to a folder above itself; the folder's own number tells that it was here before.
        place = Path(parent).stat()
        if (place.st_dev, place.st_ino) in seen:
            folders.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        mirax = {Path(name).stem for name in names if name.lower().endswith(".mrxs")}
        if parent != str(folder) and any(name.lower() == "slidedat.ini" for name in names):
            passed["MIRAX companion folders"] += 1
            folders.clear()
            continue
        if companions := mirax & set(folders):
            passed["MIRAX companion folders"] += len(companions)
        folders[:] = sorted(name for name in folders if not is_passed_folder(name) and name not in mirax)
        yield Path(parent), sorted(names)


def _report_unreadable(error: OSError) -> None:
    logger.warning("Cannot look into %s: %s. Slides in it are missing.", error.filename, error.strerror)


def is_passed_folder(name: str) -> bool:
    """Whether a folder is passed over for its name: hidden ones, and those that systems fill with copies of names."""
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


def why_no_slide(path: PurePath) -> str | None:
    """Why a file with the suffix of a slide is none, as far as its name tells: a phrase in the plural, or None."""
    if path.name.startswith("."):
        return "hidden files"
    if path.suffix.lower() in _FLAT and _NOT_TISSUE.search(slide_name(Path(path))):
        return "label, macro, thumbnail or mask images"
    return None


def _why_not(path: Path, companions: frozenset[str]) -> str | None:
    if path.name in companions:
        return "VMS companion files"
    if reason := why_no_slide(path):
        return reason
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "special files"
    except OSError:
        return None  # such as a link to nowhere: a slide that will fail by name
    return None


def _vms_companions(parent: Path, names: list[str]) -> frozenset[str]:
    """Images that belong to a Hamamatsu VMS or VMU file: those that it lists, and those called after it."""
    companions: set[str] = set()
    for vms in (name for name in names if name.lower().endswith((".vms", ".vmu"))):
        stem = Path(vms).stem
        called = re.compile(re.escape(stem) + r"(?:[(_].*)?\.jpe?g", re.IGNORECASE)
        companions.update(name for name in names if called.fullmatch(name))
        try:
            with (parent / vms).open("rb") as file:
                text = file.read(_MAX_VMS_BYTES).decode("utf-8", "replace")
        except OSError:
            continue
        companions.update(line.partition("=")[2].strip() for line in text.splitlines())
    return frozenset(companions)


def _first_of_series(paths: list[Path], passed: Counter[str]) -> list[Path]:
    series: set[str] = set()
    slides = []
    for path in paths:
        uid = read_series_uid(path) if path.suffix.lower() == ".dcm" else None
        if uid is not None and uid in series:
            passed["further files of a DICOM series"] += 1
            continue
        if uid is not None:
            series.add(uid)
        slides.append(path)
    return slides
