"""Reads a damaged file as slidekit does, and says what became of it; whatever must not happen is an AssertionError."""

from __future__ import annotations

import io
import json
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import numpy as np

from slidekit.annotations import Annotations
from slidekit.collection.config import read_settings, read_sources
from slidekit.collection.filters import read_decisions
from slidekit.collection.tile_counts import count_tiles
from slidekit.errors import SlidekitError
from slidekit.extraction.resume import check_same_spec, read_report, read_spec
from slidekit.io.tfrecord import TileRecord, iter_records, read_index, read_record_at
from slidekit.report.review import read_review
from slidekit.slide.roi import load_rois
from tests.robustness.file_oracles import assert_same_regions, json_of, table_of
from tests.robustness.file_samples import PAYLOADS, SPEC, samples

__all__ = ["EQUAL", "ERROR", "PROBLEMS", "judge"]

ERROR, PROBLEMS, EQUAL = "clean error", "problems reported", "accepted and equal"

Content = TypeVar("Content")

MOST_SECONDS, MOST_GROWTH = 10.0, 1 << 30
"""Of the processor and not of the clock, for others work on the machine; bytes above what was used before."""


def judge(kind: str, path: Path) -> str:
    """Read a file.

    Parameters
    ----------
    kind
        As in `samples`.
    path
        The damaged file, in a folder of its own.

    Returns
    -------
    str
        `ERROR`, `PROBLEMS` or `EQUAL`.

    Raises
    ------
    AssertionError
        If the error has no place or no mend, what was accepted is not what others read, or it took too much.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return _JUDGES.get(kind, _judge_rois)(path, kind)
    except SlidekitError as error:
        refusal = error
    _check_error(refusal, path)
    return ERROR


def _read(reader: Callable[[Path], Content], path: Path) -> Content:
    """Read within limits, whether it succeeds or not."""
    before, started = _high_water(), time.process_time()
    try:
        return reader(path)
    finally:
        seconds, growth = time.process_time() - started, _high_water(reset=False) - before
        assert seconds < MOST_SECONDS, f"{seconds:.1f} s"
        assert growth < MOST_GROWTH, f"{growth >> 20} MiB"


def _check_error(error: SlidekitError, path: Path) -> None:
    assert error.path in (path, path.parent), f"no place: {error}"
    assert error.mend, f"no mend: {error}"
    assert "\0" not in error.message, f"not printable: {error}"


def _high_water(*, reset: bool = True) -> int:
    """Most memory since the last reset, bytes (Linux; proc(5))."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def _judge_rois(path: Path, kind: str) -> str:
    found = _read(load_rois, path)
    names = [roi.name for roi in found]
    assert len(set(names)) == len(names)
    for roi in found:
        assert roi.polygon.is_valid
        assert np.isfinite(roi.polygon.bounds).all()
        for text in (roi.name, roi.label or "-"):
            assert text.encode()
            assert text == text.strip()
            assert len(text) <= 230
            assert not any(ord(letter) < 32 for letter in text)
    if found.problems:
        assert all(problem.path == path and problem.what for problem in found.problems)
        return PROBLEMS
    assert_same_regions(found, path, kind)
    return EQUAL


def _judge_annotations(path: Path, kind: str) -> str:
    table = _read(Annotations.read, path)
    if table.notes:
        return PROBLEMS
    frame = table_of(path)
    assert table.patients == dict(zip(frame["slide"], frame["patient"], strict=True))
    return EQUAL


def _judge_review(path: Path, kind: str) -> str:
    rows = _read(read_review, path)
    if rows:
        read_decisions(path)
    text = path.read_bytes().decode("utf-8-sig")
    first = text.lstrip().splitlines()[0] if text.strip() else ","
    lines = [line for line in text.splitlines() if line.strip(" ,;\t")]
    if not rows:
        assert len(lines) <= 1
        return EQUAL
    frame = table_of(path, max(",;\t", key=first.count)).rename(columns=str.lower)
    assert [row.slide.strip() for row in rows] == list(frame["slide"])
    assert [row.decision.strip() for row in rows] == list(frame["decision"])
    return EQUAL


def _judge_settings(path: Path, kind: str) -> str:
    settings, content = _read(read_settings, path).model_dump(), json_of(path)
    assert {name: settings[name] for name in content} == content
    return EQUAL


def _judge_datasets(path: Path, kind: str) -> str:
    found, content = _read(read_sources, path), json_of(path)
    assert {name: {key: entry.model_dump()[key] for key in content[name]} for name, entry in found.items()} == content
    return EQUAL


def _judge_report(path: Path, kind: str) -> str:
    report = _read(read_report, path)
    if report is None:
        return ERROR  # not ours, then: the slide is extracted again, and verify names it
    names = [report.slide] + ([] if report.records is None else [report.records.name])
    assert all(path.parent / name == path.parent / Path(name).name for name in names), names
    assert not {".", ".."} & set(names)
    content = json_of(path)
    assert (report.slide, report.status, report.kept) == (
        content["slide"],
        content["status"],
        content.get("counts", {}).get("kept", 0),
    )
    return EQUAL


def _judge_extraction(path: Path, kind: str) -> str:
    (path.parent / "s.json").write_bytes(samples()["report"][1])
    _read(read_spec, path.parent)
    # Other parameters are refused with what differs; damage as such is an error, too.
    check_same_spec(path.parent, SPEC, ["s"])
    spec = json_of(path)["spec"]
    assert {name: spec.get(name) for name in SPEC.canonical()} == json.loads(json.dumps(SPEC.canonical()))
    return EQUAL


def _judge_manifest(path: Path, kind: str) -> str:
    records = path.with_name("s.tfrecords")
    records.write_bytes(samples()["tfrecord"][1])
    count = _read(lambda place: count_tiles([place]), records)[records]
    if count == len(PAYLOADS):
        return EQUAL
    assert count == json_of(path)[records.name]["total"]
    return EQUAL


def _judge_tfrecord(path: Path, kind: str) -> str:
    read = []
    try:
        for _, payload in iter_records(path):
            read.append(payload)
            TileRecord.decode(payload, path=path)
    finally:
        twice = [*PAYLOADS, *PAYLOADS]
        assert read == twice[: len(read)] or len(read) == 1
    return EQUAL


def _judge_index(path: Path, kind: str) -> str:
    index = _read(read_index, path)
    with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
        assert np.array_equal(index.extents, arrays["arr_0"])
        assert index.locations is None or np.array_equal(index.locations, arrays["locations"])
    records = path.with_name("s.tfrecords")
    records.write_bytes(samples()["tfrecord"][1])
    for number, (offset, _) in enumerate(index.extents.tolist()):
        with suppress(SlidekitError):
            assert read_record_at(records, offset).encode() == PAYLOADS[number]
    return EQUAL


_JUDGES: dict[str, Callable[[Path, str], str]] = {
    "annotations": _judge_annotations,
    "review": _judge_review,
    "settings": _judge_settings,
    "datasets": _judge_datasets,
    "report": _judge_report,
    "extraction": _judge_extraction,
    "manifest": _judge_manifest,
    "tfrecord": _judge_tfrecord,
    "index": _judge_index,
}
