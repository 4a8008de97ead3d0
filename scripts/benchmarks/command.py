"""The whole command, from the start of the process to its exit: a slide of glass, a real run, threads, growth."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["IMPORTS", "Run", "run_extract", "run_imports"]

IMPORTS = "import cv2, pyvips, pandas, reportlab"


@dataclass(frozen=True)
class Run:
    """One process: seconds of wall time and of CPU, children included; greatest resident memory of one, MB."""

    wall: float
    cpu: float
    peak: float

    @staticmethod
    def median(runs: list[Run]) -> Run:
        """Each figure's median; the greatest memory."""
        return Run(
            statistics.median(run.wall for run in runs),
            statistics.median(run.cpu for run in runs),
            max(run.peak for run in runs),
        )


def run_imports() -> Run:
    """Python, importing what the command cannot do without."""
    return _run([sys.executable, "-c", IMPORTS])


def run_extract(
    slides: Path, scratch: Path, *, options: tuple[str, ...] = (), size: tuple[int, float] = (256, 128)
) -> Run:
    """``slidekit extract`` on a folder of slides in a new project."""
    project = scratch / "project"
    shutil.rmtree(project, ignore_errors=True)
    command = [sys.executable, "-m", "slidekit"]
    _run([*command, "create", str(project), "--slides", str(slides)])
    sizes = ["--tile-px", str(size[0]), "--tile-um", str(size[1])]
    return _run([*command, "extract", str(project), *sizes, "--qc", "otsu", *options])


_LAUNCHER = """
import json, os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
wall = time.perf_counter() - started
print(json.dumps([os.waitstatus_to_exitcode(status), wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
"""Linux counts the memory of whoever starts a process as the process's own until it has more: a small one starts it.

What a process is said to have used holds what its children have, once it has waited for them.
"""


def _run(command: list[str]) -> Run:
    # As an installed package runs: compiled modules are kept from one run to the next.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", _LAUNCHER, *command], env=environment, capture_output=True, text=True, check=True
    )
    code, wall, cpu, peak = json.loads(done.stdout)
    if code:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return Run(wall, cpu, peak)
