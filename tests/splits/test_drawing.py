"""Patients on two sides and in folds: disjoint, complete, stratified, and the same for the same seed."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import DatasetError
from slidekit.splits import sites
from slidekit.splits.drawing import draw_bootstrap, draw_fixed, draw_folds, folds_to_splits
from slidekit.splits.patients import Patient, gather_patients, strata
from slidekit.splits.sites import draw_site_folds


def people(labels, sites=None):
    return [
        Patient(f"p{number}", (f"s{number}",), label, None if sites is None else sites[number])
        for number, label in enumerate(labels)
    ]


COHORTS = st.lists(st.sampled_from(["x", "y", "z"]), min_size=4, max_size=40).map(people)
SEEDS = st.integers(0, 5)


def label_counts(patients, names):
    wanted = set(names)
    return Counter(patient.label for patient in patients if patient.name in wanted)


class TestPatients:
    def test_slides_are_put_together(self):
        found = gather_patients(
            {"b": "p2", "c": "p1", "a": "p1"}, {"a": "x", "b": "y", "c": "x"}, dict.fromkeys("abc", "n")
        )
        assert found == (Patient("p1", ("a", "c"), "x", "n"), Patient("p2", ("b",), "y", "n"))

    def test_numbers_are_averaged(self):
        assert gather_patients({"a": "p", "b": "p"}, {"a": 1.0, "b": 2.0})[0].label == 1.5

    @pytest.mark.parametrize(
        ("labels", "sites", "words"),
        [
            ({"a": "x", "b": "y"}, None, "'p' has slides of 2 labels: a x, b y"),
            (None, {"a": "n", "b": "s"}, "'p' has slides of 2 sites: a n, b s"),
        ],
    )
    def test_a_patient_is_one(self, labels, sites, words):
        with pytest.raises(DatasetError, match=words):
            gather_patients({"a": "p", "b": "p"}, labels, sites)

    def test_numbers_are_shared_out_by_quarters(self):
        groups = strata(people([float(number) for number in range(12)]))
        assert [[patient.label for patient in group] for group in groups] == [
            [0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]
        ]  # fmt: skip


class TestFixed:
    @given(COHORTS, SEEDS, st.sampled_from([0.1, 0.2, 0.25, 1 / 3, 0.5, 0.9]))
    @settings(deadline=None, max_examples=40)
    def test_each_class_has_its_share_within_one_patient(self, patients, seed, fraction):
        split = draw_fixed(patients, fraction, seed)
        assert sorted(split.training + split.validation) == sorted(one.name for one in patients)
        assert split.training
        assert split.validation
        assert abs(len(split.validation) - Fraction(fraction) * len(patients)) < 1
        everyone, held = label_counts(patients, (p.name for p in patients)), label_counts(patients, split.validation)
        several = [label for label, count in everyone.items() if count > 1]
        if len(several) <= min(len(split.training), len(split.validation)):
            assert all(0 < held[label] < everyone[label] for label in several)
        if all(1 <= Fraction(fraction) * everyone[label] <= everyone[label] - 1 for label in everyone):
            assert all(abs(Fraction(fraction) * count - held[label]) < 1 for label, count in everyone.items())

    @given(COHORTS, SEEDS, st.randoms())
    @settings(deadline=None, max_examples=30)
    def test_the_order_of_patients_does_not_matter(self, patients, seed, random):
        mixed = random.sample(patients, len(patients))
        assert draw_fixed(mixed, 0.3, seed) == draw_fixed(patients, 0.3, seed)
        assert draw_bootstrap(mixed, seed) == draw_bootstrap(patients, seed)
        assert draw_folds(mixed, 3, seed) == draw_folds(patients, 3, seed)

    def test_seeds_differ(self):
        patients = people("x" * 40)
        assert len({draw_fixed(patients, 0.5, seed).validation for seed in range(5)}) == 5

    @pytest.mark.parametrize(
        "patients",
        [
            people([f"c{number:02}" for number in range(50)]),
            people([f"c{number // 3}" for number in range(30)]),
            people([f"c{number // 2:02}" for number in range(50)]),
            people([f"c{number // 2:02}" for number in range(30)] + [f"d{number // 3}" for number in range(30)]),
        ],
    )
    def test_every_patient_validates_under_some_seed(self, patients):
        seen = Counter(name for seed in range(150) for name in draw_fixed(patients, 0.2, seed).validation)
        assert len(seen) == len(patients)

    @pytest.mark.parametrize(("labels", "fraction"), [("ppn" + "n" * 17, 0.2), ("ppnnn", 0.6), ("ppn" + "n" * 17, 0.9)])
    def test_a_class_of_two_is_on_both_sides(self, labels, fraction):
        patients = people(labels)
        for seed in range(10):
            split = draw_fixed(patients, fraction, seed)
            assert label_counts(patients, split.validation)["p"] == label_counts(patients, split.training)["p"] == 1

    def test_classes_on_one_side_are_said(self, caplog):
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            draw_fixed(people("x" * 9), 0.2, 0)
            assert not caplog.records
            draw_fixed(people("y" + "x" * 9), 0.2, 0)
        assert len(caplog.records) == 1
        assert " has none of y." in caplog.text

    @pytest.mark.parametrize("fraction", [0, 1, -0.1, 20])
    def test_no_share(self, fraction):
        with pytest.raises(DatasetError, match="no share"):
            draw_fixed(people("xy"), fraction, 0)

    def test_too_few(self):
        with pytest.raises(DatasetError, match="1 patients for two sides"):
            draw_fixed(people("x"), 0.5, 0)


class TestFolds:
    @given(COHORTS, SEEDS, st.integers(2, 3))
    @settings(deadline=None, max_examples=40)
    def test_each_validates_once_and_classes_are_even(self, patients, seed, k):
        splits = folds_to_splits(draw_folds(patients, k, seed))
        validated = [name for split in splits for name in split.validation]
        assert sorted(validated) == sorted(one.name for one in patients)
        assert all(set(split.training) == set(validated) - set(split.validation) for split in splits)
        sizes = [len(split.validation) for split in splits]
        assert max(sizes) - min(sizes) <= 1
        for label in {one.label for one in patients}:
            counts = [label_counts(patients, split.validation)[label] for split in splits]
            assert max(counts) - min(counts) <= 1

    def test_a_class_that_is_too_small_is_said(self, caplog):
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            draw_folds(people("xxxxy"), 3, 0)
        assert "fewer patients than there are folds (3), so that not each fold has one: y (1)" in caplog.text

    def test_many_small_classes_are_said_once_and_dealt_by_the_seed(self, caplog):
        patients = people([f"c{number:03}" for number in range(100)])
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            folds = [tuple(map(tuple, draw_folds(patients, 5, seed))) for seed in range(3)]
        assert len(caplog.records) == 3
        assert len(set(folds)) == 3

    @pytest.mark.parametrize(
        ("k", "words"), [(1, "no number"), (True, "no number"), (4, "3 patients for 4 folds.*Take at most 3 folds")]
    )
    def test_mistakes(self, k, words):
        with pytest.raises(DatasetError, match=words):
            draw_folds(people("xyz"), k, 0)


class TestBootstrap:
    @given(st.lists(st.sampled_from("xy"), min_size=4, max_size=30).map(people), SEEDS)
    @settings(deadline=None, max_examples=40)
    def test_drawn_train_and_the_others_validate(self, patients, seed):
        everyone = label_counts(patients, (one.name for one in patients))
        split = draw_bootstrap(patients, seed)
        assert set(split.training) == set(split.draws)
        assert split.validation
        assert sorted(split.training + split.validation) == sorted(one.name for one in patients)
        labels = {one.name: one.label for one in patients}
        drawn = Counter(label for name, times in split.draws.items() for label in [labels[name]] * times)
        assert drawn == everyone

    def test_the_share_that_validates(self):
        split = draw_bootstrap(people("x" * 2000), 0)
        assert len(split.validation) / 2000 == pytest.approx(np.exp(-1), abs=0.03)

    def test_classes_of_one_patient(self):
        with pytest.raises(DatasetError, match="each class has one patient"):
            draw_bootstrap(people("xyz"), 0)


class TestSites:
    @given(
        st.lists(st.tuples(st.sampled_from("ABCDE"), st.sampled_from("xy")), min_size=6, max_size=20),
        st.integers(2, 3),
    )
    @settings(deadline=None, max_examples=15)
    def test_it_is_the_best_of_all_divisions(self, rows, k):
        rows = [*rows, ("A", "x"), ("B", "y"), ("C", "x")]
        patients = people([label for _, label in rows], [site for site, _ in rows])
        groups = [[one for one in patients if one.label == label] for label in {one.label for one in patients}]
        groups.append(patients)

        def cost(folds):
            return sum(
                abs(sum(one.name in fold for one in group) - len(group) / k) / len(group)
                for fold in map(set, folds)
                for group in groups
            )

        found = draw_site_folds(patients, k, seed=1)

        assert sorted(name for fold in found for name in fold) == sorted(one.name for one in patients)
        homes = {(one.site, fold) for one in patients for fold, names in enumerate(found) if one.name in names}
        assert len(homes) == len({site for site, _ in homes})
        sites = sorted({one.site for one in patients})
        best = min(
            cost([[one.name for one in patients if chosen[sites.index(one.site)] == fold] for fold in range(k)])
            for chosen in itertools.product(range(k), repeat=len(sites))
            if set(chosen) == set(range(k))
        )
        assert cost(found) == pytest.approx(best, rel=2e-3)

    @given(st.randoms())
    @settings(deadline=None, max_examples=5)
    def test_the_order_of_patients_does_not_matter(self, random):
        patients = people("xyxyxxyxyyxx", "AABBCCDDEEFF")
        assert draw_site_folds(random.sample(patients, 12), 3, 0) == draw_site_folds(patients, 3, 0)

    def test_fewer_sites_than_folds(self):
        with pytest.raises(DatasetError, match="2 sites cannot be divided among 3 folds: A, B"):
            draw_site_folds(people("xxxx", "AABB"), 3, 0)

    def test_steps_and_not_seconds_end_the_search(self, caplog, monkeypatch):
        monkeypatch.setattr(sites, "_NODES", 3)
        generator = np.random.default_rng(0)
        patients = people(
            generator.choice(list("xyz"), 120).tolist(), generator.integers(0, 18, 120).astype(str).tolist()
        )
        with caplog.at_level(logging.INFO, logger="slidekit"):
            assert draw_site_folds(patients, 4, 0) == draw_site_folds(patients, 4, 0, seconds=30)
        assert [record.levelno for record in caplog.records] == [logging.INFO] * 2

    def test_one_site(self):
        with pytest.raises(DatasetError, match=r"1 sites cannot be divided.*Take folds that do not keep"):
            draw_site_folds(people("xxxx", "AAAA"), 2, 0)

    def test_no_time_for_the_best(self, caplog):
        generator = np.random.default_rng(0)
        patients = people(
            generator.choice(list("wxyz"), 900).tolist(), generator.integers(0, 60, 900).astype(str).tolist()
        )
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            folds = draw_site_folds(patients, 5, 0, seconds=0.3)
        assert all(folds)
        assert "was not proved to be the best" in caplog.text
