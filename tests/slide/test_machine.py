"""Cores and memory as control groups of both versions give them; real trees of files stand in for the kernel's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slidekit.slide import parallel
from slidekit.slide.machine import MachineMemory, cpu_quota, machine_memory
from slidekit.slide.parallel import usable_cores

KB, MB = 2**10, 2**20
V1_NO_LIMIT = "9223372036854771712"


def make_files(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


QUOTAS = {
    "no groups": ({}, None),
    "version 2, a container": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
    "version 2, none": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, None),
    "version 2, nested: the smallest": (
        {
            "proc/self/cgroup": "0::/system.slice/job",
            "sys/fs/cgroup/system.slice/job/cpu.max": "400000 100000",
            "sys/fs/cgroup/system.slice/cpu.max": "200000 100000",
            "sys/fs/cgroup/other/cpu.max": "100000 100000",
        },
        2,
    ),
    "version 2 beside version 1": (
        {
            "proc/self/cgroup": "1:name=systemd:/job\n0::/job",
            "sys/fs/cgroup/unified/job/cpu.max": "300000 100000",
        },
        3,
    ),
    "version 1, a container that sees only itself": (
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/docker/0123",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
        2.5,
    ),
    "version 1, nested": (
        {
            "proc/self/cgroup": "3:cpu,cpuacct:/slurm/job_1\n2:memory:/slurm/job_1",
            "sys/fs/cgroup/cpu,cpuacct/slurm/job_1/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu,cpuacct/slurm/job_1/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_period_us": "100000",
        },
        0.5,
    ),
    "version 1, none": (
        {
            "proc/self/cgroup": "1:cpu:/",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
        None,
    ),
    "no list of groups": ({"sys/fs/cgroup/cpu.max": "200000 100000"}, 2),
    "a group outside of what can be seen": (
        {"proc/self/cgroup": "0::/../../other", "sys/fs/cgroup/cpu.max": "200000 100000"},
        2,
    ),
    "nonsense": ({"proc/self/cgroup": "0::/\nwhat\n\n", "sys/fs/cgroup/cpu.max": "some more words"}, None),
}


@pytest.mark.parametrize("case", QUOTAS)
def test_quota(tmp_path, case: str) -> None:
    files, quota = QUOTAS[case]
    assert cpu_quota(make_files(tmp_path, files)) == quota


@pytest.mark.parametrize(("quota", "cores"), [(None, 4), (0.2, 1), (1.5, 2), (3.0, 3), (100.0, 4)])
def test_cores(monkeypatch, quota: float | None, cores: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 4, 6}, raising=False)
    monkeypatch.setattr(parallel, "cpu_quota", lambda: quota)
    assert usable_cores() == cores


MEMINFO = f"MemTotal:       {1000 * MB // KB} kB\nMemFree:   1 kB\nMemAvailable:   {600 * MB // KB} kB"

MEMORIES = {
    "a bare machine": ({}, (1000, 600)),
    "version 2, without limit": ({"sys/fs/cgroup/memory.max": "max"}, (1000, 600)),
    "version 2": (
        {
            "proc/self/cgroup": "0::/",
            "sys/fs/cgroup/memory.max": str(300 * MB),
            "sys/fs/cgroup/memory.current": str(250 * MB),
            "sys/fs/cgroup/memory.stat": f"anon {150 * MB}\nfile {100 * MB}\ninactive_file {60 * MB}"
            f"\nactive_file {30 * MB}\nshmem {10 * MB}",
        },
        (300, 140),
    ),
    "version 2, the group around it is fuller": (
        {
            "proc/self/cgroup": "0::/a/b",
            "sys/fs/cgroup/a/b/memory.max": str(300 * MB),
            "sys/fs/cgroup/a/b/memory.current": str(100 * MB),
            "sys/fs/cgroup/a/memory.max": str(500 * MB),
            "sys/fs/cgroup/a/memory.current": str(450 * MB),
        },
        (300, 50),
    ),
    "version 1": (
        {
            "proc/self/cgroup": "4:memory:/slurm/job_1",
            "sys/fs/cgroup/memory/slurm/job_1/memory.limit_in_bytes": str(400 * MB),
            "sys/fs/cgroup/memory/slurm/job_1/memory.usage_in_bytes": str(390 * MB),
            "sys/fs/cgroup/memory/slurm/job_1/memory.stat": f"inactive_file 0\nactive_file 0"
            f"\ntotal_inactive_file {100 * MB}\ntotal_active_file {20 * MB}",
            "sys/fs/cgroup/memory/slurm/memory.limit_in_bytes": V1_NO_LIMIT,
            "sys/fs/cgroup/memory/slurm/memory.usage_in_bytes": str(5000 * MB),
        },
        (400, 130),
    ),
    "full": (
        {
            "sys/fs/cgroup/memory.max": str(300 * MB),
            "sys/fs/cgroup/memory.current": str(301 * MB),
        },
        (300, 0),
    ),
}


@pytest.mark.parametrize("case", MEMORIES)
def test_memory(tmp_path, case: str) -> None:
    files, (total, available) = MEMORIES[case]
    root = make_files(tmp_path, {"proc/meminfo": MEMINFO, **files})
    assert machine_memory(root) == MachineMemory(total * MB, available * MB)


def test_a_system_that_does_not_tell(tmp_path) -> None:
    assert machine_memory(tmp_path) is None


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="memory is read from /proc")
def test_this_machine() -> None:
    memory = machine_memory()
    assert memory is not None
    assert 0 <= memory.available <= memory.total
