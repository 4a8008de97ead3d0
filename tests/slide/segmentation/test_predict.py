"""Maps of probabilities against networks whose results are known, and against one window without seams."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import MissingExtraError, QCError
from slidekit.slide.segmentation.config import SegmentConfig
from slidekit.slide.segmentation.predict import Segmenter, load_model_and_config
from slidekit.slide.wsi import WSI
from tests.slide.segmentation.handmade import save_model, save_pointwise

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")

from slidekit.segment.network.keras import build_unet

pytestmark = [pytest.mark.tensorflow]

BINARY = SegmentConfig(size=64, depth=2, filters=2, mpp=1.0)
CLASSES = SegmentConfig(size=64, depth=2, filters=2, mpp=1.0, mode="multiclass", labels=("a", "b"))


@pytest.fixture(scope="module")
def pointwise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logit = (200 - green) / 20."""
    return save_pointwise(tmp_path_factory.mktemp("pointwise"), BINARY, [0, -0.05, 0], 10)


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A U-Net as it is drawn, which gives noise that every pixel within its reach has a part in."""
    config = BINARY.model_copy(update={"filters": 6, "seed": 3})
    return save_model(tmp_path_factory.mktemp("unet"), build_unet(config), config)


@pytest.mark.parametrize("overlap", [0, 8, 30])
def test_a_network_of_single_pixels_gives_what_they_say(pointwise: Path, tissue_slide: Path, overlap: int) -> None:
    with WSI(tissue_slide, 32, 16) as wsi:
        scores = Segmenter.load(pointwise).scores(wsi, overlap=overlap)
        green = wsi.overview(500, 380)[..., 1].astype(np.float64)
        assert scores.values.shape == (380, 500, 1)
        assert np.allclose(scores.values[..., 0], 1 / (1 + np.exp(-(200 - green) / 20)), atol=1e-5)
        assert scores.dimensions == wsi.dimensions


def test_classes_add_up_to_one(tissue_slide: Path, tmp_path: Path) -> None:
    # Arrange
    weights = np.random.default_rng(0).normal(0, 0.05, (3, 3))
    model = save_pointwise(tmp_path, CLASSES, weights, [1, -1, 0])

    # Act
    with WSI(tissue_slide, 32, 16) as wsi:
        values = Segmenter.load(model).scores(wsi).values
        logits = wsi.overview(500, 380).astype(np.float64) @ weights + [1, -1, 0]

    # Assert
    assert np.allclose(values.sum(axis=-1), 1, atol=1e-5)
    powers = np.exp(logits)
    assert np.allclose(values, powers / powers.sum(axis=-1, keepdims=True), atol=1e-4)


def test_windows_leave_no_trace(unet: Path, make_slide, tissue: np.ndarray, tmp_path: Path) -> None:
    # Arrange: the same network, in windows of 96 px and in one that holds the whole slide.
    network, config = load_model_and_config(unet)
    small = save_model(tmp_path / "small", network, config.model_copy(update={"size": 96}))
    large = save_model(tmp_path / "large", network, config.model_copy(update={"size": 256}))

    # Act
    with WSI(make_slide(tissue[200:500, 200:600]), 32, 16) as wsi:
        mended = Segmenter.load(small).scores(wsi, overlap=48).values
        coarse = Segmenter.load(small).scores(wsi, overlap=0).values
        whole = Segmenter.load(large).scores(wsi).values

    # Assert
    assert Segmenter.load(small).reach == 24
    assert whole.std() > 0.01
    inner = np.s_[24:-24, 24:-24]
    assert np.abs(mended[inner] - whole[inner]).max() < 1e-4
    assert np.abs(coarse[inner] - whole[inner]).max() > 1e-3


def test_a_copy_in_another_process_gives_the_same(pointwise: Path, tissue_slide: Path) -> None:
    segmenter = Segmenter.load(pointwise / "model.keras")
    with WSI(tissue_slide, 32, 16) as wsi:
        values = segmenter.scores(wsi).values
        again = pickle.loads(pickle.dumps(segmenter))
        assert np.array_equal(again.scores(wsi).values, values)
    assert again.key == segmenter.key
    assert len(pickle.dumps(segmenter)) < 5000


def test_a_large_slide_has_a_map_of_bounded_size(
    pointwise: Path, tissue_slide: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slidekit.slide.segmentation.predict._MOST_CELLS", 20_000)
    with WSI(tissue_slide, 32, 16) as wsi:
        scores = Segmenter.load(pointwise).scores(wsi, overlap=0)
        whole = wsi.overview(500, 380)[..., 1].astype(np.float64)
    assert scores.values.shape == (95, 125, 1)
    logistic = 1 / (1 + np.exp(-(200 - whole) / 20))
    assert np.allclose(scores.values[..., 0], logistic.reshape(95, 4, 125, 4).mean(axis=(1, 3)), atol=1e-5)


@pytest.mark.parametrize("overlap", [-1, 64])
def test_an_overlap_that_is_no_part_of_a_window_is_told(pointwise: Path, tissue_slide: Path, overlap: int) -> None:
    with WSI(tissue_slide, 32, 16) as wsi, pytest.raises(QCError, match="overlap"):
        Segmenter.load(pointwise).scores(wsi, overlap=overlap)


def test_what_is_no_model_is_told(pointwise: Path, tissue_slide: Path, tmp_path: Path) -> None:
    # Arrange
    bare, torn, foreign = tmp_path / "bare", tmp_path / "torn", tmp_path / "foreign"
    for folder in (bare, torn):
        folder.mkdir()
        (folder / "model.keras").write_bytes((pointwise / "model.keras").read_bytes()[:1000])
    BINARY.save(torn)
    save_pointwise(foreign, CLASSES, np.ones((3, 3)), [0, 0, 0])
    BINARY.save(foreign)

    # Act / Assert
    for path in (tmp_path / "absent", tmp_path, tissue_slide, bare):
        with pytest.raises(QCError) as raised:
            Segmenter.load(path)
        assert "slidekit trained" in raised.value.mend
    with WSI(tissue_slide, 32, 16) as wsi:
        with pytest.raises(QCError, match="cannot load"):
            Segmenter.load(torn).scores(wsi)
        with pytest.raises(QCError, match="its config says"):
            Segmenter.load(foreign).scores(wsi)
    with pytest.raises(QCError, match="cannot load"):
        load_model_and_config(torn)


def test_without_keras_it_says_what_to_install(pointwise: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "slidekit.slide.qc.scorers.keras", None)
    with pytest.raises(MissingExtraError, match=r"slidekit\[tensorflow\]"):
        load_model_and_config(pointwise)
