"""Sends slides to a child that extracts them, and starts another when one ends."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.robustness.slide_corpus import Case

__all__ = ["extract_all"]

_PATIENCE = 60
"""Seconds until a slide is given up; what it may take is measured in the child."""


def _start(log: Any) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        # As a file: an installed package may be called tests, too.
        [sys.executable, Path(__file__).with_name("slide_child.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(root), *filter(None, sys.path)])},
    )


def extract_all(cases: Iterable[Case], out: Path, tile_px: int = 64) -> Iterator[tuple[Case, list[dict[str, Any]]]]:
    """Extract slides one by one.

    Yields
    ------
    (Case, list of dict)
        What `slide_child.extract` says for each scale; an empty list if the child ended.
    """
    out.mkdir(exist_ok=True)
    child = None
    with (out / "stderr.txt").open("w") as log:
        try:
            for case in cases:
                child = child or _start(log)
                assert child.stdin is not None
                assert child.stdout is not None
                request = {"path": str(case.path), "mpp": case.mpp, "tile_px": tile_px, "out": str(out)}
                request["all"] = case.how == "sound"
                child.stdin.write(json.dumps(request) + "\n")
                child.stdin.flush()
                ready, _, _ = select.select([child.stdout], [], [], _PATIENCE)
                assert ready, f"{case} took more than {_PATIENCE} s"
                answer = child.stdout.readline()
                if not answer:
                    _end(child)
                    child = None
                yield case, json.loads(answer) if answer else []
        finally:
            if child is not None:
                _end(child)


def _end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
