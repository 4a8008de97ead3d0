from __future__ import annotations

import random

import pytest

from slidekit.report.entries import divide, make_entries


@pytest.fixture
def entries(report):
    reports = [report(f"s{n:03}", blur_burden=0.2 if n % 10 == 0 else 0.01) for n in range(60)]
    return make_entries(reports)


def names(share):
    return [entry.report.slide for entry in share]


def test_all_slides_stand_in_one_pdf_where_they_fit(entries):
    assert divide(entries, seed=0, limit=60) == [list(entries)]


def test_else_the_first_has_the_flagged_and_a_sample_and_the_rest_is_in_volumes(entries):
    first, *volumes = divide(entries, seed=0, limit=20, picked=5)

    assert sum(bool(entry.flags) for entry in first) == 6
    assert len(first) == 11
    assert [len(volume) for volume in volumes] == [20, 20, 9]
    assert sorted(names(first) + [n for volume in volumes for n in names(volume)]) == names(entries)
    assert names(first) == sorted(names(first))


def test_the_sample_depends_on_the_seed_and_not_on_the_order(report):
    reports = [report(f"s{n:03}") for n in range(60)]
    shuffled = random.Random(1).sample(reports, 60)

    one, two = (names(divide(make_entries(r), seed=1, limit=20, picked=5)[0]) for r in (reports, shuffled))
    other = names(divide(make_entries(reports), seed=2, limit=20, picked=5)[0])

    assert one == two
    assert one != other


def test_no_pdf_grows_beyond_the_limit_however_many_are_flagged(report):
    entries = make_entries([report(f"s{n}", blur_burden=0.06 + n / 100) for n in range(30)])

    first, *volumes = divide(entries, seed=0, limit=10, picked=5)

    assert {entry.report.blur_burden for entry in first} == {0.06 + n / 100 for n in range(20, 30)}
    assert [len(volume) for volume in volumes] == [10, 10]
