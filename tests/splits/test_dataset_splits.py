"""`Dataset.split` and `kfold_split`: nothing leads from one side to the other."""

from __future__ import annotations

import json
import logging

import numpy as np
import pandas as pd
import pytest

from slidekit.dataset import Dataset
from slidekit.errors import AnnotationsError, DatasetError
from slidekit.project import create_project

N = 24
ROWS = pd.DataFrame(
    {
        "patient": [f"p{number // 2}" for number in range(N)],
        "slide": [f"s{number:02}" for number in range(N)],
        "category": [("x", "y", "z")[number // 2 % 3] for number in range(N)],
        "site": ["ABCD"[number // 2 % 4] for number in range(N)],
        "age": [str(20 + number // 2) for number in range(N)],
        "slide_label": ["u" if number % 2 else "v" for number in range(N)],
        "blank": ["" if number == 5 else "w" for number in range(N)],
    }
)


@pytest.fixture
def slides(tmp_path):
    folder = tmp_path / "slides"
    folder.mkdir()
    for name in ROWS["slide"]:
        (folder / f"{name}.svs").touch()
    return folder


@pytest.fixture
def dataset(slides):
    return Dataset(slides=slides, annotations=ROWS)


def patients(dataset):
    return set(dataset.patients().values())


def check_sides(dataset, training, validation):
    assert sorted(training.slides() + validation.slides()) == dataset.slides()
    assert not patients(training) & patients(validation)


class TestSides:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"labels": "category", "val_fraction": 0.25},
            {"labels": ["category", "site"], "val_fraction": 0.5},
            {"labels": "age", "model_type": "regression"},
            {"labels": "category", "val_strategy": "bootstrap"},
            {"labels": "category", "val_strategy": "k-fold", "val_k_fold": 4, "k_fold_iter": 2},
            {"labels": "category", "val_strategy": "k-fold-preserved-site", "k_fold_iter": 3},
        ],
    )
    def test_strategies(self, dataset, options):
        training, validation = dataset.split(**options)
        check_sides(dataset, training, validation)
        assert validation.slides()
        again = Dataset(slides=dataset.sources[0].slides, annotations=ROWS.iloc[::-1]).split(**options)
        assert [side.slides() for side in again] == [training.slides(), validation.slides()]

    def test_classes_are_shared_out(self, dataset):
        _, validation = dataset.split(labels="category", val_fraction=0.25)
        assert validation.filtered_annotations["category"].value_counts().to_dict() == {"x": 2, "y": 2, "z": 2}

    def test_seeds(self, dataset):
        assert dataset.split(seed=1)[1].slides() != dataset.split(seed=2)[1].slides()

    def test_none(self, dataset):
        training, validation = dataset.split(val_strategy="none")
        assert (training.slides(), validation.slides()) == (dataset.slides(), [])

    def test_nothing_leads_to_the_other_side(self, dataset):
        training, validation = dataset.filter({"site": ["A", "B", "C"]}).split(labels="category")
        other = validation.slides()[0]
        owner = validation.patients()[other]
        for side in (
            training,
            training.filter({"site": "A"}),
            training.clear_filters(),
            training.remove_filter("site"),
        ):
            assert not patients(side) & patients(validation)
            assert side.find_slide(slide=other) is None
            assert side.find_slide(patient=owner) is None
            assert other not in side.filtered_annotations["slide"].tolist()
        assert training.filter({"slide": other}).slides() == []
        assert not patients(training.split()[0]) & patients(validation)

    def test_both_sides_number_classes_alike(self, dataset):
        few = dataset.filter({"patient": ["p0", "p1", "p3", "p4"]})
        training, validation = few.split(val_fraction=0.25)
        assert len(set(validation.filtered_annotations["category"])) == 1
        assert training.labels("category")[1] == validation.labels("category")[1] == ["x", "y"]
        assert training.label_rows().slides == validation.label_rows().slides == tuple(few.slides())

    def test_labels_given_by_slide(self, dataset, caplog):
        labels = dict.fromkeys(dataset.slides()[:8], "u") | dict.fromkeys(dataset.slides()[8:16], "v")
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            training, validation = dataset.split(labels=labels, val_fraction=0.5)
        assert sorted(training.slides() + validation.slides()) == dataset.slides()[:16]
        assert sorted(labels[name] for name in validation.slides()) == ["u"] * 4 + ["v"] * 4
        assert "8 of 24 slides have no label" in caplog.text

    def test_a_column_of_many_numbers_is_one_of_numbers(self, dataset):
        _, validation = dataset.split(labels="age", val_fraction=0.34)
        ages = sorted({int(age) - 20 for age in validation.filtered_annotations["age"]})
        assert [age // 3 for age in ages] == [0, 1, 2, 3]

    def test_columns_of_numbers_are_shared_out_by_quarters(self, dataset):
        found = set()
        for seed in range(6):
            _, validation = dataset.split("regression", labels=["age"], val_fraction=0.34, seed=seed)
            found.add(tuple(validation.slides()))
            ages = sorted({int(age) - 20 for age in validation.filtered_annotations["age"]})
            assert [age // 3 for age in ages] == [0, 1, 2, 3]
        assert len(found) > 1
        _, validation = dataset.split(labels=["age", "category"], val_fraction=0.5)
        assert len({int(age) // 3 for age in validation.filtered_annotations["age"]}) > 2

    def test_a_side_keeps_its_classes_when_it_is_filtered(self, dataset):
        training, validation = dataset.split(labels="category")
        one = validation.filter({"category": "y"})
        assert set(one.labels("category")[0].values()) == {1}
        assert one.labels("category")[1] == training.labels("category")[1] == ["x", "y", "z"]
        assert one.clear_filters().labels("category")[1] == ["x", "y", "z"]

    def test_numbers_of_numpy_are_numbers(self, dataset, tmp_path):
        path = tmp_path / "splits.json"
        first = dataset.split(seed=np.int64(1), val_fraction=np.float32(0.2), splits=path)[1].slides()
        assert dataset.split(seed=1, val_fraction=0.2, splits=path)[1].slides() == first
        assert len(json.loads(path.read_text())) == 1
        assert len(dataset.kfold_split(np.int64(3), splits=path)) == 3

    def test_names_that_look_alike_are_one_patient(self, slides):
        rows = ROWS.assign(
            patient=[
                ("Jose\u0301", "Jos\u00e9", "P 1", "P\u00a01", "P\u200b 1")[n] if n < 5 else f"q{n}" for n in range(N)
            ]
        )
        assert len(patients(Dataset(slides=slides, annotations=rows))) == N - 3

    def test_sites_that_are_not_known(self, dataset):
        sites = dict.fromkeys(dataset.slides(), 0) | {"s00": float("nan"), "s01": np.float32("nan")}
        with pytest.raises(DatasetError, match="no site: s00, s01"):
            dataset.kfold_split(2, preserved_site=True, site_labels=sites)
        labels = dict.fromkeys(dataset.slides()[2:], "x")
        sites |= {
            name: number % 3 for number, name in enumerate(dataset.slides()[2:], start=4) for number in [number // 2]
        }
        assert len(dataset.kfold_split(2, preserved_site=True, site_labels=sites, labels=labels)) == 2

    def test_a_share_that_has_no_meaning(self, dataset, caplog):
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            dataset.split(val_strategy="bootstrap", val_fraction=0.2)
        assert "val_fraction=0.2 has no meaning" in caplog.text

    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"val_strategy": "random"}, DatasetError, "fixed, bootstrap, k-fold"),
            ({"val_strategy": "k-fold"}, DatasetError, "k_fold_iter=None.*1 to 3, or use kfold_split"),
            ({"val_strategy": "k-fold", "k_fold_iter": 4}, DatasetError, "none of 3 folds"),
            ({"labels": "slide_label"}, DatasetError, "'p0' has slides of 2 labels: s00 v, s01 u"),
            ({"labels": "blank"}, DatasetError, r"blank for 1 slides: s05.*filter_blank='blank'"),
            ({"labels": "colour"}, AnnotationsError, "no column 'colour'"),
            ({"labels": "category", "model_type": "regression"}, DatasetError, "'x', 'y', 'z', not numbers"),
            ({"model_type": "magic"}, DatasetError, "model_type='magic'"),
            ({"val_fraction": "0.2"}, DatasetError, "val_fraction='0.2' is no share"),
            ({"seed": 0.5}, DatasetError, "seed=0.5"),
            ({"labels": ROWS[["slide", "category"]]}, DatasetError, "a DataFrame such as this.*slide to label"),
            ({"labels": ROWS["category"]}, DatasetError, "a Series such as this"),
            ({"labels": ({"s00": 1}, ["x"])}, DatasetError, "a tuple such as this"),
            ({"labels": ["age", "category"], "model_type": "linear"}, DatasetError, "'x', 'y', 'z', not numbers"),
            (
                {"val_strategy": "k-fold-preserved-site", "k_fold_iter": 1, "site_labels": {"s00": "A"}},
                DatasetError,
                "no site: s01",
            ),
            (
                {"val_strategy": "k-fold-preserved-site", "k_fold_iter": 1, "val_k_fold": 5},
                DatasetError,
                "4 sites cannot be divided among 5",
            ),
        ],
    )
    def test_mistakes(self, dataset, options, error, words):
        with pytest.raises(error, match=words):
            dataset.split(**options)


class TestFolds:
    @pytest.mark.parametrize("options", [{}, {"preserved_site": True}])
    def test_each_slide_validates_once(self, dataset, options):
        pairs = dataset.kfold_split(4, labels="category", **options)
        assert sorted(name for _, validation in pairs for name in validation.slides()) == dataset.slides()
        for training, validation in pairs:
            check_sides(dataset, training, validation)
        if options:
            assert all(len(set(validation.filtered_annotations["site"])) == 1 for _, validation in pairs)

    def test_sites_given_by_slide(self, dataset):
        sites = {name: "even" if int(owner[1:]) % 2 else "odd" for name, owner in dataset.patients().items()}
        pairs = dataset.kfold_split(2, preserved_site=True, site_labels=sites)
        assert sorted(len({sites[name] for name in side.slides()}) for pair in pairs for side in pair) == [1, 1, 1, 1]

    def test_it_agrees_with_split(self, dataset):
        _, validation = dataset.split(labels="category", val_strategy="k-fold", k_fold_iter=2)
        assert dataset.kfold_split(3, labels="category")[1][1].slides() == validation.slides()


class TestSaved:
    def test_file(self, dataset, tmp_path):
        path = tmp_path / "splits.json"
        first = dataset.split(labels="category", splits=path)
        assert json.loads(path.read_text())[0]["labels"] == "category"
        assert [side.slides() for side in dataset.split(labels="category", splits=path)] == [s.slides() for s in first]
        dataset.kfold_split(3, labels="category", splits=path)
        dataset.split(labels="category", splits=path, seed=5, read_only=True)
        assert [entry["strategy"] for entry in json.loads(path.read_text())] == ["fixed", "k-fold"]

    def test_new_slides_of_a_patient_go_to_its_side(self, slides, tmp_path):
        path = tmp_path / "splits.json"
        few = Dataset(slides=slides, annotations=ROWS.iloc[::2])
        training, _ = few.split(splits=path)
        everyone = Dataset(slides=slides, annotations=ROWS)
        assert patients(everyone.split(splits=path)[0]) == patients(training)
        assert len(json.loads(path.read_text())) == 1

    def test_a_project_keeps_its_splits(self, slides, tmp_path):
        project = create_project(tmp_path / "study", slides=slides, annotations=ROWS)
        dataset = project.dataset()
        dataset.split(labels="category")
        assert [entry["seed"] for entry in json.loads((tmp_path / "study" / "splits.json").read_text())] == [0]
