"""Extracts slides, one a line, in a process that a decoder may end: what the child process of a run does.

Reads lines of JSON ``{"path", "mpp", "tile_px", "out", "all"}`` and answers each with one of status, reason, counts,
seconds and growth of memory; each slide is extracted at its own resolution and at half of it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import cv2

from slidekit.extraction.one import run_job
from slidekit.pixels.discovery import slide_name
from slidekit.slide.job import SlideJob
from slidekit.slide.spec import ExtractionSpec

SCALES = (1, 2)
QC_AT = 2


def memory(field: str) -> int:
    """Bytes that the process holds (``VmRSS``), or held at most since it was asked last (``VmHWM``)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def extract(request: dict[str, Any], scale: int) -> dict[str, object]:
    """Extract a slide with tiles of `scale` times its own resolution of 0.5 µm/px; ``all`` keeps every tile."""
    path, tile_px, out = Path(request["path"]), request["tile_px"], Path(request["out"])
    spec = ExtractionSpec.create(
        tile_px=tile_px,
        tile_um=tile_px * 0.5 * scale,
        # On so small a slide one damaged tile is more of the picture that Otsu needs than may be missing.
        qc="otsu" if scale == QC_AT and not request["all"] else (),
        grayspace_fraction=1 if request["all"] else 0.6,
        img_format="png",
        max_unreadable=1.0,
        threads=1,
        report=False,
    )
    Path("/proc/self/clear_refs").write_text("5")
    # Time of the processor: others may use the machine as well.
    before, started = memory("VmRSS"), time.process_time()
    report = run_job(SlideJob(slide_name(path), path, mpp=request["mpp"], tfrecords=out / str(scale)), spec)
    return {
        "scale": scale,
        "status": report.status,
        "reason": report.reason,
        "mpp": report.mpp_x,
        "reader": report.reader,
        "counts": dict(report.counts),
        "seconds": time.process_time() - started,
        "growth": memory("VmHWM") - before,
    }


def main() -> None:
    """Answer requests until there are no more."""
    cv2.setNumThreads(1)
    replies = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        results = [extract(request, scale) for scale in SCALES]
        replies.write(json.dumps(results) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
