"""The same work for many files, in threads; one that fails is named and stops no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Event
from typing import TypeVar

from slidekit.errors import RecordError, SlidekitError, SpecError
from slidekit.slide.parallel import usable_cores
from slidekit.wording import some_of

__all__ = ["check_stop", "count_threads", "for_each", "named_disk_errors", "try_each"]

_log = logging.getLogger("slidekit")

_stop: ContextVar[Event | None] = ContextVar("_stop", default=None)
"""Set when the work that this thread is part of is to end."""

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


class _StoppedError(BaseException):
    """Ends a piece of work whose result nobody waits for any more."""


def check_stop() -> None:
    """End the work at this place if Ctrl-C, or an error of the caller's, has ended the whole; called for each record.

    It does nothing outside of `try_each` and `for_each`.
    """
    stop = _stop.get()
    if stop is not None and stop.is_set():
        raise _StoppedError


@contextmanager
def named_disk_errors(place: Path | None = None) -> Iterator[None]:
    """Say what the operating system says, such as that a disk is full, as an error of slidekit.

    Parameters
    ----------
    place
        What to name where the system names nothing.

    Raises
    ------
    RecordError
        For an OSError of the block.
    """
    try:
        yield
    except OSError as error:
        what = f"cannot be written or read: {error.strerror or error}."
        place = Path(error.filename) if isinstance(error.filename, str) else place
        raise RecordError(what, mend="Check the disk, and who may write there.", path=place) from error


def try_each(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    num_workers: int | None = None,
    after: Callable[[list[tuple[Item, Result]]], None] = lambda _: None,
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
    after
        Given what succeeded, also when all ends early, by Ctrl-C or an error that is not slidekit's.

    Returns
    -------
    list, list
        Items with results and items with errors, in the order of the items. Errors of slidekit and of the operating
        system are caught, all others are the caller's, and end what is at work at its next record.
    """
    results: dict[int, Result | SlidekitError] = {}
    stop = Event()

    def attempt(number: int) -> None:
        token = _stop.set(stop)
        try:
            check_stop()
            with named_disk_errors():
                results[number] = work(items[number])
        except SlidekitError as error:
            results[number] = error
        finally:
            _stop.reset(token)

    def split() -> tuple[list[tuple[Item, Result]], list[tuple[Item, SlidekitError]]]:
        done: list[tuple[Item, Result]] = []
        failed: list[tuple[Item, SlidekitError]] = []
        for number, result in sorted(results.items(), key=lambda pair: pair[0]):
            if isinstance(result, SlidekitError):
                failed.append((items[number], result))
            else:
                done.append((items[number], result))
        return done, failed

    try:
        _run(attempt, len(items), stop, threads=min(count_threads(num_workers), max(1, len(items))))
    finally:
        done, failed = split()
        after(done)
    return done, failed


def _run(attempt: Callable[[int], None], count: int, stop: Event, *, threads: int) -> None:
    """Call a function with 0, 1 … in threads; what it raises, or Ctrl-C, ends the others as well."""
    if threads <= 1:
        for number in range(count):
            attempt(number)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="slidekit") as pool:
        futures = [pool.submit(attempt, number) for number in range(count)]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            # If all are done, that does nothing.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
    errors = [future.exception() for future in futures if not future.cancelled()]
    for error in errors:
        if error is not None and not isinstance(error, _StoppedError):
            raise error


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
        As for `try_each`, before anything is raised.

    Raises
    ------
    SlidekitError
        The only error as it is; of several the first, with the names of the others. All are in the log.
    """
    done, failed = try_each(work, items, num_workers=num_workers, after=after)
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
