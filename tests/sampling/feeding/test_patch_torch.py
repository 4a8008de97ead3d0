"""`PatchSampler.torch`: the feed's batches as tensors, resumed, resized, and for several replicas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import SpecError
from tests.sampling.face_slides import PX, make_sampler, write_noise

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def sampler(tmp_path_factory):
    return make_sampler(tmp_path_factory.mktemp("torch"))


def steps_of(stream) -> list[int]:
    return [step for *_, info in stream for step in info["step"].tolist()]


def test_tensors_are_the_patches(sampler) -> None:
    expected = sampler[0:6]

    stream = sampler.torch(4, steps=6, info=True, workers=0)
    batches = list(stream)

    assert len(stream) == len(batches) == 2
    images = torch.cat([batch[0] for batch in batches])
    assert images.shape == (6, 3, PX, PX)
    assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), expected.images)
    assert torch.cat([batch[1] for batch in batches]).tolist() == expected.targets
    assert [slide for batch in batches for slide in batch[2]["slide"]] == expected.slides
    assert stream.report.patches == 6


@pytest.mark.parametrize(("scaling", "low", "high"), [("0..1", 0.0, 1.0), ("-1..1", -1.0, 1.0), ("0..255", 0.0, 255.0)])
def test_values_are_scaled(sampler, scaling, low, high) -> None:
    given = sampler[0:4].images.astype(np.float64)

    images, _ = next(iter(sampler.torch(4, steps=4, scaling=scaling, channels="last", workers=0)))

    assert images.dtype == torch.float32
    assert np.allclose(images.numpy(), low + given / 255 * (high - low), atol=1e-5)


def test_each_iteration_goes_on_behind_the_last_and_a_state_goes_on(sampler) -> None:
    # Arrange
    stream = sampler.torch(4, start=2, steps=12, info=True, workers=0)
    whole = steps_of(stream)

    # Act
    half = iter(stream)
    next(half)
    state = stream.state_dict()
    half.close()
    other = sampler.torch(3, steps=14, info=True, workers=0)
    other.load_state_dict(state)

    # Assert
    assert whole == list(range(2, 14))
    assert state["step"] == 14 + 4
    assert steps_of(stream) == list(range(26, 38))
    assert len(other) == 4  # 18 to 28: the rest of the second iteration, of 14 steps
    assert steps_of(other) == list(range(18, 28))
    assert steps_of(other) == list(range(28, 42))
    with pytest.raises(SpecError, match="other slides or parameters"):
        sampler.replace(seed=4).torch(4, workers=0).load_state_dict(state)


def test_two_iterations_do_not_disturb_each_other(sampler) -> None:
    stream = sampler.torch(4, steps=12, info=True, workers=0)
    first = iter(stream)
    begun = next(first)[-1]["step"].tolist()

    second = iter(stream)
    stream.configure(batch_size=3)

    assert next(second)[-1]["step"].tolist() == [12, 13, 14]
    assert begun + steps_of(first) == list(range(12))
    assert steps_of(second) == list(range(15, 24))


@pytest.mark.parametrize("steps", [None, 192])
def test_a_state_of_a_list_leaves_the_epochs_after_it_whole(sampler, steps) -> None:
    grid = sampler.replace(mode="grid")
    stream = grid.torch(16, steps=steps, info=True, workers=0)

    stream.load_state_dict(grid.state(40))

    assert len(grid) == 192
    assert [len(stream), len(list(stream)), len(stream), len(list(stream))] == [10, 10, 12, 12]
    assert stream.state_dict()["step"] == 384
    stream.load_state_dict(grid.state(190))
    assert steps_of(stream) == [190, 191]
    with pytest.raises(SpecError, match="not the state"):
        stream.load_state_dict(None)


def test_a_state_with_too_little_for_a_batch_is_of_the_next_iteration(sampler) -> None:
    stream = sampler.torch(8, steps=20, drop_last=True, info=True, workers=0)

    stream.load_state_dict(sampler.state(16))

    assert steps_of(stream) == list(range(20, 36))


def test_a_state_of_another_size_is_one_of_the_stream_as_it_was_made(sampler) -> None:
    stream = sampler.torch(4, steps=8, info=True, workers=0)
    stream.configure(tile_px=8)
    batches = iter(stream)
    next(batches)

    other = sampler.torch(4, steps=8, info=True, workers=0)
    other.load_state_dict(stream.state_dict())

    assert steps_of(other) == [4, 5, 6, 7]


def test_a_state_of_one_replica_is_that_of_all(sampler) -> None:
    stream = sampler.torch(2, steps=30, rank=1, num_replicas=3, info=True, workers=0)
    taken = [step for _, (*_, info) in zip(range(2), stream, strict=False) for step in info["step"].tolist()]

    rest = []
    for rank in range(2):
        other = sampler.torch(2, steps=30, rank=rank, num_replicas=2, info=True, workers=0)
        other.load_state_dict(stream.state_dict())
        rest += steps_of(other)

    assert taken == [1, 4, 7, 10]
    assert sorted(rest) == list(range(12, 30))


def test_size_and_number_change_while_they_come(sampler) -> None:
    # Arrange
    stream = sampler.torch(4, info=True, workers=0)
    batches = iter(stream)

    # Act
    *_, before = next(batches)
    stream.configure(tile_px=2 * PX, batch_size=2)
    images, _, after = next(batches)
    batches.close()

    # Assert
    assert images.shape == (2, 3, 2 * PX, 2 * PX)
    assert before["step"].tolist() + after["step"].tolist() == list(range(6))
    same = sampler[4:6]
    assert np.abs(after["loc_x"].numpy() - same.loc[:, 0]).max() <= 1
    assert np.allclose(after["mpp"].numpy() * 2 * PX, same.mpp * PX)
    assert np.abs(images.float().mean((1, 2, 3)).numpy() - same.images.mean((1, 2, 3))).max() < 3


def test_without_end_there_is_no_length(sampler) -> None:
    with pytest.raises(TypeError, match="steps="):
        len(sampler.torch(4))


def test_options_that_there_are_not_are_said_at_once(sampler) -> None:
    for wrong in ({"num_workers": 2}, {"copy": False}):
        with pytest.raises(SpecError, match=r"There is no option .*look_ahead"):
            sampler.torch(4, **wrong)


def test_workers_of_a_data_loader_are_refused(sampler) -> None:
    from slidekit.sampling.feeding.torch import data

    stream = sampler.torch(4, steps=4, workers=0)
    loader = data.DataLoader(stream, batch_size=None, num_workers=0)
    assert next(iter(loader))[0].shape == (4, 3, PX, PX)
    original = data.get_worker_info
    data.get_worker_info = lambda: object()
    try:
        with pytest.raises(SpecError, match="num_workers=0"):
            iter(stream)
    finally:
        data.get_worker_info = original


def test_views_and_label_images_come_along(tmp_path: Path) -> None:
    import cv2

    slides = []
    for slide in write_noise(tmp_path / "slides", labels=()):
        path = tmp_path / f"{slide.name}.png"
        cv2.imwrite(str(path), np.repeat([[1, 2]], 16, 0).repeat(8, 1).astype(np.uint8))
        slides.append(type(slide)(slide.path, slide.name, mask=slide.mask, label_mask=path))
    sampler = make_sampler(tmp_path, slides, views=[(8, 4.0)], classes=(1, 2), label_images=True)

    (near, far), maps = next(iter(sampler.torch(4, steps=4, workers=0)))

    assert (near.shape, far.shape) == ((4, 3, PX, PX), (4, 3, 8, 8))
    assert maps.shape == (4, PX, PX)
    assert maps.dtype == torch.uint8
    assert set(maps.unique().tolist()) <= {0, 1, 2}
    assert maps.any()


def test_a_grid_ends_with_its_epoch(tmp_path: Path) -> None:
    sampler = make_sampler(tmp_path, mode="grid", tile_px=32, tile_um=32)

    stream = sampler.torch(5, info=True, workers=0)

    assert len(sampler) == 3 * 16
    assert len(stream) == 10
    assert sorted(steps_of(stream)) == list(range(48))
    assert len(list(sampler.torch(5, drop_last=True, workers=0))) == 9


def test_views_by_themselves_cannot_be_taken_for_images_and_labels(tmp_path: Path) -> None:
    sampler = make_sampler(tmp_path, write_noise(tmp_path / "slides", labels=()), views=[(8, 4.0)])

    ((near, far),) = next(iter(sampler.torch(4, steps=4, workers=0)))

    assert (near.shape, far.shape) == ((4, 3, PX, PX), (4, 3, 8, 8))


def test_a_normaliser_that_draws_draws_once_for_all_views(tmp_path: Path) -> None:
    """Views of one field, and of as many pixels, are one picture."""
    sampler = make_sampler(
        tmp_path, write_noise(tmp_path / "slides", labels=()), views=[(PX, 1.0)], normalizer="augment"
    )
    plain = make_sampler(tmp_path, write_noise(tmp_path / "slides", labels=()), views=[(PX, 2.0)])
    drawn = plain.replace(normalizer="augment")

    near, far = sampler[0:4].images
    (raw_near, raw_far), (_, drawn_far) = plain[0:4].images, drawn[0:4].images

    assert np.array_equal(near, far)
    normalizer = drawn.spec.normalizer
    for k in range(4):
        assert np.array_equal(drawn_far[k], normalizer.normalize(raw_far[k], like=raw_near[k]).image)
    assert not np.array_equal(drawn_far, normalizer.transform(raw_far))
