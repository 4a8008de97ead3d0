"""ONNX files by OpenCV and by onnxruntime: the same numbers as a computation in float64."""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import QCError
from slidekit.slide.qc.scorers.base import first_line, sentence
from slidekit.slide.qc.scorers.files import FileScorer
from slidekit.slide.qc.scorers.onnx_header import input_shape
from slidekit.slide.qc.scorers.resolve import resolve_scorer
from tests.slide.qc.scorers import small_networks as small

needs_onnxruntime = pytest.mark.skipif(find_spec("onnxruntime") is None, reason="onnxruntime is not installed")
KINDS = [pytest.param("onnx", marks=needs_onnxruntime), "opencv"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"size": None}, {"batch_size": 2}, {"last": True}], ids=str)
def test_gives_the_scores_of_its_weights(tmp_path: Path, kind: str, options: dict) -> None:
    scorer = FileScorer(small.write_onnx(tmp_path / "small.onnx", **options), kind)

    found = scorer(small.batch(5))

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, small.scores(small.batch(5)), atol=1e-6)
    assert scorer.window == (None if "size" in options else (small.SIZE, small.SIZE))


@pytest.mark.parametrize("kind", KINDS)
def test_scores_of_pixels_have_their_classes_last(tmp_path: Path, kind: str) -> None:
    scorer = FileScorer(small.write_onnx(tmp_path / "small.onnx", dense=True), kind)

    found = scorer(small.batch())

    np.testing.assert_allclose(found, small.pixel_scores(small.batch()), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_batches_of_many_sizes_one_after_another(tmp_path: Path, kind: str) -> None:
    scorer = FileScorer(small.write_onnx(tmp_path / "small.onnx"), kind)

    for count in (4, 1, 7):
        np.testing.assert_allclose(scorer(small.batch(count)), small.scores(small.batch(count)), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_another_size_are_told(tmp_path: Path, kind: str) -> None:
    # Two columns are less than the convolution needs.
    scorer = FileScorer(small.write_onnx(tmp_path / "small.onnx"), kind)

    with pytest.raises(QCError, match=r"small\.onnx.*cannot work on images"):
        scorer(np.zeros((1, 2, 2, 3), np.float32))


def test_input_shape_is_what_the_file_says(tmp_path: Path) -> None:
    path = small.write_onnx(tmp_path / "small.onnx", batch_size=3, size=None)

    assert input_shape(str(path)) == (3, 3, None, None)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_told(tmp_path: Path, kind: str) -> None:
    path = small.write_onnx(tmp_path / "small.onnx")
    path.write_bytes(path.read_bytes()[:150])

    with pytest.raises(QCError, match=r"small\.onnx"):
        FileScorer(path, kind)(small.batch())


def test_networks_of_other_channels_are_told(tmp_path: Path) -> None:
    path = small.write_onnx(tmp_path / "small.onnx", channels=4)

    with pytest.raises(QCError, match="not RGB"):
        FileScorer(path, "opencv")(small.batch())


def test_a_copy_in_another_process_loads_the_same_file_or_says_that_it_changed(tmp_path: Path) -> None:
    # Arrange
    path = small.write_onnx(tmp_path / "small.onnx")
    scorer = resolve_scorer(str(path))
    sent = pickle.dumps(scorer)

    # Act
    copy = pickle.loads(sent)

    # Assert
    assert copy.key == scorer.key
    np.testing.assert_array_equal(copy(small.batch()), scorer(small.batch()))
    small.write_onnx(path, size=None)
    with pytest.raises(QCError, match="has changed"):
        pickle.loads(sent)(small.batch())
    assert resolve_scorer(path).key != scorer.key


def test_files_that_are_no_models_are_told(tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("no")

    with pytest.raises(QCError, match=r"\.onnx"):
        resolve_scorer(tmp_path / "model.txt")
    with pytest.raises(QCError, match="no such model"):
        resolve_scorer(tmp_path / "absent.onnx")
    with pytest.raises(QCError, match="int is not a model"):
        resolve_scorer(7)


@needs_onnxruntime
def test_weights_in_a_file_beside_it_belong_to_it(tmp_path: Path) -> None:
    # Arrange
    path = small.write_onnx(tmp_path / "small.onnx", weights_in="small.data")
    weights = np.ascontiguousarray(small.KERNEL.transpose(3, 2, 0, 1))
    (tmp_path / "small.data").write_bytes(weights.tobytes())
    before = resolve_scorer(path)

    # Act
    found = before(small.batch())
    (tmp_path / "small.data").write_bytes((-weights).tobytes())

    # Assert
    np.testing.assert_allclose(found, small.scores(small.batch()), atol=1e-6)
    assert resolve_scorer(path).key != before.key
    (tmp_path / "small.data").unlink()
    with pytest.raises(QCError, match=r"small\.data"):
        resolve_scorer(path)


@pytest.mark.parametrize("place", ["../small.data", "/etc/passwd", "a/../../small.data", "..\\small.data"])
def test_weights_outside_the_folder_are_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(QCError, match="outside its own folder"):
        resolve_scorer(small.write_onnx(tmp_path / "small.onnx", weights_in=place))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_was_cut_off_is_called_damaged(tmp_path: Path, kind: str) -> None:
    path = small.write_onnx(tmp_path / "small.onnx")
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(QCError, match="damaged"):
        FileScorer(path, kind)(small.batch())


def test_the_home_folder_may_be_meant(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    small.write_onnx(tmp_path / "small.onnx")

    assert resolve_scorer("~/small.onnx").path == tmp_path / "small.onnx"


def test_what_frameworks_say_is_one_readable_line() -> None:
    assert first_line(ValueError("\x1b[1mExpected\x1b[0m 3\nmore")) == "Expected 3"
    assert sentence(KeyError("conv1")) == "KeyError: conv1."
    assert sentence(ValueError("why: ")) == "why."
    cut = first_line(ValueError("word " * 100))
    assert cut.endswith("word …")
    assert len(cut) <= 302
