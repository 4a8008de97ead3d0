"""Which files a slide is made of, and copying them: most are one, some have others that must go where they go."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from slidekit.io.atomic import PART
from slidekit.io.remote import list_remote, open_remote, remote_state
from slidekit.io.url import RemotePath
from slidekit.pixels.dicom_header import read_series_uid

__all__ = ["NotCopiedError", "SlideFile", "copy_files", "slide_files"]

_MOST_LISTED_BYTES = 1 << 20
_PIECE = 4 << 20


class NotCopiedError(Exception):
    """A slide is not copied but read where it lies; says why. Never reaches a user."""


class SlideFile(NamedTuple):
    """A file of a slide.

    Attributes
    ----------
    source
        Where it lies.
    place
        The same, relative to the folder of the slide's own file.
    size
        Bytes.
    changed
        When it was changed last, ns; or what a remote store knows that changes when the file does.
    """

    source: Path
    place: Path
    size: int
    changed: int | str


class _Source(Protocol):
    """A file that is open for reading."""

    def readinto(self, piece: memoryview, /) -> int | None: ...


def slide_files(path: Path) -> list[SlideFile]:
    """List the files that a slide is read from, its own first.

    MIRAX: all of the folder that is called as the slide. VMS and VMU: the files beside it that it lists. DICOM: the
    files of its series in its folder. Everything else that slidekit reads is one file.

    Parameters
    ----------
    path
        File of the slide.

    Raises
    ------
    OSError
        If a file is missing or cannot be read.
    NotCopiedError
        If it cannot be known which files belong to the slide.
    MissingExtraError
        If the slide lies in a remote store that is opened by a package which is missing.

    Notes
    -----
    After OpenSlide's pages on the formats (https://openslide.org/formats/). A copy leaves out files that the slide
    does not have; reading it fails as it does in place.
    """
    kind = path.suffix.lower()
    others: list[Path] = []
    if isinstance(path, RemotePath):
        return _in_store(path)
    if kind == ".mrxs":
        others = _mirax(path)
    elif kind in (".vms", ".vmu"):
        others = _listed(path)
    elif kind == ".dcm":
        others = _series(path)
    return [_describe(one, path.parent) for one in (path, *others)]


def _describe(source: Path, home: Path) -> SlideFile:
    found = source.stat()
    if not stat.S_ISREG(found.st_mode):
        raise NotCopiedError(f"{source.name} is not a plain file")
    return SlideFile(source, source.relative_to(home), found.st_size, found.st_mtime_ns)


def _in_store(path: RemotePath) -> list[SlideFile]:
    """Files of a slide in a remote store."""
    kind = path.suffix.lower()
    if kind in (".vms", ".vmu", ".dcm"):
        # Which files belong to it stands in the files.
        raise NotCopiedError(
            f"a {kind[1:].upper()} slide has several files, which slidekit copies from local disks only"
        )
    files = [SlideFile(path, Path(path.name), *remote_state(path))]
    if kind == ".mrxs":
        if not path.url.lower().endswith(kind):
            raise NotCopiedError("the folder of a MIRAX slide is not found by a URL with a query")
        folder = RemotePath.of(path.url[: -len(kind)])
        files += [
            SlideFile(found.path, Path(path.stem, found.place), *remote_state(found.path))
            for found in list_remote(folder)
        ]
    return files


def _mirax(path: Path) -> list[Path]:
    folder = path.with_suffix("")
    files = [Path(parent) / name for parent, _, names in os.walk(folder, onerror=_fail) for name in names]
    return sorted(files)


def _fail(error: OSError) -> None:
    # A folder that cannot be listed would be a copy with files missing; one that is not there is the slide's own fault.
    if not isinstance(error, FileNotFoundError):
        raise error


def _listed(path: Path) -> list[Path]:
    """Files beside a VMS or VMU file that a line ``key=value`` of it names."""
    if path.stat().st_size > _MOST_LISTED_BYTES:
        raise NotCopiedError("it is too large to be a list of files")
    beside = {one.name for one in path.parent.iterdir() if one != path}
    values = [line.partition("=")[2].strip() for line in path.read_text("utf-8", "surrogateescape").splitlines()]
    if any("/" in value and "." in value.rsplit("/", 1)[-1] for value in values):
        raise NotCopiedError("it may name files of other folders")
    return [path.parent / name for name in sorted(beside.intersection(values))]


def _series(path: Path) -> list[Path]:
    uid = read_series_uid(path)
    if uid is None:
        raise NotCopiedError("its DICOM series is not known")
    # OpenSlide looks at all files of the folder, whatever their names.
    others = (one for one in sorted(path.parent.iterdir()) if one != path and one.is_file())
    return [one for one in others if read_series_uid(one) == uid]


def copy_files(files: Sequence[SlideFile], home: Path, *, going: Callable[[], bool]) -> None:
    """Copy files into a new folder, which takes its name when all of them are complete.

    Parameters
    ----------
    files
        What to copy.
    home
        The folder; its parent must exist.
    going
        Asked between pieces of a few MB; copying ends when it says no.

    Raises
    ------
    OSError
        If a file cannot be read or written.
    NotCopiedError
        If `going` said no, or a file is not what it was when it was listed.
    """
    part = home.with_name(home.name + PART)
    try:
        # Without parents: once the run has ended and removed them, a copy that was late must not bring them back.
        part.mkdir()
        for file in files:
            if not going():
                raise NotCopiedError("the run has ended")
            place = part / file.place
            if place.parent != part:
                place.parent.mkdir(parents=True, exist_ok=True)
            _copy(file, place, going)
        part.rename(home)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _copy(file: SlideFile, place: Path, going: Callable[[], bool]) -> None:
    """Copy a file in pieces: `shutil.copyfile` would hold up Ctrl-C until gigabytes have come over the network."""
    piece = memoryview(bytearray(_PIECE))
    copied = 0
    with _open(file.source) as source, place.open("xb", buffering=0) as copy:
        # Not a byte more than was listed: the bytes in the buffer are bounded.
        while copied <= file.size and (count := source.readinto(piece)):
            if not going():
                raise NotCopiedError("the run has ended")
            copied += count
            rest = piece[: count if copied <= file.size else 0]
            while rest:
                rest = rest[copy.write(rest) :]
    if copied != file.size or _state(file.source) != (file.size, file.changed):
        raise NotCopiedError("it changed while it was copied")


def _open(source: Path) -> AbstractContextManager[_Source]:
    return open_remote(source) if isinstance(source, RemotePath) else source.open("rb", buffering=0)


def _state(source: Path) -> tuple[int, int | str]:
    if isinstance(source, RemotePath):
        return remote_state(source)
    now = source.stat()
    return now.st_size, now.st_mtime_ns
