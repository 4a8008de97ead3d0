from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from slidekit.errors import DatasetError, SpecError
from slidekit.sampling.draws import draw, uniform
from slidekit.sampling.often.picking import cumulate, pick
from slidekit.sampling.often.quotas import check_quotas, quota_shares
from slidekit.sampling.slides import SampledSlide


def slides_of(*rows):
    """Slides with the columns category, patient and site; fewer values leave the last columns out."""
    names = ("category", "patient", "site")
    return [
        SampledSlide(Path(f"s{number}.svs"), f"s{number}", groups=dict(zip(names, row, strict=False)))
        for number, row in enumerate(rows)
    ]


COHORT = slides_of(("T", "p1"), ("T", "p1"), ("T", "p2"), ("N", "p3"), ("N", "p4"), ("N", "p5"))
ALL = np.ones(6, np.bool_)


def test_values_share_alike_at_each_level():
    shares = quota_shares(COHORT, ("category", "patient"), ALL, None)

    expected = [Fraction(1, 8), Fraction(1, 8), Fraction(1, 4), Fraction(1, 6), Fraction(1, 6), Fraction(1, 6)]
    np.testing.assert_allclose(shares, [float(share) for share in expected], rtol=1e-12)


def test_shares_may_be_given_by_value():
    quotas = {"category": {"T": 3, "N": 1}}

    shares = quota_shares(COHORT, quotas, ALL, None)

    np.testing.assert_allclose(shares, [0.25, 0.25, 0.25, 1 / 12, 1 / 12, 1 / 12], rtol=1e-12)


def test_the_last_word_may_be_area():
    areas = np.array([1.0, 3, 5, 1, 1, 2])

    shares = quota_shares(COHORT, ("category", "area"), ALL, areas)

    np.testing.assert_allclose(shares, np.array([1 / 9, 3 / 9, 5 / 9, 1 / 4, 1 / 4, 2 / 4]) / 2, rtol=1e-12)


def test_what_cannot_be_had_leaves_its_share_to_its_own_group():
    usable = np.array([False, True, True, True, False, False])

    shares = quota_shares(COHORT, ("category", "patient"), usable, None)

    np.testing.assert_allclose(shares, [0, 0.25, 0.25, 0.5, 0, 0], rtol=1e-12)


def test_a_value_with_no_share_never_comes():
    shares = quota_shares(COHORT, {"category": {"T": 0, "N": 1}}, ALL, None)

    assert shares[:3].tolist() == [0, 0, 0]
    assert shares.sum() == pytest.approx(1)


def test_no_slide_left_is_no_share():
    assert not quota_shares(COHORT, ("category",), ~ALL, None).any()


GROUPS = st.lists(st.tuples(*[st.sampled_from("abc")] * 3), min_size=1, max_size=12)


@given(GROUPS, st.data())
@settings(deadline=None, max_examples=50)
def test_quotas_hold_at_each_level_for_any_cohort(groups, data):
    slides = slides_of(*groups)
    usable = np.array(data.draw(st.lists(st.booleans(), min_size=len(groups), max_size=len(groups))))

    shares = quota_shares(slides, ("category", "patient", "site"), usable, None)

    # A slide's share, worked out from the innermost group out.
    for number, group in enumerate(groups):
        there = [other for other, use in zip(groups, usable, strict=True) if use]
        expected = Fraction(int(usable[number]))
        if expected:
            for depth in range(3):
                expected /= len({other[depth] for other in there if other[:depth] == group[:depth]})
            expected /= there.count(group)
        assert shares[number] == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize(
    ("quotas", "error", "message"),
    [
        (("site",), SpecError, "no slide has a column 'site'. Give slide, area, or columns: category, patient"),
        ({"category": {"T": 1}}, SpecError, "have no share: N"),
        ({"category": {"T": 1, "N": 1, "X": 1}}, SpecError, "no slide has these values of column 'category': X"),
        ({"category": {"T": 0, "N": 0}}, SpecError, "are 0"),
    ],
)
def test_quotas_that_do_not_fit_the_annotations_are_refused(quotas, error, message):
    with pytest.raises(error, match=message.replace(".", r"\.")):
        check_quotas(COHORT, quotas)


def test_numbers_in_a_column_are_their_text():
    slides = slides_of((1, 7.0), (2, 8.0))

    check_quotas(slides, {"category": {"1": 1, "2": 3}, "patient": {"7": 1, "8": 1}})

    assert quota_shares(slides, {"category": {"1": 1, "2": 3}}, np.ones(2, np.bool_), None).tolist() == [0.25, 0.75]


@pytest.mark.parametrize("blank", ["", "  ", None, float("nan")])
def test_a_blank_value_is_refused_with_the_slide_named(blank):
    slides = slides_of(("T", "p1"), ("T",) if blank is None else ("T", blank))

    with pytest.raises(DatasetError, match="'patient' is blank for s1"):
        check_quotas(slides, ("category", "patient"))


@given(st.lists(st.floats(0, 10), min_size=1, max_size=8).filter(lambda weights: sum(weights) > 1e-3))
@settings(deadline=None, max_examples=50)
@example([0.0, 1.0])
@example([1.0, 0.0, 1.0, 0.0])
def test_what_has_no_weight_is_never_picked(weights):
    ends = cumulate(np.array(weights))

    picked = pick(np.array([0.0, 0.25, 0.5, 1 - 2.0**-53, *np.clip(ends[:-1], 0, 1 - 2.0**-53)]), ends)

    assert all(weights[index] > 0 for index in picked)


@pytest.mark.parametrize("weights", [(1, 1, 1), (1, 1, 1, 1, 1), (5, 0, 1, 2)])
def test_things_are_picked_by_their_weights(weights):
    # Histo-cloud rounds a uniform number: the first and the last class come half as often.
    chances = uniform(draw(11, np.arange(20_000), np.zeros(20_000, np.int32))[:, 2])

    counts = np.bincount(pick(chances, cumulate(np.array(weights))), minlength=len(weights))

    expected = 20_000 * np.array(weights) / sum(weights)
    assert chisquare(counts[expected > 0], expected[expected > 0]).pvalue > 1e-3
    assert not counts[expected == 0].any()
