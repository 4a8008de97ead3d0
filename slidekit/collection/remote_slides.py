"""Which files of a remote store are slides: by the rules for folders, as far as names tell."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from pathlib import PurePath, PurePosixPath

from slidekit.errors import DatasetError
from slidekit.io.remote import RemoteError, RemoteFile, list_remote
from slidekit.io.url import RemotePath
from slidekit.pixels.discovery import has_slide_suffix, is_passed_folder, why_no_slide

__all__ = ["find_remote_slides"]

logger = logging.getLogger(__name__)


def find_remote_slides(place: RemotePath) -> list[RemotePath]:
    """Find the slides in a folder of a remote store and all folders below it.

    Files are told by their names alone: nothing is read. DICOM is passed over, for which files are one slide stands in
    the files; the log says how many files were passed over, and why.

    Parameters
    ----------
    place
        Where to look; what has the suffix of a slide is taken as it is, without asking the store.

    Returns
    -------
    list of RemotePath
        Sorted.

    Raises
    ------
    DatasetError
        If the store cannot be asked, or nothing is there.
    MissingExtraError
        If fsspec or its package for the store is missing.
    """
    if has_slide_suffix(place, images=True):
        return [place]
    try:
        files = list_remote(place)
    except RemoteError as error:
        raise DatasetError(
            f"cannot be looked into: {error.strerror}.",
            mend="Check the URL, the network, and that the store's own credentials are set up on this machine.",
            path=place,
        ) from None
    if not files:
        raise DatasetError("holds no file, or does not exist.", mend="Correct the URL of the slides.", path=place)
    return _slides_among(files, place)


def _slides_among(files: list[RemoteFile], place: RemotePath) -> list[RemotePath]:
    found: list[RemotePath] = []
    passed: Counter[str] = Counter()
    companions = {file.place.with_suffix("") for file in files if file.place.suffix.lower() == ".mrxs"}
    for file in files:
        if not has_slide_suffix(file.path) or _is_inside(file.place, companions):
            continue
        reason = why_no_slide(file.place) or ("DICOM files" if _is_dicom(file.place) else None)
        if reason:
            passed[reason] += 1
        else:
            found.append(file.path)
    if passed:
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(passed.items()))
        # Of DICOM a user may expect that it is read, as from a local folder.
        level = logging.WARNING if passed["DICOM files"] else logging.INFO
        logger.log(level, "%s: %d slides; passed over: %s.", place, len(found), counts)
    return sorted(found)


def _is_inside(place: PurePosixPath, companions: Collection[PurePath]) -> bool:
    return any(is_passed_folder(folder.name) or folder in companions for folder in place.parents if folder.name)


def _is_dicom(place: PurePosixPath) -> bool:
    return place.suffix.lower() == ".dcm"
