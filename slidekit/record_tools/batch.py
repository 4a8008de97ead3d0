"""The same work for many files, in threads; one that fails is named and stops no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from slidekit.errors import RecordError, SlidekitError, SpecError
from slidekit.slide.parallel import map_ordered, usable_cores
from slidekit.wording import some_of

__all__ = ["count_threads", "for_each", "named_disk_errors", "try_each"]

_log = logging.getLogger("slidekit")

Item = TypeVar("Item")
Result = TypeVar("Result")


def count_threads(num_workers: int | None) -> int:
    """Number of threads that was asked for: None is one a core, 0 and 1 are the caller's own.

    Raises
    ------
    SpecError
        If it is below 0.
    """
    if num_workers is None:
        return usable_cores()
    if num_workers < 0:
        raise SpecError(f"num_workers={num_workers} is below 0.", mend="Give 0 or more, or None for one a core.")
    return max(1, num_workers)


@contextmanager
def named_disk_errors() -> Iterator[None]:
    """Say what the operating system says, such as that a disk is full, as an error of slidekit.

    Raises
    ------
    RecordError
        For an OSError of the block.
    """
    try:
        yield
    except OSError as error:
        what = f"cannot be written or read: {error.strerror or error}."
        place = Path(error.filename) if isinstance(error.filename, str) else None
        raise RecordError(what, mend="Check the disk, and who may write there.", path=place) from error


def try_each(
    work: Callable[[Item], Result], items: Sequence[Item], *, num_workers: int | None = None
) -> tuple[list[tuple[Item, Result]], list[tuple[Item, SlidekitError]]]:
    """Do the same for every item.

    Parameters
    ----------
    work
        Called from several threads; what it does must not depend on the order.
    items
        What to work on.
    num_workers
        As for `count_threads`.

    Returns
    -------
    list, list
        Items with results and items with errors, in the order of the items. Errors of slidekit and of the operating
        system are caught, all others are the caller's.
    """

    def attempt(item: Item) -> Result | SlidekitError:
        try:
            with named_disk_errors():
                return work(item)
        except SlidekitError as error:
            return error

    done: list[tuple[Item, Result]] = []
    failed: list[tuple[Item, SlidekitError]] = []
    for item, result in zip(items, map_ordered(attempt, items, threads=count_threads(num_workers)), strict=True):
        if isinstance(result, SlidekitError):
            failed.append((item, result))
        else:
            done.append((item, result))
    return done, failed


def for_each(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    name: Callable[[Item], str],
    num_workers: int | None = None,
    after: Callable[[list[tuple[Item, Result]]], None] = lambda _: None,
) -> list[Result]:
    """As `try_each`; what failed is raised at the end, when all others are finished.

    Parameters
    ----------
    work, items, num_workers
        As for `try_each`.
    name
        What to call an item in messages.
    after
        Given what succeeded, before anything is raised.

    Raises
    ------
    SlidekitError
        The only error as it is; of several the first, with the names of the others. All are in the log.
    """
    done, failed = try_each(work, items, num_workers=num_workers)
    after(done)
    for item, error in failed:
        _log.error("%s: %s", name(item), error)
    if failed:
        first = failed[0][1]
        if len(failed) == 1:
            raise first
        more = some_of([name(item) for item, _ in failed[1:]])
        what = f"{first.message} {len(failed)} of {len(items)} failed; the others: {more}."
        raise type(first)(what, mend=first.mend, path=first.path, line=first.line)
    return [result for _, result in done]
