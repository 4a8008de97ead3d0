from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from buffer_helpers import bytes_in, copies_in
from pypdf import PdfReader
from shop import QUERY, USER, Shop, open_shop

from slidekit.dataset import Dataset
from slidekit.extraction.buffer.companions import NotCopiedError, copy_files, slide_files
from slidekit.extraction.runner import SlideJob, run_extraction
from slidekit.io.url import RemotePath
from slidekit.slide.identity import has_identity, slide_identity


@pytest.fixture
def shop():
    yield open_shop()
    open_shop()


@pytest.fixture
def remote(shop: Shop, jobs: list[SlideJob]) -> list[SlideJob]:
    """Three jobs on slides of the shop."""
    for job in jobs[:3]:
        shop.pipe_file(f"/cohort/{job.path.name}", job.path.read_bytes())
    return [replace(job, path=RemotePath.of(f"shop://{USER}cohort/{job.path.name}{QUERY}")) for job in jobs[:3]]


@pytest.fixture
def spec_here(make_spec):
    """Specs whose slides are read in this process, which takes less time than children to start."""

    def nothing(wsi) -> None:
        """A QC function that no other process can have."""

    return lambda **options: make_spec(qc=["otsu", nothing], **options)


def run(jobs, spec, **options):
    reports = run_extraction(jobs, spec, report_dir=jobs[0].tfrecords, **options)
    return {report.slide: report for report in reports.values()}


def states(reports) -> list[str]:
    return [report.status for report in reports.values()]


def texts(folder: Path) -> str:
    found = (path for path in folder.rglob("*") if path.is_file())
    return "".join(path.read_bytes().decode("latin-1") for path in found)


def records(folder: Path) -> dict[str, bytes]:
    """What is the same wherever a slide lay."""
    names = (".tfrecords", ".npz", ".tiles.csv", ".jpg")
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.name.endswith(names)}


@pytest.mark.parametrize("store", [pytest.param("memory", marks=pytest.mark.long), "file"])
def test_every_byte_is_that_of_local_slides(jobs, make_spec, spec_here, buffer, tmp_path, store: str) -> None:
    # Arrange: once with children, once without
    jobs = jobs[:2]
    make = make_spec if store == "memory" else spec_here
    if store == "memory":
        folder = "memory://cohort"
        for job in jobs:
            fsspec.filesystem("memory").pipe_file(f"/cohort/{job.path.name}", job.path.read_bytes())
    else:
        folder = jobs[0].path.parent.as_uri()
    moved = [
        replace(job, path=RemotePath.of(f"{folder}/{job.path.name}"), tfrecords=tmp_path / "remote" / "64px_64um")
        for job in jobs
    ]
    seen: set[str] = set()

    # Act
    local = run(jobs, make(workers=1))
    far = run(moved, make(workers=1, buffer=buffer), on_event=lambda event: seen.update(copies_in(buffer)))

    # Assert
    without, with_store = records(jobs[0].tfrecords), records(moved[0].tfrecords)
    assert len(without) >= 10
    assert with_store == without
    assert seen == {job.path.name for job in jobs}
    assert list(buffer.iterdir()) == []
    for job, place in zip(jobs, moved, strict=True):
        assert far[job.name].path == f"{folder}/{job.path.name}"
        update = {"path": str(job.path), "seconds": local[job.name].seconds}
        assert far[job.name].model_copy(update=update) == local[job.name]
        assert slide_identity(place.path) == slide_identity(job.path) == far[job.name].identity


def test_a_run_goes_on_where_it_was_stopped(remote, spec_here, buffer, shop) -> None:
    # Arrange
    first = run(remote[:2], spec_here(buffer=buffer))
    assert states(first) == ["done", "done"]
    shop.opened.clear()

    # Act / Assert: what is finished is not copied again
    assert states(run(remote, spec_here(buffer=buffer))) == ["skipped", "skipped", "done"]
    assert shop.opened == [remote[2].path.name]

    # Act / Assert: a slide of the same size that was replaced by another
    path = f"/cohort/{remote[0].path.name}"
    data = bytearray(shop.cat_file(path))
    data[-1] ^= 1
    shop.pipe_file(path, bytes(data))
    assert states(run(remote, spec_here(buffer=buffer))) == ["done", "skipped", "skipped"]

    # Act / Assert: a store that is away costs nothing that is there
    before = records(remote[0].tfrecords)
    shop.store.clear()
    gone = run(remote, spec_here(buffer=buffer))
    assert states(gone) == ["failed"] * 3
    assert gone[remote[0].name].reason.startswith("It could not be copied to the buffer: there is no such file,")
    assert records(remote[0].tfrecords) == before


def test_an_identity_is_of_the_bytes(remote, jobs, shop) -> None:
    path, identity = remote[0].path, slide_identity(jobs[0].path)

    assert has_identity(path, identity)
    assert has_identity(jobs[0].path, identity)
    assert not has_identity(path, None)
    assert not has_identity(path, "1-" + identity.partition("-")[2])
    assert not has_identity(remote[1].path, identity)
    assert not has_identity(RemotePath.of("shop://cohort/gone.svs"), identity)
    assert not has_identity(jobs[0].path / "gone", identity)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (OSError(104, "Connection reset by peer"), "Connection reset by peer"),
        (RuntimeError(f"https://{USER}host/a.svs"), "RuntimeError"),
        (1000, "it changed while it was copied"),
        pytest.param(
            TypeError("nobody foresaw it"),
            "copying it broke off",
            marks=pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
        ),
    ],
)
def test_a_copy_that_breaks_off_fails_its_slide_alone(remote, spec_here, buffer, shop, caplog, fault, why) -> None:
    caplog.set_level(logging.DEBUG)
    shop.faults[remote[0].path.name] = fault

    reports = run(remote, spec_here(buffer=buffer))

    assert reports[remote[0].name].status == "failed"
    assert reports[remote[0].name].reason == f"It could not be copied to the buffer: {why}."
    assert states(reports)[1:] == ["done", "done"]
    assert list(buffer.iterdir()) == []
    assert (remote[0].tfrecords / f"{remote[0].name}.json").is_file()
    assert "secret" not in texts(remote[0].tfrecords) + caplog.text + repr(reports)


@pytest.mark.long
def test_a_slide_waits_for_room_and_one_that_is_too_large_fails(remote, make_spec, buffer, jobs) -> None:
    # Arrange: room for one slide at a time, but for the largest
    sizes = {job.name: job.path.stat().st_size for job in jobs[:3]}
    largest = max(sizes, key=sizes.__getitem__)
    most = sorted(sizes.values())[1]
    held: list[int] = []

    # Act
    reports = run(
        remote,
        make_spec(buffer=buffer, buffer_gb=most / 1e9, workers=3),
        on_event=lambda event: held.append(bytes_in(buffer)),
    )

    # Assert
    assert {name for name, report in reports.items() if report.status == "failed"} == {largest}
    assert "GB of the buffer" in reports[largest].reason
    assert 0 < max(held) <= most


def test_slides_without_regions_are_not_copied_where_these_are_demanded(remote, spec_here, buffer, shop) -> None:
    jobs = [replace(job, rois=None) for job in remote[:1]]

    (report,) = run(jobs, spec_here(buffer=buffer, roi_method="inside")).values()

    assert report.status == "skipped"
    assert report.reason.startswith("No regions of interest.")
    assert shop.opened == []


def test_jobs_without_a_buffer_fail_by_name(remote, spec_here) -> None:
    (report,) = run(remote[:1], spec_here()).values()

    assert report.status == "failed"
    assert "give buffer (--buffer)" in report.reason


def test_a_buffer_that_cannot_be_made_fails_remote_slides(remote, spec_here, buffer, monkeypatch) -> None:
    def full(*given, **options) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("slidekit.extraction.buffer.folder.tempfile.mkdtemp", full)

    assert states(run(remote[:1], spec_here(buffer=buffer))) == ["failed"]


def test_a_dataset_of_a_url_says_no_secrets(remote, buffer, tmp_path, caplog, monkeypatch) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "out"
    dataset = Dataset(slides=f"shop://{USER}cohort", tfrecords=folder, tile_px=64, tile_um=64)

    reports = dataset.extract_tiles(buffer=buffer, qc="both", workers=2)

    assert [str(path) for path in reports] == [f"shop://cohort/{job.path.name}" for job in remote]
    assert {report.status for report in reports.values()} == {"done"}
    (pdf,) = folder.rglob("*.pdf")
    shown = "".join(page.extract_text() for page in PdfReader(pdf).pages)
    assert remote[0].name in shown
    assert "secret" not in texts(folder) + shown + caplog.text + repr(reports) + repr(dataset)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["buffer", "out"]


def test_mirax_is_copied_with_its_folder(shop, tmp_path) -> None:
    for name in ("a.mrxs", "a/Slidedat.ini", "a/deep/er.dat", "ab.mrxs", "ab/Slidedat.ini"):
        shop.pipe_file(f"/cohort/{name}", name.encode())
    files = slide_files(RemotePath.of(f"shop://{USER}cohort/a.mrxs"))

    copy_files(files, tmp_path / "copy", going=lambda: True)

    copied = {path: path.read_bytes().decode() for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path / "copy").as_posix(): text for path, text in copied.items()} == {
        name: name for name in ("a.mrxs", "a/Slidedat.ini", "a/deep/er.dat")
    }


@pytest.mark.parametrize("name", ["a.vms", "a.VMU", "a.dcm", f"a.mrxs{QUERY}"])
def test_slides_whose_files_are_not_known_are_not_copied(shop, name: str) -> None:
    shop.pipe_file(f"/cohort/{name.partition('?')[0]}", b"x")

    with pytest.raises(NotCopiedError, match=r"several files|MIRAX"):
        slide_files(RemotePath.of(f"shop://cohort/{name}"))
