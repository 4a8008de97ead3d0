"""Runs of the command line that can be killed, and what they leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slidekit.demo.slides import DemoData, draw_demo_slides

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
OPTIONS = ["--tile-px", "64", "--tile-um", "32", "--qc", "otsu", "--normalizer", "reinhard", "--no-report"]


class Project:
    """A project of the demo's slides.

    Parameters
    ----------
    root
        Folder to make it in.
    slides
        Folder of slides.
    """

    def __init__(self, root: Path, slides: Path) -> None:
        self.root = root
        command = [sys.executable, "-m", "slidekit", "create", str(root), "--slides", str(slides)]
        subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
        self.records = root / "tfrecords" / "64px_32um"

    def start(self, *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "slidekit", "extract", str(self.root), *OPTIONS, *options]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=ENVIRONMENT, stdout=pipe, stderr=pipe, text=True, cwd=self.root)

    def extract(self, *options: str) -> str:
        """Run to the end; what was said."""
        run = self.start(*options)
        said, errors = run.communicate(timeout=120)
        assert run.returncode == 0, said + errors
        return said

    def contents(self) -> dict[str, bytes]:
        """Every file but what holds a time."""
        names = (path for path in self.root.rglob("*") if path.is_file() and path.name != "timings.csv")
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in names
            if not path.name.startswith(("warn_report", "settings", "datasets", "annotations"))
        }


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoData:
    return draw_demo_slides(tmp_path_factory.mktemp("demo"), size=0.5)


@pytest.fixture(scope="session")
def undisturbed(demo: DemoData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run leaves that nothing happened to."""
    project = Project(tmp_path_factory.mktemp("undisturbed") / "project", demo.slides_dir)
    project.extract()
    return project.contents()


@pytest.fixture
def project(demo: DemoData, tmp_path: Path) -> Project:
    return Project(tmp_path / "project", demo.slides_dir)


@pytest.fixture
def make_project() -> type[Project]:
    return Project
