"""Who trains and who validates."""

from __future__ import annotations

import pytest

from slidekit import Dataset
from slidekit.errors import DatasetError
from slidekit.segment import train
from slidekit.segment.training import run
from slidekit.slide.segmentation.config import SegmentConfig

CONFIG = SegmentConfig(size=32, depth=1, mpp=16)


@pytest.fixture
def patients(cohort, tmp_path) -> Dataset:
    """s0 and s1 are of one patient."""
    (tmp_path / "annotations.csv").write_text("patient,slide\np,s0\np,s1\nq,s2\n")
    return cohort.dataset(annotations=tmp_path / "annotations.csv")


@pytest.mark.parametrize(("validate", "shared"), [("s1", ("p",)), ("s2", ())])
def test_patients_on_both_sides_are_told(patients, tmp_path, monkeypatch, caplog, validate, shared) -> None:
    # Arrange: no network
    monkeypatch.setattr(run, "fit", lambda config, data, folder, **options: [])
    rest = patients.filter({"slide": [name for name in patients.paths() if name != validate]})
    # Act
    model = train(CONFIG, rest, patients.filter({"slide": [validate]}), dest=tmp_path / "model")
    # Assert
    assert model.shared_patients == shared
    assert ("Patients of the validation slides also train (p)" in caplog.text) == bool(shared)


def test_one_patient_is_on_both_sides_of_a_cut(patients, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(run, "fit", lambda config, data, folder, **options: [])
    model = train(CONFIG, patients.filter({"patient": ["p"]}), dest=tmp_path / "model")
    assert model.shared_patients == ("p",)


def test_generated_regions_train_only_if_asked_for(cohort, oracle, tmp_path, monkeypatch) -> None:
    # Arrange
    seen = []
    monkeypatch.setattr(run, "fit", lambda config, data, folder, **options: seen.append(data.slides) or [])
    dataset = cohort.dataset(tmp_path)
    dataset.generate_rois(oracle)
    # Act, Assert
    with pytest.raises(DatasetError, match="include_generated=True"):
        train(CONFIG, dataset, dest=tmp_path / "model")
    model = train(CONFIG, dataset, dest=tmp_path / "model", include_generated=True)
    assert sorted((*model.training, *model.validation)) == ["s0", "s1", "s2"]
    assert {facts["use"] for facts in seen[0].values()} == {"training", "validation"}
    assert all(facts["regions"] != "none" for facts in seen[0].values())
