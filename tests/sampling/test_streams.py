"""Several streams side by side: of the same steps, drawn independently, resumed by one integer."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit.errors import SpecError
from slidekit.sampling.streams import zip_samplers
from tests.sampling.face_slides import make_sampler


@pytest.fixture(scope="module")
def sampler(tmp_path_factory):
    return make_sampler(tmp_path_factory.mktemp("streams"))


def test_streams_come_side_by_side_and_end_with_the_shortest(sampler) -> None:
    streams = zip_samplers({"A": sampler, "B": sampler.replace(mode="grid")}, 50)

    batches = list(streams.batches(workers=0))

    assert [len(batch["B"]) for batch in batches] == [50, 50, 50, 42]
    assert all(batch["A"].steps.tolist() == list(range(50 * k, 50 * k + 50)) for k, batch in enumerate(batches))


def test_samplers_of_one_seed_draw_nothing_alike_and_others_are_left_alone(sampler) -> None:
    streams = zip_samplers({"A": sampler, "B": sampler, "C": sampler.replace(seed=9)}, 4)

    plans = {name: one.plan(np.arange(300)) for name, one in streams.samplers.items()}

    assert streams.samplers["C"].spec.seed == 9
    assert len({one.spec.seed for one in streams.samplers.values()}) == 3
    # Of three slides, a third agrees by chance: 100 of 300, with a deviation of 8.2.
    assert abs(int((plans["A"].slides == plans["B"].slides).sum()) - 100) < 40
    again = zip_samplers({"A": sampler, "B": sampler}, 4)
    assert np.array_equal(again.samplers["A"].plan(np.arange(9)).centres, plans["A"].centres[:9])


def test_one_integer_resumes_all(sampler) -> None:
    streams = zip_samplers({"A": sampler, "B": sampler}, 4)
    whole = list(streams.batches(steps=12, workers=0))

    start = streams.check_state(streams.state(8))
    rest = list(streams.batches(start=start, steps=4, workers=0))

    assert len(rest) == 1
    assert all(np.array_equal(rest[0][name].images, whole[2][name].images) for name in "AB")
    with pytest.raises(SpecError, match="not of the streams A, B"):
        streams.check_state(zip_samplers({"A": sampler}, 4).state(8))
    with pytest.raises(SpecError, match="other slides or parameters"):
        streams.check_state(zip_samplers({"A": sampler, "B": sampler.replace(seed=8)}, 4).state(8))
    mixed = streams.state(8)
    mixed["streams"]["B"]["step"] = 4
    with pytest.raises(SpecError, match="different steps"):
        streams.check_state(mixed)


def test_all_are_resized(sampler) -> None:
    streams = zip_samplers({"A": sampler, "B": sampler}, 4).resized(8, batch_size=2)

    assert streams.check_state(zip_samplers({"A": sampler, "B": sampler}, 4).state(8)) == 8
    batch = next(streams.batches(steps=2, workers=0))

    assert {name: one.images.shape for name, one in batch.items()} == dict.fromkeys("AB", (2, 8, 8, 3))


def test_options_that_make_no_sense_are_said_at_once(sampler) -> None:
    streams = zip_samplers({"A": sampler}, 4)

    with pytest.raises(SpecError, match="no option 'num_workers'"):
        streams.batches(num_workers=2)
    with pytest.raises(SpecError, match="start=-1"):
        streams.batches(start=-1)


def test_no_stream_is_an_error() -> None:
    with pytest.raises(SpecError, match="no stream"):
        zip_samplers({}, 4)


@pytest.mark.torch
def test_tensors_of_all_streams(sampler) -> None:
    pytest.importorskip("torch")
    streams = zip_samplers({"A": sampler, "B": sampler}, 4)

    found = list(streams.torch(steps=8, workers=0, channels="last"))

    expected = list(streams.batches(steps=8, workers=0))
    assert len(found) == len(expected) == 2
    for batch, other in zip(found, expected, strict=True):
        assert all(np.array_equal(batch[name][0].numpy(), other[name].images) for name in "AB")
