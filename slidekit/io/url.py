"""Where slides of a remote store lie: URLs such as ``s3://bucket/cohort``, and how they are shown."""

from __future__ import annotations

import re
from pathlib import Path, PosixPath
from typing import Any, Self
from urllib.parse import unquote

from slidekit.errors import SlideOpenError

__all__ = ["RemotePath", "as_url", "holds_secret", "refuse_remote"]

# One letter is no scheme: C:/slides is a path of another system.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/+)(.*)", re.DOTALL)
_WEB = frozenset({"http", "https"})
_ROOTED = frozenset({"file", "local"})
"""Schemes without a host: what follows the two slashes is an absolute path."""
_ACCOUNTS = frozenset({"abfs", "abfss", "adl", "az"})
"""Schemes of Azure: what stands before the @ is the name of the container."""


class RemotePath(PosixPath):
    """A slide or a folder in a remote store: what is shown of its URL, which has no password, query and fragment.

    It is a path so that it can stand wherever a slide's path is said, and has a name, a suffix and a parent. As a
    local path it leads nowhere. Make one with `of`.
    """

    _url: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Make one from a URL, which it keeps for those who read the slide."""
        path = cls(_shown(url)[0])
        path._url = url
        return path

    @property
    def url(self) -> str:
        """All of the URL: not for logs, reports and files."""
        return getattr(self, "_url", str(self))

    def __str__(self) -> str:
        # pathlib makes one slash of two.
        scheme, found, rest = super().__str__().partition(":/")
        return f"{scheme}:{'///' if scheme in _ROOTED else '//'}{rest}" if found else scheme

    def __reduce__(self) -> tuple[Any, ...]:
        return (RemotePath.of, (self.url,))


def as_url(path: str | Path) -> str | None:
    """Give the URL that a user means; None if it is a local path.

    A `Path` that was made of a URL has lost a slash, which is put back, unless there is such a local file.
    """
    if isinstance(path, RemotePath):
        return path.url
    match = _URL.fullmatch(str(path))
    if match is None:
        return None
    scheme, slashes, rest = match.groups()
    if len(slashes) > 1:
        return str(path)
    if not isinstance(path, Path) or path.exists():
        return None
    return f"{scheme}:{'///' if scheme.lower() in _ROOTED else '//'}{rest}"


def holds_secret(url: str) -> bool:
    """Whether a URL holds what is not shown of it: a user with a password, or a query, which may be a signature."""
    return _shown(url)[1]


def refuse_remote(path: str | Path) -> None:
    """Make sure that a slide which is to be opened is a local file.

    Raises
    ------
    SlideOpenError
        If its path is a URL; says what to do instead.
    """
    if (url := as_url(path)) is not None:
        raise SlideOpenError(
            "lies in a remote store, and slides are read from local files only.",
            mend="Download it; or extract a dataset of it with buffer=FOLDER, which copies each slide there.",
            path=RemotePath.of(url),
        )


def _shown(url: str) -> tuple[str, bool]:
    """What is shown of a URL, and whether something is left out that may be secret."""
    scheme, _, rest = url.partition(":")
    scheme, rest = scheme.lower(), rest.lstrip("/")
    if scheme in _WEB:
        rest = rest.partition("#")[0]
    rest, query, _ = rest.partition("?")
    host, slash, inside = rest.partition("/")
    user, has_user, bare = host.rpartition("@")
    if scheme in _ROOTED or (scheme in _ACCOUNTS and ":" not in user):
        has_user, bare = "", host
    if scheme in _WEB:
        # As it was called before it became part of a URL: so do annotations name it.
        inside = unquote(inside)
    return f"{scheme}://{bare}{slash}{inside}", bool(query or has_user)
