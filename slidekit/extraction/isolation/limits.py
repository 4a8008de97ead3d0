"""What a slide's process may take: time without progress, and memory."""

from __future__ import annotations

import time

from slidekit.extraction.isolation.memory import FamilyMemory
from slidekit.slide.machine import MachineMemory, machine_memory
from slidekit.slide.parallel import usable_cores
from slidekit.slide.spec import ExtractionSpec

__all__ = ["ChildLimits", "GivenUpError", "is_running_out"]

_GB = 10**9
_SECONDS_BETWEEN_LOOKS = 0.1
_LONGEST_STEP = 5.0
_RESERVE_SHARE = 0.05
_LEAST_RESERVE = 256 * 2**20


class GivenUpError(Exception):
    """A process has to be ended; the text is what a report says of it, after "the process"."""


class ChildLimits:
    """Watches one slide's process.

    **Time** is counted from the last sign of progress, not from the start: a gigapixel slide on a slow network may
    rightly take hours, while a process that has hung gives no sign at all. The default of `ExtractionSpec.time_limit`
    is an hour, since masks of a slide without a pyramid are made in silence.

    **Memory**, see `FamilyMemory`, is looked at ten times a second; `ExtractionSpec.memory_limit` holds always. By
    default a process may take what there is, and is ended when it has more than its share and the machine, or its
    container, runs out: see `is_running_out`. Where there is no ``/proc`` (macOS), memory is not limited.

    Parameters
    ----------
    process
        Number of the process.
    spec
        All parameters.
    """

    def __init__(self, process: int, spec: ExtractionSpec) -> None:
        self._most_silence = spec.time_limit * 60
        self._most_memory = None if spec.memory_limit is None else spec.memory_limit * _GB
        self._workers = spec.workers or usable_cores()
        machine = machine_memory() if spec.memory_limit is None else None
        self._share = None if machine is None else machine.total / (self._workers + 1)
        self._memory = FamilyMemory(process)
        self._silence = 0.0
        self._looked = time.monotonic()

    def note_progress(self) -> None:
        """The process has given a sign of progress."""
        self._silence = 0.0

    def check(self) -> None:
        """Look, if the last look was long enough ago.

        Raises
        ------
        GivenUpError
            If a limit has been passed.
        """
        now = time.monotonic()
        passed = now - self._looked
        if passed < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked = now
        # Who suspends a batch job suspends this process with its children: that time does not count.
        self._silence += min(passed, _LONGEST_STEP)
        if self._silence > self._most_silence:
            raise GivenUpError(f"made no progress for {_duration(self._most_silence)}, and was ended")
        used = self._memory.used()
        if used is not None:
            self._check_memory(used)

    def _check_memory(self, used: int) -> None:
        if self._most_memory is not None:
            if used > self._most_memory:
                raise GivenUpError(f"needed more than {self._most_memory / _GB:.3g} GB of memory, and was ended")
            return
        # What is available takes a dozen files to find out: asked only where it matters.
        if self._share is None or used < self._share or (machine := machine_memory()) is None:
            return
        if is_running_out(used, machine, self._workers):
            raise GivenUpError(
                f"took {used / _GB:.3g} GB of memory when the {machine.total / _GB:.3g} GB of this machine ran out,"
                " and was ended"
            )


def is_running_out(used: int, machine: MachineMemory, workers: int) -> bool:
    """Whether a process must be ended before the kernel, which might take the driver, ends one of its choice.

    It must if it has more than its share, which is what each of the workers and the driver could have alike, while no
    more than a reserve is available: 5 % of the memory, and up to 10 % for who has more than twice its share, so that
    of several the greediest goes first.

    Parameters
    ----------
    used
        Bytes that the process has.
    machine
        What there is.
    workers
        Slides at a time.
    """
    shares = used * (workers + 1) / machine.total
    reserve = max(_LEAST_RESERVE, _RESERVE_SHARE * machine.total)
    return shares > 1 and machine.available < reserve * min(2, shares)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:.3g} s"
