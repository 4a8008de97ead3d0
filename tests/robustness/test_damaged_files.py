"""Annotation files, tables, settings and records that are damaged: a clean error, reported problems, or the truth.

With ``--log-cli-level=INFO`` the tests say how many files ended how, the figures of `docs/reliability.md`.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slidekit.annotations import Annotations
from slidekit.collection.config import read_settings
from slidekit.errors import SlidekitError
from slidekit.extraction.resume import read_reports
from slidekit.io.tfrecord import iter_records, read_index
from slidekit.report import SlidePictures, write_report, write_tables
from slidekit.report.review import read_review
from slidekit.slide.report_model import SlideReport
from slidekit.slide.roi import ROISet, load_rois
from tests.robustness.file_judges import EQUAL, ERROR, PROBLEMS, judge
from tests.robustness.file_mutations import Case, corpus, share
from tests.robustness.file_samples import samples

_log = logging.getLogger("slidekit.tests")

NO_FIXTURE_CHECK = [HealthCheck.function_scoped_fixture]


def summarise(endings: Counter[tuple[str, str]]) -> str:
    """Counts of kind and ending as the lines of a table in Markdown."""
    words = (ERROR, PROBLEMS, EQUAL)
    lines = [f"| kind of file | damaged | {' | '.join(words)} |", "|---|---|---|---|---|"]
    kinds = list(dict.fromkeys(kind for kind, _ in endings))
    for kind in kinds:
        counts = [endings[kind, word] for word in words]
        lines.append(f"| {kind} | {sum(counts)} | {' | '.join(map(str, counts))} |")
    totals = [sum(endings[kind, word] for kind in kinds) for word in words]
    return "\n".join([*lines, f"| all | {sum(totals)} | {' | '.join(map(str, totals))} |"])


def judge_all(cases: Sequence[Case], folder: Path) -> Counter[tuple[str, str]]:
    """Judge each case in a folder of its own; fail with all that went wrong."""
    endings: Counter[tuple[str, str]] = Counter()
    wrong = []
    for case in cases:
        place = folder / "case"
        place.mkdir()
        path = place / case.file
        path.write_bytes(case.content())
        try:
            endings[case.kind, judge(case.kind, path)] += 1
        except Exception as error:  # noqa: BLE001 - what is unforeseen is what the test is looking for
            wrong.append(f"{case}: {type(error).__name__}: {str(error)[:300]}")
        shutil.rmtree(place)
    assert not wrong, "\n".join(wrong)
    return endings


@pytest.mark.parametrize("kind", samples())
def test_a_whole_file_of_each_kind_is_accepted_and_equal(kind, tmp_path):
    name, content = samples()[kind]
    (tmp_path / name).write_bytes(content)

    assert judge(kind, tmp_path / name) == EQUAL


def test_some_damaged_files(tmp_path):
    cases = share(corpus(), 70)

    endings = judge_all(cases, tmp_path)

    assert endings.total() == 70
    assert {ending for _, ending in endings} == {ERROR, PROBLEMS, EQUAL}


@pytest.mark.long
def test_all_damaged_files(tmp_path):
    cases = corpus(large=True)

    endings = judge_all(cases, tmp_path)

    _log.info("%d damaged files:\n%s", len(cases), summarise(endings))
    assert len(cases) >= 500
    assert sum(endings[kind, EQUAL] for kind in samples()) < len(cases) / 2


PARSERS = {
    "s.csv": load_rois,
    "s.geojson": load_rois,
    "s.xml": load_rois,
    "annotations.csv": Annotations.read,
    "settings.json": read_settings,
    "review.csv": read_review,
    "s.index.npz": read_index,
    "s.tfrecords": lambda path: list(iter_records(path)),
}


def read_or_refuse(path: Path, content: bytes) -> object:
    """Content of a file, or the error that it gives, which must have a mend."""
    path.write_bytes(content)
    try:
        return PARSERS[path.name](path)
    except SlidekitError as error:
        refusal = error
    assert refusal.path == path
    assert refusal.mend
    return refusal


@pytest.mark.parametrize("name", PARSERS)
@settings(deadline=None, max_examples=25, suppress_health_check=NO_FIXTURE_CHECK)
@given(
    front=st.sampled_from([b"", b"<Annotations>", b'{"features":[', b"\xff\xfe", b"PK\x03\x04"]), content=st.binary()
)
def test_any_bytes(name, tmp_path, front, content):
    read_or_refuse(tmp_path / name, front + content)


@pytest.mark.parametrize("name", ["s.csv", "annotations.csv", "review.csv"])
@settings(deadline=None, max_examples=25, suppress_health_check=NO_FIXTURE_CHECK)
@given(rows=st.lists(st.lists(st.text(max_size=6) | st.floats().map(str), max_size=5), max_size=6))
def test_any_table(name, tmp_path, rows):
    head = {"s.csv": "roi_name,x_base,y_base", "annotations.csv": "slide,patient,mpp"}.get(name, "slide,decision,flag")

    read_or_refuse(tmp_path / name, "\n".join([head, *(",".join(row) for row in rows)]).encode())


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=80, suppress_health_check=NO_FIXTURE_CHECK)
@given(
    kind=st.sampled_from(["Polygon", "MultiPolygon", "GeometryCollection", "Point"]) | ANY_JSON,
    coordinates=ANY_JSON,
    properties=ANY_JSON,
)
def test_any_json_for_the_parts_of_a_feature(tmp_path, kind, coordinates, properties):
    feature = {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}
    whole = {"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}, "properties": {}}

    found = read_or_refuse(tmp_path / "s.geojson", json.dumps([feature, whole]).encode())

    assert isinstance(found, ROISet)
    assert found.rois[-1].polygon.area == 40.5


@settings(deadline=None, max_examples=40, suppress_health_check=NO_FIXTURE_CHECK)
@given(content=st.dictionaries(st.sampled_from(["name", "annotations", "sources", "eval_dir", "x"]), ANY_JSON))
def test_any_json_for_settings(tmp_path, content):
    read_or_refuse(tmp_path / "settings.json", json.dumps(content).encode())


def test_what_is_no_regular_file_is_an_error(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, target in (("loop", "loop"), ("lost", "nowhere"), ("to-folder", "folder"), ("to-pipe", "pipe")):
        (tmp_path / name).symlink_to(target)
    readers = [*PARSERS.values()]

    for place in (*tmp_path.iterdir(), Path("/dev/zero"), Path("a\0b"), tmp_path / ("x" * 300)):
        for read in readers:
            with pytest.raises(SlidekitError) as caught:
                read(place)
            assert caught.value.mend


@pytest.mark.parametrize("number", ["1e999", "NaN", "-1", "1e300", "7"])
def test_numbers_beyond_sense_in_a_report_do_not_stop_the_pdf(tmp_path, number):
    content = json.loads(samples()["report"][1])
    names = [name for name, value in content.items() if isinstance(value, float)] + ["tissue_share", "tissue_mm2"]
    text = json.dumps(content | dict.fromkeys(names, "@")).replace('"@"', number)
    (tmp_path / "s.json").write_text(text)

    reports = read_reports(tmp_path)
    write_tables(tmp_path, reports, None, created=datetime(2026, 1, 1))
    (pdf,) = write_report(
        tmp_path / "a.pdf", reports, spec=None, pictures=no_pictures, created=datetime(2026, 1, 1), versions={}
    )

    assert len(reports) == 1
    assert pdf.read_bytes().startswith(b"%PDF")


def no_pictures(report: SlideReport) -> SlidePictures:
    return SlidePictures(None, None)
