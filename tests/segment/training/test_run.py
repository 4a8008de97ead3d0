"""`train`: slides with regions of interest in, a folder with a network out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import DatasetError, SpecError
from slidekit.segment import export_thumbs_and_masks, generate_rois, load_model_and_config, train
from slidekit.slide.qc.segment import Segment
from slidekit.slide.segmentation.config import SegmentConfig
from slidekit.slide.wsi import WSI

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

pytestmark = [
    pytest.mark.tensorflow,
    # Keras' own, of numpy 2.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:keras"),
]

CONFIG = SegmentConfig(
    size=64, depth=2, filters=6, mpp=8, epochs=3, steps_per_epoch=15, train_batch_size=4, lr=5e-3, augment=False
)
ONE_STEP = CONFIG.model_copy(update={"size": 32, "depth": 1, "filters": 2, "epochs": 1, "steps_per_epoch": 1})


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.long
def test_from_slides_to_regions_on_a_slide_that_it_has_not_seen(cohort, tmp_path: Path) -> None:
    # Arrange
    whole = cohort.dataset()
    seen, unseen = whole.filter({"slide": ["s0", "s1"]}), whole.filter({"slide": ["s2"]})

    # Act
    model = train(CONFIG, seen, unseen, dest=tmp_path / "model")

    # Assert
    assert model.dice >= 0.9
    assert (model.training, model.validation) == (("s0", "s1"), ("s2",))
    assert names(model.path) == {"model.keras", "segment_config.json", "history.csv", "checkpoint.npz", "data"}
    assert load_model_and_config(model.path)[1] == model.config
    with WSI(whole.paths()["s2"], 32, 128) as wsi:
        mask = Segment(model.path)(wsi)
        found = generate_rois(wsi, model.path)
        area = sum(roi.polygon.area for roi in found.rois)
        kept = {tuple(cell) for cell in wsi.grid.cells()[wsi.fates().taken]}
    with WSI(whole.paths()["s2"], 32, 128, rois=whole.roi_files()["s2"]) as wsi:
        wanted = {tuple(cell) for cell in wsi.grid.cells()[wsi.fates().taken]}
    truth = cohort.tissue["s2"].area
    assert abs(area / truth - 1) < 0.1
    assert abs((1 - mask.mean()) * wsi.dimensions[0] * wsi.dimensions[1] / truth - 1) < 0.1
    assert len(kept ^ wanted) <= 0.2 * len(wanted)


@pytest.mark.long
def test_exported_data_serve_as_well_and_a_second_call_gives_the_result(cohort, tmp_path: Path) -> None:
    # Arrange
    export_thumbs_and_masks(cohort.dataset(), 8, tmp_path / "data")
    told, batches = [], []

    # Act
    first = train(
        ONE_STEP,
        data_source=tmp_path / "data",
        dest=tmp_path / "model",
        on_epoch=told.append,
        on_batch=lambda *place: batches.append(place),
    )
    again = train(ONE_STEP, data_source=tmp_path / "data", dest=tmp_path / "model", on_epoch=told.append)

    # Assert
    assert again == first
    assert told == list(first.history)
    assert batches == [(1, 1, 1)]
    assert len(first.validation) == 1
    assert sorted((*first.training, *first.validation)) == ["s0", "s1", "s2"]
    assert set(first.dice_by_class) == {"tissue"}
    with pytest.raises(SpecError, match="another config"):
        train(ONE_STEP.model_copy(update={"seed": 5}), data_source=tmp_path / "data", dest=tmp_path / "model")


def test_what_cannot_be_trained_on_is_told(cohort, tmp_path: Path) -> None:
    # Arrange
    export_thumbs_and_masks(cohort.dataset(), 8, tmp_path / "data")
    only = cohort.dataset().filter({"slide": ["s1"]})
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "model.keras").touch()

    # Act / Assert
    with pytest.raises(DatasetError, match="nothing to train on"):
        train(ONE_STEP, dest=tmp_path / "model")
    with pytest.raises(DatasetError, match="s1"):
        train(ONE_STEP, cohort.dataset(), only, tmp_path / "data", dest=tmp_path / "model")
    with pytest.raises(DatasetError, match="mpp is 8, not 20"):
        train(ONE_STEP.model_copy(update={"mpp": 20.0}), data_source=tmp_path / "data", dest=tmp_path / "model")
    with pytest.raises(SpecError, match="not trained here"):
        train(ONE_STEP, data_source=tmp_path / "data", dest=tmp_path / "foreign")
    assert not (tmp_path / "model").exists()


def test_data_without_what_is_to_be_found_are_told(cohort, tmp_path: Path) -> None:
    # Arrange
    import cv2

    export_thumbs_and_masks(cohort.dataset(), 8, tmp_path / "data")
    for path in (tmp_path / "data").glob("s[01].mask.png"):
        cv2.imwrite(str(path), np.zeros_like(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))
    dataset = cohort.dataset()
    empty, full = dataset.filter({"slide": ["s0"]}), dataset.filter({"slide": ["s2"]})

    # Act / Assert
    with pytest.raises(DatasetError, match="validation data is in a region: s0"):
        train(ONE_STEP, full, empty, tmp_path / "data", dest=tmp_path / "model")
    with pytest.raises(DatasetError, match="training data is in a region"):
        train(ONE_STEP, empty, full, tmp_path / "data", dest=tmp_path / "model")


def test_keras_is_not_imported_before_it_is_used() -> None:
    script = (
        "import sys, slidekit, slidekit.cli, slidekit.segment; slidekit.segment.train; slidekit.segment.Segment;"
        "assert not {'keras', 'tensorflow', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
