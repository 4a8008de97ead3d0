"""Measuring in a process of its own, as a user's would be: what other libraries left in this one changes the result."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["measure_apart"]


def measure_apart(function: str, *arguments: str | int | list[str], rounds: int) -> Any:
    """Call a function of the benchmarks in a new process.

    Parameters
    ----------
    function
        ``module.name`` in the package `benchmarks`; it returns what JSON can hold.
    *arguments
        Paths, as text, or lists of such, and numbers.
    rounds
        For the function.
    """
    scripts = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([scripts, *filter(None, sys.path)])}
    command = [sys.executable, "-m", "benchmarks.apart", function, json.dumps(arguments), str(rounds)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(run.stdout)


def _main() -> None:
    function, arguments, rounds = sys.argv[1:]
    module, name = function.split(".")
    given = map(_argument, json.loads(arguments))
    print(json.dumps(getattr(importlib.import_module(f"benchmarks.{module}"), name)(*given, rounds=int(rounds))))


def _argument(given: str | int | list[str]) -> Path | int | list[Path]:
    if isinstance(given, list):
        return [Path(one) for one in given]
    return Path(given) if isinstance(given, str) else given


if __name__ == "__main__":
    _main()
