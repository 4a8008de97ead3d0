"""A checkpoint says of which training it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from slidekit.errors import SpecError
from slidekit.segment.training.checkpoint import Checkpoint
from slidekit.slide.segmentation.config import SegmentConfig

CONFIG = SegmentConfig(labels=["a"])
SLIDES = {"s1": {"use": "training", "regions": "1"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    CONFIG.save(tmp_path)
    Checkpoint("old", (), {}, slides=SLIDES).save(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("config", "slides", "said"),
    [
        (SegmentConfig(labels=["b"], seed=3), {}, r"another config: labels=\[a\], not \[b\]; seed=0, not 3\."),
        (CONFIG, {**SLIDES, "s2": {}}, r"on other data: new: s2\."),
        (CONFIG, {"s1": {"use": "training", "regions": "2"}}, r"on other data: other regions: s1\."),
        (CONFIG, SLIDES, r"another config, or on other data\."),
    ],
)
def test_what_differs_is_named(folder: Path, config, slides, said) -> None:
    checkpoint = Checkpoint.load(folder)
    assert checkpoint is not None
    with pytest.raises(SpecError, match=said):
        checkpoint.check("new", folder, config, slides)
    checkpoint.check("old", folder, config, slides)


def test_without_a_record_it_says_what_may_be(folder: Path) -> None:
    checkpoint = Checkpoint.load(folder)
    assert checkpoint is not None
    (folder / "segment_config.json").unlink()
    with pytest.raises(SpecError, match="another config, or on other data"):
        replace(checkpoint, slides={}).check("new", folder, CONFIG, SLIDES)
