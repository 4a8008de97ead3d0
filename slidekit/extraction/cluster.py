"""Dask as the executor: the workers of a cluster carry the slides."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from slidekit.errors import ClusterError, MissingExtraError
from slidekit.extraction.versions import library_versions

__all__ = ["open_cluster"]

_log = logging.getLogger("slidekit")

_SECONDS_TO_CONNECT = 20


@contextmanager
def open_cluster(address: str) -> Iterator[Executor]:
    """Connect to a Dask scheduler.

    Parameters
    ----------
    address
        As the scheduler prints it: ``tcp://host:8786``.

    Yields
    ------
    Executor
        Carries calls to the scheduler's workers. A call whose worker dies is carried to another one.

    Raises
    ------
    MissingExtraError
        If Dask is not installed.
    ClusterError
        If the scheduler cannot be reached, or its workers have no slidekit, or other versions of what makes bytes.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError(
            "--cluster needs Dask, which is not installed.", mend='Install "slidekit[dask]".'
        ) from error
    if not re.fullmatch(r"[a-z]+://.+:\d+", address):
        raise ClusterError(f"{address} is not the address of a Dask scheduler.", mend="Such as tcp://node0:8786.")
    try:
        client = Client(address, timeout=_SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"No Dask scheduler answers at {address} ({error}).",
            mend="Start one with `dask scheduler`, and give the address that it prints.",
        ) from error
    with client:
        _check_workers(client)
        yield client.get_executor(pure=False)


def _check_workers(client: Any) -> None:
    """Make sure that the workers make the same bytes as this machine; those that come later look themselves."""
    try:
        found: dict[str, dict[str, str]] = client.run(library_versions)
    except ImportError as error:
        raise ClusterError(
            f"The workers of the cluster cannot import slidekit ({error}).",
            mend="Install the same slidekit where they run.",
        ) from error
    if not found:
        _log.warning("the cluster has no workers yet: slides are extracted when some have joined")
    here = library_versions()
    for worker, versions in sorted(found.items()):
        if changed := [name for name in here if versions.get(name) != here[name]]:
            said = ", ".join(f"{name} {versions.get(name)} there, {here[name]} here" for name in changed)
            raise ClusterError(
                f"Worker {worker} has other versions ({said}): its tiles would differ from those of others.",
                mend="Install the same versions everywhere.",
            )
