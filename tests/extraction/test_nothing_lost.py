"""Moments at which files could be lost, or put where they do not belong."""

from __future__ import annotations

import errno
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from slidekit.errors import SpecError
from slidekit.extraction import outcome
from slidekit.extraction.exclusive import run_exclusively
from slidekit.extraction.one import run_job
from slidekit.extraction.resume import read_report, write_spec
from slidekit.extraction.runner import run_extraction
from slidekit.slide import spool


def run(jobs, spec, **options):
    return run_extraction(jobs, spec, report_dir=jobs[0].records_dir, **options)


class KilledError(BaseException):
    pass


@pytest.fixture
def job(jobs, tmp_path):
    return replace(jobs[0], tiles=tmp_path / "tiles" / "64px_64um")


@pytest.fixture
def takes_over(job, make_spec, monkeypatch):
    """Another run takes the slide over, and finishes it, the first time that a function of the spool is called."""
    spec = make_spec(save_tiles=True)
    write_spec(job.tfrecords, spec, {})

    def arrange(name: str, error: Exception | None = None) -> None:
        real, seen = getattr(spool, name), []

        def late(*given, **options):
            if not seen:
                seen.append(True)
                (job.tfrecords / f"{job.name}.lock").unlink()
                assert run_exclusively(job, spec, lambda locked: run_job(locked, spec)).status == "done"
                if error is not None:
                    raise error
            return real(*given, **options)

        monkeypatch.setattr(spool, name, late)

    return arrange


@pytest.mark.parametrize(
    ("name", "error"),
    [("atomic_write", None), ("write_index", None), ("write_index", OSError(errno.ESTALE, "Stale file handle"))],
)
def test_who_slept_and_lost_its_lock_leaves_what_the_other_made(job, make_spec, takes_over, name, error) -> None:
    # Arrange
    takes_over(name, error)
    spec = make_spec(save_tiles=True)

    # Act
    late = run_exclusively(job, spec, lambda locked: run_job(locked, spec))

    # Assert
    assert late is None
    report = read_report(job.tfrecords / f"{job.name}.json")
    assert report.status == "done"
    assert len(list((job.tiles / job.name).iterdir())) == report.kept
    assert not list(job.tfrecords.glob("*.part"))
    (again,) = run([job], spec).values()
    assert again.status == "skipped"


@pytest.mark.parametrize(
    "suffix",
    [".tfrecords", *(pytest.param(name, marks=pytest.mark.long) for name in (".index.npz", ".tiles.csv", ".json"))],
)
def test_a_run_killed_while_old_files_are_removed_can_go_on(job, make_spec, monkeypatch, suffix: str) -> None:
    # Arrange
    spec = make_spec()
    run([job], spec)
    unlink = Path.unlink

    def die(path: Path, missing_ok: bool = False) -> None:
        unlink(path, missing_ok=missing_ok)
        if path.name == f"{job.name}{suffix}":
            raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", die)
        with pytest.raises(KilledError):
            run_job(job, make_spec(skip_extracted=False))

    # Act
    (report,) = run([job], spec).values()

    # Assert
    assert report.status == "done"


def test_records_of_somebody_else_are_not_claimed_by_loose_tiles(job, make_spec, monkeypatch) -> None:
    # Arrange
    job = replace(job, tfrecords=None)
    job.tiles.mkdir(parents=True)
    theirs = [job.tiles / f"{job.name}.tfrecords", job.tiles / f"{job.name}.index.npz"]
    for path in theirs:
        path.write_bytes(b"Slideflow's")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool.RecordSpool, "write_tiles", refuse)

    # Act
    report = run_job(job, make_spec(save_tfrecords=False, save_tiles=True))

    # Assert
    assert report.reason.startswith("The disk is full")
    assert [path.read_bytes() for path in theirs] == [b"Slideflow's"] * 2


@pytest.mark.long
def test_a_mask_that_is_named_after_its_tile_stays(job, make_spec) -> None:
    run([job], make_spec(save_tiles=True))
    tile = next((job.tiles / job.name).glob("*.jpg"))
    mask = tile.with_suffix(".png")
    mask.write_bytes(b"the user's")

    run([job], make_spec(save_tiles=True, skip_extracted=False))

    assert mask.read_bytes() == b"the user's"


@pytest.mark.long
def test_lines_that_only_python_sees_in_a_name_do_not_hide_tiles(jobs, make_spec, job, tmp_path) -> None:
    # Arrange
    job = replace(next(one for one in jobs if one.rois), tiles=job.tiles)
    text = job.rois.read_text()
    for name in {line.split(",")[0] for line in text.splitlines()[1:]}:
        text = text.replace(f"{name},", f"{name}\u2028x,")
    job = replace(job, rois=tmp_path / "rois.csv")
    job.rois.write_text(text)
    run([job], make_spec(save_tiles=True, roi_method="inside"))

    # Act
    (report,) = run([job], make_spec(save_tiles=True, roi_method="inside", img_format="png", overwrite=True)).values()

    # Assert
    assert [path.suffix for path in (job.tiles / job.name).iterdir()] == [".png"] * report.kept


def test_a_user_s_own_json_is_not_replaced(job, make_spec) -> None:
    path = job.tfrecords / f"{job.name}.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"my": "notes"}')

    (report,) = run([job], make_spec()).values()

    assert "was not made by slidekit" in report.reason
    assert path.read_text() == '{"my": "notes"}'


def test_overwrite_costs_nothing_where_the_slide_is_away(job, make_spec, tmp_path) -> None:
    # Arrange
    path = tmp_path / "share" / job.path.name
    path.parent.mkdir()
    shutil.copy(job.path, path)
    job = replace(job, path=path)
    run([job], make_spec())
    path.unlink()

    # Act
    (report,) = run([job], make_spec(overwrite=True)).values()

    # Assert
    assert report.status == "failed"
    assert (job.tfrecords / f"{job.name}.tfrecords").exists()


def test_a_qc_function_that_changes_does_not_undo_resuming(job, make_spec) -> None:
    class Lazy:
        """Loads its model when it is first called."""

        model: str | None = None

        def __call__(self, wsi) -> None:
            self.model = "loaded"

    states = [run([job], make_spec(qc=[Lazy()]))[job.path].status for _ in range(2)]

    assert states == ["done", "skipped"]


def test_another_image_under_the_name_of_the_source_is_refused(job, make_spec, tmp_path) -> None:
    # Arrange
    source, chance = tmp_path / "source.png", np.random.default_rng(0)

    def draw(red: int) -> None:
        pixels = np.clip(chance.normal([170 + red, 120, 200 - red], 25, (64, 64, 3)), 0, 255)
        cv2.imwrite(str(source), pixels.astype("uint8"))

    spec = {"normalizer": "reinhard", "normalizer_source": str(source)}
    draw(0)
    run([job], make_spec(**spec))

    # Act
    draw(40)

    # Assert
    with pytest.raises(SpecError, match="a file of the same name, with other content"):
        run([job], make_spec(**spec))


def test_a_slide_that_another_run_finished_after_it_failed_here_counts_as_finished(job, make_spec, monkeypatch) -> None:
    # Arrange: fails here, and is done by another run before this one ends
    spec = make_spec()
    from slidekit.extraction import here

    def fail_and_be_overtaken(child, lent, given, *_, **__):
        report = outcome.keep_report(lent, given, outcome.failed_report(lent, "gone for a moment."))
        assert run_job(replace(lent, claim=None), given).status == "done"
        return report

    monkeypatch.setattr(here, "extract_in_child", fail_and_be_overtaken)

    # Act
    (report,) = run([job], spec).values()

    # Assert
    assert report.status == "skipped"
    assert f"{job.name},done" in (job.tfrecords / "extraction_report.csv").read_text()
