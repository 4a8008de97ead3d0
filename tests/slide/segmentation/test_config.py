"""What a segmentation network is told."""

from __future__ import annotations

import json
import pickle

import pytest

from slidekit.errors import SpecError
from slidekit.slide.segmentation.config import SegmentConfig


@pytest.mark.parametrize(
    ("options", "out_classes", "names"),
    [
        ({}, 1, ("tissue",)),
        ({"labels": "tumor"}, 1, ("tumor",)),
        ({"labels": ["a", "b"]}, 1, ("tissue",)),
        ({"mode": "multiclass", "labels": ["a", "b"]}, 3, ("background", "a", "b")),
        ({"mode": "multilabel", "labels": ["a", "b"]}, 2, ("a", "b")),
        ({"mode": "multilabel"}, None, ()),
    ],
)
def test_classes_follow_from_mode_and_labels(options, out_classes, names) -> None:
    config = SegmentConfig(**options)
    assert config.out_classes == out_classes
    assert config.class_names == names


def test_labels_of_the_data_complete_it() -> None:
    # Arrange
    config = SegmentConfig(mode="multiclass", lr=0.01)
    # Act
    completed = config.with_labels(("x", "y"))
    # Assert
    assert (completed.labels, completed.out_classes, completed.lr) == (("x", "y"), 3, 0.01)
    assert completed.with_labels(("other",)) is completed
    with pytest.raises(SpecError, match="needs labels"):
        config.with_labels(None)
    with pytest.raises(SpecError, match="out_classes=3"):
        SegmentConfig(mode="multiclass", out_classes=3).with_labels(("x",))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"arch": "FPN"}, "'fpn' is no network here; there is unet"),
        ({"encoder_name": "resnet34"}, "Leave encoder_name out"),
        ({"size": 100}, "no multiple of 16"),
        ({"mpp": float("nan")}, "mpp=nan"),
        ({"mode": "other"}, "mode='other'"),
        ({"loss": "ce"}, "dice or bce"),
        ({"loss": "bce", "mode": "multiclass"}, "dice or ce"),
        ({"labels": ["a", "a"]}, "names one twice"),
        ({"labels": []}, "holds nothing"),
        ({"out_classes": 4}, "out_classes=4"),
        ({"colour": 1}, "colour is not a parameter of SegmentConfig."),
        ({"label": "a"}, "label is not a parameter of SegmentConfig; labels is."),
    ],
)
def test_mistakes_are_said_in_words(options, said) -> None:
    with pytest.raises(SpecError, match=said.replace("(", r"\(")):
        SegmentConfig(**options)


def test_it_is_the_same_after_a_file_and_a_pipe(tmp_path) -> None:
    # Arrange
    config = SegmentConfig("Unet", mode="multilabel", labels=["Tumör", "b"], mpp=8, seed=3)
    # Act
    config.save(tmp_path)
    # Assert
    assert json.loads((tmp_path / "segment_config.json").read_text("utf-8"))["labels"] == ["Tumör", "b"]
    assert SegmentConfig.load(tmp_path) == SegmentConfig.load(tmp_path / "segment_config.json") == config
    assert pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize("text", ["", "[]", "{", '{"arch": "FPN"}', '{"mpp": "x"}', "\udcff"])
def test_a_damaged_file_is_named(tmp_path, text) -> None:
    file = tmp_path / "segment_config.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(SpecError, match=r"segment_config\.json"):
        SegmentConfig.load(tmp_path)
