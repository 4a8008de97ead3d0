"""What the machine, and the control groups (containers, batch jobs) that this process is in, leave to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

__all__ = ["MachineMemory", "cpu_quota", "machine_memory"]

_ROOT = Path("/")
_NO_LIMIT = 2**60
"""Control groups of version 1 write "no limit" as the largest number of whole pages; no machine has an exbibyte."""


@dataclass(frozen=True)
class MachineMemory:
    """Memory that this process and all others in its control groups share.

    Attributes
    ----------
    total
        Bytes that there are.
    available
        Bytes that can be had before something must be killed; what the kernel can drop, such as cached files, is among
        them.
    """

    total: int
    available: int


def cpu_quota(root: Path = _ROOT) -> float | None:
    """Cores by quota of the control groups, the smallest of those that nest; None where there is no quota.

    Reads ``cpu.max`` (version 2), ``cpu.cfs_quota_us`` and ``cpu.cfs_period_us`` (version 1), as described in the
    kernel's ``admin-guide/cgroup-v2.rst`` and ``scheduler/sched-bwc.rst``.

    Parameters
    ----------
    root
        Folder that ``/proc`` and ``/sys`` are in.
    """
    return _least(_quota(folder) for folder in _groups("cpu", root))


def machine_memory(root: Path = _ROOT) -> MachineMemory | None:
    """Memory by the kernel and by the limits of the control groups; None where there is no ``/proc/meminfo``.

    Reads ``memory.max``, ``memory.current`` (version 2), ``memory.limit_in_bytes`` and ``memory.usage_in_bytes``
    (version 1).

    Parameters
    ----------
    root
        Folder that ``/proc`` and ``/sys`` are in.
    """
    try:
        fields = _table(root / "proc/meminfo")
        total, available = fields["MemTotal:"] * 1024, fields["MemAvailable:"] * 1024
    except (OSError, KeyError):
        return None
    for folder in _groups("memory", root):
        limit = _least(_number(folder / name) for name in ("memory.max", "memory.limit_in_bytes"))
        if limit is None or limit >= _NO_LIMIT:
            continue
        total, available = min(total, int(limit)), min(available, int(limit) - _in_use(folder))
    return MachineMemory(total, max(0, available))


def _quota(folder: Path) -> float | None:
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        quota_us, period_us = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota_us / period_us if quota_us and period_us and quota_us > 0 else None


def _in_use(folder: Path) -> int:
    """Bytes of a group that cannot be dropped."""
    used = _least(_number(folder / name) for name in ("memory.current", "memory.usage_in_bytes")) or 0
    try:
        fields = _table(folder / "memory.stat")
    except OSError:
        return int(used)
    # Those of version 1 without "total" leave out the groups within.
    files = sum(fields.get(f"total_{name}", fields.get(name, 0)) for name in ("inactive_file", "active_file"))
    return max(0, int(used) - files)


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """Folders of the groups that this process is in, each with those around it; some may not exist.

    A container often sees its own group as the root of the mount, and cannot see the path that
    ``/proc/self/cgroup`` gives.
    """
    top = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = ["0::/", f"1:{controller}:/"]
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        # Version 2 has one hierarchy, which names no controllers; where version 1 is in use, too, it lies apart.
        if controllers and controller not in controllers.split(","):
            continue
        inner = PurePosixPath("/" + path.lstrip("/"))
        for mount in (top / controller, top / controllers) if controllers else (top, top / "unified"):
            for group in (inner, *inner.parents):
                if ".." not in group.parts:
                    yield mount / group.relative_to("/")


def _least(numbers: Iterator[float | None] | Iterator[int | None]) -> float | None:
    return min((number for number in numbers if number is not None), default=None)


def _number(path: Path) -> int | None:
    """The number in a file; None if there is no file, or another word in it, such as ``max``."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _table(path: Path) -> dict[str, int]:
    """Lines of a name and a number, and perhaps a unit."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}
