"""Files of remote stores, by fsspec: listing them, telling one state of a file from another, reading.

Only here is fsspec imported, and only here are the errors of stores caught: whatever they say becomes a `RemoteError`
without the URL, which may hold a password, a signature or a patient's name.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from slidekit.errors import MissingExtraError
from slidekit.io.url import RemotePath

__all__ = ["RemoteError", "RemoteFile", "RemoteReader", "list_remote", "open_remote", "read_ends", "remote_state"]

_LONGEST_SAID = 200
# What a store knows of a file that changes when the file does; none of it changes when the file is read.
_MARKS = (
    *("ETag", "etag", "LastModified", "last_modified", "mtime", "updated", "modified", "created"),
    *("generation", "md5Hash"),
)
# Roots of the errors of fsspec's backends that are no OSError. They are looked up once something has failed: a
# backend that is not loaded has not raised it.
_BACKENDS = (
    ("aiohttp", "ClientError"),
    ("azure.core.exceptions", "AzureError"),
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("ftplib", "Error"),
    ("gcsfs.retry", "HttpError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("paramiko.ssh_exception", "SSHException"),
)


class RemoteError(OSError):
    """A remote store did not do what it was asked for; its `strerror` names no place."""


class RemoteFile(NamedTuple):
    """A file that was found in a store.

    Attributes
    ----------
    path
        The file.
    place
        The same, relative to the folder that was listed; never leads out of it.
    """

    path: RemotePath
    place: PurePosixPath


class RemoteReader:
    """An open file of a remote store.

    Parameters
    ----------
    file
        What fsspec opened.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def readinto(self, piece: memoryview) -> int:
        """Read on; as `io.RawIOBase.readinto`.

        Raises
        ------
        RemoteError
            If the store fails.
        """
        with _said_plainly():
            data: bytes = self._file.read(len(piece))
        piece[: len(data)] = data
        return len(data)


def list_remote(folder: RemotePath) -> list[RemoteFile]:
    """List the files in a folder and all folders below it, sorted; what is not there is an empty folder.

    Raises
    ------
    RemoteError
        If the store fails.
    MissingExtraError
        If fsspec or its package for the store is missing.

    Notes
    -----
    Names that would lead out of the folder, or that fsspec would read as more than a name (``?``, ``::``), are left
    out.
    """
    store, root = _open_store(folder)
    with _said_plainly():
        # Stores remember listings for as long as the program runs.
        store.invalidate_cache()
        names = store.find(root)
    start = root.rstrip("/") + "/"
    base = folder.url if folder.url.endswith("/") else f"{folder.url}/"
    places = (name[len(start) :] for name in sorted(names) if name.startswith(start))
    return [RemoteFile(RemotePath.of(base + place), PurePosixPath(place)) for place in places if _is_inside(place)]


def _is_inside(place: str) -> bool:
    odd = any(sign in place for sign in ("?", "::", "\0"))
    return not odd and not {"", ".", ".."} & set(place.split("/"))


def remote_state(path: RemotePath) -> tuple[int, str]:
    """Size of a file in bytes, and a mark that changes when the file does.

    Raises
    ------
    RemoteError
        If there is no such file, its size is not known, or the store fails.
    MissingExtraError
        As `list_remote`.
    """
    store, inside = _open_store(path)
    with _said_plainly():
        store.invalidate_cache(inside)
        facts: dict[str, Any] = store.info(inside)
    if facts.get("type", "file") != "file":
        raise RemoteError(errno.EISDIR, "it is not a file")
    size = facts.get("size")
    if not isinstance(size, int):
        raise RemoteError(errno.EIO, "the store does not say how large it is")
    return size, repr([facts.get(name) for name in _MARKS])


@contextmanager
def open_remote(path: RemotePath) -> Iterator[RemoteReader]:
    """Open a file for reading from its start to its end.

    Raises
    ------
    RemoteError, MissingExtraError
        As `remote_state`.
    """
    store, inside = _open_store(path)
    with _said_plainly():
        file = store.open(inside, "rb")
    try:
        yield RemoteReader(file)
    finally:
        with _said_plainly():
            file.close()


def read_ends(path: RemotePath, size: int, sample: int) -> bytes:
    """Read the first and the last bytes of a file, each once.

    Parameters
    ----------
    path
        The file.
    size
        Its size, bytes.
    sample
        How many bytes of each end.

    Raises
    ------
    RemoteError
        If the store fails, or does not give parts of files.
    MissingExtraError
        As `list_remote`.
    """
    store, inside = _open_store(path)
    data = b""
    for start, end in ((0, min(sample, size)), (max(sample, size - sample), size)):
        if start >= end:
            continue
        with _said_plainly():
            part = store.cat_file(inside, start=start, end=end)
        if len(part) != end - start:
            raise RemoteError(errno.EIO, "the store does not give parts of files")
        data += part
    return data


def _open_store(path: RemotePath) -> tuple[Any, str]:
    """The file system of a URL, and what the URL is called in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingExtraError(
            "Slides of remote stores need fsspec, which cannot be imported.", mend='pip install "slidekit[remote]"'
        ) from error
    scheme = path.url.partition(":")[0].lower()
    try:
        with _said_plainly():
            store, inside = url_to_fs(path.url)
    except ImportError as error:
        raise MissingExtraError(f"fsspec needs one more package for {scheme}://.", mend=f"{_say(error)}.") from error
    return store, inside


@contextmanager
def _said_plainly() -> Iterator[None]:
    """Make a `RemoteError` of whatever a store is known to raise."""
    try:
        yield
    except _known_errors() as error:
        # Without the original, which a traceback would show.
        raise RemoteError(getattr(error, "errno", None) or errno.EIO, _say(error)) from None


def _known_errors() -> tuple[type[Exception], ...]:
    found = (getattr(sys.modules.get(module), name, None) for module, name in _BACKENDS)
    backends = (kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception))
    return (OSError, EOFError, ValueError, RuntimeError, *backends)


def _say(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        # Some backends say so of whatever fails, a refusal or a network that is away.
        return "there is no such file, or the store does not show it"
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    # A text with one of these may hold a URL, a path, a key or a signature.
    if not text or len(text) > _LONGEST_SAID or set(text) & set("/\\@?=&%\n"):
        return type(error).__name__
    return text.rstrip(".")
