"""A segmentation network as a QC method."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import QCError
from slidekit.slide.fate import Fate
from slidekit.slide.qc.segment import Segment, StridedSegment
from slidekit.slide.segmentation.config import SegmentConfig
from slidekit.slide.segmentation.predict import Segmenter
from slidekit.slide.wsi import WSI
from tests.slide.qc.contract import QCContract
from tests.slide.segmentation.handmade import save_pointwise

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

pytestmark = pytest.mark.tensorflow

CONFIG = SegmentConfig(size=64, depth=2, mpp=2.0)
CLASSES = SegmentConfig(size=64, depth=2, mpp=2.0, mode="multiclass", labels=("tumor", "stroma"))


@pytest.fixture(scope="module")
def tissue_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tissue is where green is below 200."""
    return save_pointwise(tmp_path_factory.mktemp("models"), CONFIG, [0, -0.05, 0], 10)


@pytest.fixture(scope="module")
def class_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tumor is where green is below 200; nothing is stroma."""
    return save_pointwise(
        tmp_path_factory.mktemp("classes"), CLASSES, [[0, 0, 0], [0, -0.05, 0], [0, 0, 0]], [0, 10, -30]
    )


class TestSegment(QCContract):
    @pytest.fixture(autouse=True)
    def _model(self, tissue_model: Path) -> None:
        type(self).method = Segment(tissue_model)

    def test_its_parameters_are_json_and_rebuild_it(self, tissue_slide: Path, tissue_model: Path) -> None:
        # Instead of the folder, which is another elsewhere, the content of the model stands in them.
        parameters = json.loads(json.dumps(self.method.parameters()))
        assert parameters.pop("model").startswith("model.keras sha256:")
        again = Segment(tissue_model, **parameters)
        assert repr(again) == repr(self.method)
        with WSI(tissue_slide, 32, 16) as wsi:
            assert np.array_equal(again(wsi), self.method(wsi))


def test_discards_what_is_no_tissue(tissue_model: Path, tissue_slide: Path) -> None:
    with WSI(tissue_slide, 32, 16) as wsi:
        mask = Segment(tissue_model)(wsi)
        score = Segment(tissue_model)(wsi, threshold=False)
        green = wsi.overview(250, 190)[..., 1].astype(float)
        assert np.array_equal(mask, score < 0.5)
        assert (mask == (green > 200)).mean() > 0.999
        assert np.array_equal(Segment(tissue_model)(wsi, threshold=0.9), score < 0.9)
        assert np.array_equal(Segment(tissue_model, threshold_direction="greater", threshold=0.7)(wsi), score > 0.7)


def test_classes_by_number_by_label_and_all_but_the_background(class_model: Path, tissue_slide: Path) -> None:
    with WSI(tissue_slide, 32, 16) as wsi:
        tumor = Segment(class_model, "tumor")(wsi, threshold=False)
        assert np.array_equal(Segment(class_model, 1)(wsi, threshold=False), tumor)
        assert np.allclose(
            Segment(class_model)(wsi, threshold=False), 1 - Segment(class_model, 0)(wsi, threshold=False)
        )
        assert Segment(class_model, "stroma", "greater")(wsi).sum() == 0
        assert 0.2 < Segment(class_model, "tumor", "greater")(wsi).mean() < 0.8


def test_counts_under_a_reason_of_choice(tissue_model: Path, tissue_slide: Path) -> None:
    with WSI(tissue_slide, 32, 16, qc=["blur", Segment(tissue_model, reason="background", name="my_tissue")]) as wsi:
        assert (wsi.qc_masks[-1].name, wsi.qc_masks[-1].reason) == ("my_tissue", Fate.BACKGROUND)
        reasons = wsi.get_tile_dataframe()["reason"].value_counts()
    assert reasons[Fate.BACKGROUND] > 0
    assert Segment.reason == "segment"


def test_goes_to_another_process_as_a_path(tissue_model: Path, tissue_slide: Path) -> None:
    method = Segment(tissue_model, reason="background")
    again = pickle.loads(pickle.dumps(method))
    with WSI(tissue_slide, 32, 16) as wsi:
        assert np.array_equal(again(wsi), method(wsi))
    assert (again.parameters(), again.reason) == (method.parameters(), "background")


def test_another_network_is_another_method(tissue_model: Path, class_model: Path) -> None:
    assert Segment(tissue_model).parameters()["model"] != Segment(class_model).parameters()["model"]
    assert Segment(Segmenter.load(tissue_model)).parameters() == Segment(tissue_model).parameters()
    assert StridedSegment is Segment


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"class_idx": 1}, "0 (tissue)"),
        ({"class_idx": "tumor"}, "0 (tissue)"),
        ({"class_idx": -1}, "0 (tissue)"),
        ({"threshold_direction": "more"}, "greater"),
        ({"overlap": 64}, "overlap"),
        ({"threshold": 1.5}, "probability"),
        ({"threshold": "high"}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
    ],
)
def test_wrong_parameters_are_told(tissue_model: Path, options: dict[str, object], said: str) -> None:
    with pytest.raises(QCError) as raised:
        Segment(tissue_model, **options)
    assert said in str(raised.value)
