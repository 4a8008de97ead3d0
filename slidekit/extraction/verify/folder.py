"""Whether everything that was extracted is there and whole; nothing is changed, whatever is found."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from slidekit.errors import DatasetError
from slidekit.extraction.verify.faults import Fault
from slidekit.extraction.verify.images import decode_strictly
from slidekit.extraction.verify.manifest import folder_faults
from slidekit.extraction.verify.slide import SlideCheck
from slidekit.extraction.verify.survey import survey
from slidekit.extraction.verify.task import SlideTask, plan_tasks
from slidekit.slide.parallel import usable_cores

__all__ = ["Fault", "Verification", "verify_folder"]


@dataclass(frozen=True)
class Verification:
    """What was found in a folder.

    Attributes
    ----------
    folder
        The folder that was searched, with all below it.
    faults
        What is wrong, by path.
    leftovers
        Files of runs that were cut off, or are at work: no faults.
    failed
        Reports of slides that say themselves that they could not be extracted: no faults either.
    unchecked
        TFRecord files of slides whose loose tiles are not below `folder`, and were not looked at.
    files, records, size
        Number of TFRecord files, of whole records in them, and bytes.
    """

    folder: Path
    faults: tuple[Fault, ...]
    leftovers: tuple[Path, ...]
    failed: tuple[Path, ...]
    unchecked: tuple[Path, ...]
    files: int
    records: int
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether there are no faults."""
        return not self.faults


def verify_folder(
    folder: str | Path, *, fast: bool = False, on_file: Callable[[Path, int, int], None] | None = None
) -> Verification:
    """Check every TFRecord file in a folder and below it against all that is known of it.

    Of each record the CRCs, the slide's name and the image; of each file count, offsets, sizes and places of tiles
    against its index, count, size and SHA-256 against ``{slide}.json``, kept tiles against ``{slide}.tiles.csv``,
    count against ``manifest.json``; loose tiles where they were written. Slideflow's files are checked by what they
    have. One record a thread is in memory at a time. Nothing is written or removed.

    Parameters
    ----------
    folder
        A project, or any folder.
    fast
        Leave images undecoded.
    on_file
        Called after each slide with its TFRecord file, the number of slides that are done, and that of all.

    Raises
    ------
    DatasetError
        If it is not a folder, or there are neither TFRecords nor reports of slides in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DatasetError("is not a folder.", mend="Name a project, or a folder of TFRecords.", path=root)
    found = survey(root)
    faults = list(found.faults)
    tasks = [task for one in found.folders for task in plan_tasks(one, found)]
    if not tasks and not faults and not any(one.indexes for one in found.folders):
        raise DatasetError("holds no TFRecords.", mend="Name a project, or a folder of TFRecords.", path=root)
    counts: dict[Path, dict[str, int | None]] = {one.path: {} for one in found.folders}
    files = records = size = 0
    with closing(_run(tasks, fast=fast)) as checks:
        for done, (task, check) in enumerate(zip(tasks, checks, strict=True), start=1):
            faults += check.faults
            if check.faults:
                counts[task.folder.path][task.tfrecord.name] = None
            if (file := check.records) is not None:
                counts[task.folder.path].setdefault(task.tfrecord.name, file.records)
                files, records, size = files + 1, records + file.records, size + file.size
            if on_file is not None:
                on_file(task.tfrecord, done, len(tasks))
    for one in found.folders:
        faults += folder_faults(one, counts[one.path])
    return Verification(
        root,
        tuple(sorted(faults, key=lambda fault: fault.path)),
        tuple(found.leftovers),
        tuple(task.folder.path / f"{task.slide}.json" for task in tasks if task.has_failed),
        tuple(task.tfrecord for task in tasks if task.loose_is_lost),
        files,
        records,
        size,
    )


def _run(tasks: Sequence[SlideTask], *, fast: bool) -> Generator[SlideCheck, None, None]:
    """Look at slides in threads; results come in the order of the tasks."""
    decode = None if fast else decode_strictly
    stop = threading.Event()
    if len(tasks) == 1:
        yield tasks[0].run(decode=decode, stopped=stop.is_set)
        return
    with ThreadPoolExecutor(usable_cores(), thread_name_prefix="slidekit-verify") as pool:
        waiting = deque(pool.submit(task.run, decode=decode, stopped=stop.is_set) for task in tasks)
        try:
            while waiting:
                yield waiting.popleft().result()
        finally:
            # On Ctrl-C every thread ends after the record that it is at.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
