"""Run the Groovy scripts of ``qupath/`` on stand-ins for QuPath's classes and read what they write.

Used by the tests and by ``qupath/make_pictures.py``. Needs the Debian packages groovy and libjts-java.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Job", "drawn", "image", "missing_tools", "parts_of", "read_rings", "run_jobs"]

STANDINS = Path(__file__).resolve().parent
SCRIPTS = STANDINS.parents[2] / "qupath"
JTS = (Path("/usr/share/java/jts-core.jar"), Path("/usr/share/java/jts.jar"))

Ring = list[tuple[float, float]]


@dataclass(frozen=True)
class Job:
    """One run of one script.

    Parameters
    ----------
    script
        ``modern`` (QuPath 0.2 and later), ``legacy`` (0.1.x) or ``import`` (masks into QuPath 0.2 and later).
    scenario
        What QuPath holds: ``project``, ``folder``, ``open``, ``images`` (see the stand-ins).
    open
        Overrides the open image of the scenario, by its name (modern) or id (legacy).
    result
        File for the annotations of the open image as they are after the script (import).
    times
        How often the script is run.
    """

    script: str
    scenario: Path
    open: str | None = None
    result: Path | None = None
    times: int = 1


def parts_of(shape: Any) -> list[list[list[list[float]]]]:
    """Write a shape as the stand-ins read it: parts of rings of points, outline first, not closed."""
    polygons = getattr(shape, "geoms", [shape])
    return [
        [[list(point) for point in ring.coords[:-1]] for ring in (polygon.exterior, *polygon.interiors)]
        for polygon in polygons
    ]


def drawn(kind: str, shape: Any, label: str | None = None, name: str | None = None) -> dict[str, Any]:
    """An annotation as the stand-ins read it."""
    parts = [] if shape is None else parts_of(shape) if hasattr(shape, "geom_type") else [[shape]]
    return {"kind": kind, "label": label, "name": name, "parts": parts}


def image(name: str, annotations: list[dict[str, Any]] | None, **more: Any) -> dict[str, Any]:
    """An image of a project as the stand-ins read it."""
    return {
        "id": name,
        "name": name,
        "file": f"/slides/{name}",
        "server": "openslide",
        "size": [40_000, 30_000],
        "annotations": annotations,
        "detections": [drawn("Polygon", [[5, 5], [9, 5], [9, 9]], "Cell", "never written")],
        "wrapped": [],
        **more,
    }


def missing_tools() -> str | None:
    """Say what is missing to run Groovy here, or ``None`` if nothing is."""
    if shutil.which("groovy") is None or shutil.which("java") is None:
        return "groovy and java are not installed (Debian: apt-get install groovy libjts-java)"
    if not any(jar.exists() for jar in JTS):
        return "the Java Topology Suite is not installed (Debian: apt-get install libjts-java)"
    return None


def run_jobs(jobs: list[Job], folder: Path) -> list[str]:
    """Run all jobs in one JVM and return their logs; scenario files say where the CSV files go."""
    apis = {"modern": "qupath.lib.gui.scripting.QPEx", "legacy": "qupath.lib.scripting.QPEx"}
    names = {
        "modern": "qupath_roi.groovy",
        "legacy": "qupath_roi_legacy.groovy",
        "import": "qupath_import_geojson.groovy",
    }
    logs = [folder / f"{number}.log" for number in range(len(jobs))]
    arguments = [
        {
            "standins": str(STANDINS / ("legacy" if job.script == "legacy" else "modern")),
            "api": apis["legacy" if job.script == "legacy" else "modern"],
            "script": str(SCRIPTS / names[job.script]),
            "scenario": str(job.scenario),
            "open": job.open,
            "log": str(log),
            "result": None if job.result is None else str(job.result),
            "times": job.times,
        }
        for job, log in zip(jobs, logs, strict=True)
    ]
    listing = folder / "jobs.json"
    listing.write_text(json.dumps(arguments), encoding="utf-8")
    jar = next(jar for jar in JTS if jar.exists())
    done = subprocess.run(
        ["groovy", "-cp", str(jar), str(STANDINS / "driver.groovy"), str(listing)],
        env={**os.environ, "JAVA_HOME": str(_java_home()), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"groovy failed:\n{done.stdout}\n{done.stderr}")
    return [log.read_text(encoding="utf-8") for log in logs]


def read_rings(path: Path) -> dict[str, tuple[str, Ring]]:
    """Read an ROI CSV with nothing but Python's csv module: ``{roi_name: (label, [(x, y), ...])}``."""
    rings: dict[str, tuple[str, Ring]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            _, ring = rings.setdefault(row["roi_name"], (row["label"], []))
            ring.append((float(row["x_base"]), float(row["y_base"])))
    return rings


def _java_home() -> Path:
    """Find the home of the `java` on the path; Debian's groovy guesses a folder that may not exist."""
    java = shutil.which("java")
    if java is None:
        raise RuntimeError("java is not installed")
    return Path(java).resolve().parents[1]
