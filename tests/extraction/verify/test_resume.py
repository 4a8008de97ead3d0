"""What `slidekit verify` says to do about a fault helps: an extraction with `verify` mends it, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from slidekit.extraction.one import run_job
from slidekit.extraction.outputs import write_manifests
from slidekit.extraction.resume import finished_report, write_spec
from slidekit.extraction.verify.folder import verify_folder
from slidekit.io.tfrecord import index_path, read_index, write_index
from slidekit.slide.job import SlideJob
from slidekit.slide.spec import ExtractionSpec


def content(folder: Path) -> dict[str, bytes]:
    suffixes = (".tfrecords", ".npz", ".json", ".tiles.csv", ".jpg")
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.name.endswith(suffixes)
    }


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def misplace(path: Path) -> None:
    index = read_index(index_path(path))
    assert index.locations is not None
    index.locations[0] += 1
    write_index(index_path(path), index)


def forget_a_row(path: Path) -> None:
    table = path.with_suffix(".tiles.csv")
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))


def lose_a_loose_tile(path: Path) -> None:
    next((path.parents[2] / "tiles" / path.parent.name / path.stem).iterdir()).unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: int(read_index(index_path(path)).extents[-1, 0])])


def extract(jobs: Sequence[SlideJob], spec: ExtractionSpec) -> dict[str, str]:
    """What a run does, in this process: starting others is most of the time of a run over small slides."""
    assert jobs[0].tfrecords is not None
    write_spec(jobs[0].tfrecords, spec, {})
    states = {
        job.name: "skipped" if finished_report(job, spec) is not None else run_job(job, spec).status for job in jobs
    }
    write_manifests(jobs, spec)
    return states


@pytest.fixture
def extracted(jobs, make_spec, tmp_path: Path) -> list[SlideJob]:
    """Four slides with tiles, and one without, records and loose tiles."""
    jobs = [replace(job, tiles=tmp_path / "tiles" / "64px_64um") for job in jobs]
    extract(jobs, make_spec(save_tiles=True))
    assert verify_folder(tmp_path).is_whole
    return jobs


def test_damage_of_equal_size_is_mended_as_verify_says(extracted, make_spec, tmp_path: Path) -> None:
    # Arrange
    made = sorted(extracted[0].tfrecords.glob("*.tfrecords"))
    before = content(tmp_path)
    for path, damage in zip(made, (flip, misplace, forget_a_row, lose_a_loose_tile), strict=True):
        damage(path)

    # Act
    found = verify_folder(tmp_path, fast=True)
    without = extract(extracted, make_spec(save_tiles=True))
    states = extract(extracted, make_spec(save_tiles=True, verify=True))

    # Assert
    assert len(found.faults) == 4
    assert all("--verify" in fault.mend for fault in found.faults)
    assert set(without.values()) == {"skipped"}
    assert states == {job.name: "done" if job.name in {path.stem for path in made} else "skipped" for job in extracted}
    assert verify_folder(tmp_path).is_whole
    assert content(tmp_path) == before


def test_files_that_are_cut_or_gone_are_mended_as_verify_says(extracted, make_spec, tmp_path: Path) -> None:
    # Arrange
    made = sorted(extracted[0].tfrecords.glob("*.tfrecords"))
    before = content(tmp_path)
    cut(made[0])
    made[1].unlink()
    index_path(made[2]).unlink()
    made[3].with_suffix(".tiles.csv").unlink()

    # Act
    found = verify_folder(tmp_path, fast=True)
    extract(extracted, make_spec(save_tiles=True, verify=True))

    # Assert
    assert len(found.faults) == 4
    assert all("--verify" in fault.mend for fault in found.faults)
    assert content(tmp_path) == before


def test_damaged_loose_tiles_are_mended_as_verify_says(extracted, make_spec, tmp_path: Path) -> None:
    # Arrange
    job = extracted[0]
    loose = job.tiles / job.name
    before = content(tmp_path)
    tile = next(loose.iterdir())
    tile.write_bytes(tile.read_bytes()[:-9])

    # Act
    (fault,) = verify_folder(tmp_path).faults
    loose.rename(tmp_path.parent / f"{tmp_path.name}-moved")
    extract(extracted[:1], make_spec(save_tiles=True))

    # Assert
    assert "Move the folder away" in fault.mend
    assert content(tmp_path) == before


def test_records_that_lost_their_report_are_mended_as_verify_says(jobs, make_spec, tmp_path: Path) -> None:
    # Arrange
    job = jobs[0]
    folder = job.tfrecords
    extract([job], make_spec())
    before = content(folder)
    (folder / f"{job.name}.json").unlink()

    # Act
    (fault,) = verify_folder(folder).faults
    for suffix in (".tfrecords", ".index.npz"):
        (folder / f"{job.name}{suffix}").rename(tmp_path / f"moved{suffix}")
    extract([job], make_spec())

    # Assert
    assert "Move it away" in fault.mend
    assert content(folder) == before


@pytest.mark.realdata
def test_records_of_a_real_slide_are_whole(real_data: Path, make_spec, tmp_path: Path) -> None:
    folder = tmp_path / "256px_256um"
    slide = real_data / "slides" / "CMU-1-Small-Region.svs"
    extract([SlideJob(slide.stem, slide, tfrecords=folder)], make_spec(tile_px=256, tile_um=256, qc=None))

    found = verify_folder(tmp_path)

    assert found.is_whole
    assert found.records > 5
    flip(folder / f"{slide.stem}.tfrecords")
    assert len(verify_folder(tmp_path).faults) == 1
