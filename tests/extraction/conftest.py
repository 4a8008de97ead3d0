"""A small folder of slides that takes a second to extract."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from slidekit.demo.slides import DemoData, draw_demo_slides
from slidekit.extraction.runner import SlideJob
from slidekit.slide.spec import ExtractionSpec

# Children import the misbehaving QC methods from here, as they would a user's own module.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoData:
    return draw_demo_slides(tmp_path_factory.mktemp("demo"), size=0.3)


@pytest.fixture
def jobs(demo: DemoData, tmp_path: Path) -> list[SlideJob]:
    def rois(name: str) -> Path | None:
        path = demo.rois_dir / f"{name}.csv"
        return path if path.exists() else None

    folder = tmp_path / "tfrecords" / "64px_64um"
    return [SlideJob(slide.name, slide.path, rois=rois(slide.name), tfrecords=folder) for slide in demo.slides]


@pytest.fixture
def make_spec():
    def make(**options: object) -> ExtractionSpec:
        return ExtractionSpec.create(**{"tile_px": 64, "tile_um": 64, "qc": "both", "report": False, **options})

    return make


@pytest.fixture
def buffer(tmp_path: Path) -> Path:
    path = tmp_path / "buffer"
    path.mkdir()
    return path
