"""What can be asked of the faces, and what a batch is made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import DatasetError, SpecError
from slidekit.sampling.feeding.faces import INFO, FaceOptions, facts_of, pack, targets_of
from slidekit.sampling.feeding.source import SamplerSource
from slidekit.sampling.slides import SampledSlide
from tests.sampling.face_slides import make_sampler


def slides(*labels: object) -> list[SampledSlide]:
    return [SampledSlide(Path(f"{number}.svs"), str(number), label=label) for number, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": 4, "start": -1}, "start=-1"),
        ({"batch_size": 4, "rank": 2, "num_replicas": 2}, "rank=2 is none of 2"),
        ({"batch_size": 4, "scaling": "0-1"}, "scaling='0-1'.*0..1"),
        ({"batch_size": 4, "channels": "middle"}, "channels='middle'"),
    ],
)
def test_what_makes_no_sense_is_said(given, said) -> None:
    with pytest.raises(SpecError, match=said):
        FaceOptions(**given)


def test_targets_are_numbers_or_texts_of_one_kind() -> None:
    assert targets_of(slides(None, None)) is None
    assert targets_of(slides(1, 0)).dtype == np.int64
    assert targets_of(slides(1, 0.5)).dtype == np.float32
    assert targets_of(slides("b", "a")).tolist() == ["b", "a"]
    assert targets_of(slides([1, 0], [0, 1])).shape == (2, 2)
    for wrong in (slides(1, None), slides([1, 2], [1]), slides({}, {})):
        with pytest.raises(DatasetError):
            targets_of(wrong)


def test_replicas_have_each_step_once(tmp_path: Path) -> None:
    # Arrange
    source = SamplerSource(make_sampler(tmp_path))

    # Act
    seen = []
    for rank in range(3):
        options = FaceOptions(4, start=5, steps=20, rank=rank, num_replicas=3)
        with options.open(source, workers=0) as feed:
            batches = list(feed)
        assert len(batches) == options.batches(source)
        seen.append([step for batch in batches for step in batch.steps.tolist()])

    # Assert
    assert seen == [list(range(5 + rank, 25, 3)) for rank in range(3)]


def test_a_batch_says_what_is_asked_for(tmp_path: Path) -> None:
    sampler = make_sampler(tmp_path)
    batch = sampler[3:8]

    images, targets, info = pack(batch, batch.images, targets_of(sampler.slides), info=True)

    assert images is batch.images
    assert targets.tolist() == [0 if slide != "s1" else 1 for slide in batch.slides]
    assert tuple(info) == INFO
    assert info["step"].tolist() == [3, 4, 5, 6, 7]
    assert np.array_equal(np.stack([info["loc_x"], info["loc_y"]], 1), np.floor(batch.centres))
    assert pack(batch, batch.images, None) is batch.images
    assert all(len(value) == 5 for value in facts_of(batch).values())
