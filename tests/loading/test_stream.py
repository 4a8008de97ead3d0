"""Batches by their place: cut from the order, with their records, labels and seeds; positions written and read."""

from __future__ import annotations

import json
import pickle
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_files import slideflow_folder
from tile_folder import COUNTS, Given, TileFolder, make_folder

from slidekit.errors import DatasetError, RecordError, SpecError
from slidekit.loading.options import LoaderOptions, read_options
from slidekit.loading.order import Order
from slidekit.loading.position import Cursor, Position, read_state, write_state

TOTAL = sum(COUNTS.values())


def test_a_normaliser_that_is_none_is_not_passed_over() -> None:
    with pytest.raises(SpecError, match="is no stain normaliser"):
        LoaderOptions(normalizer=lambda images: images)


@pytest.mark.parametrize(("drop_last", "sizes"), [(False, [4, 4, 4, 4, 4, 4, 1]), (True, [4, 4, 4, 4, 4, 4])])
def test_batches_are_the_order_cut(tiles: TileFolder, drop_last: bool, sizes: list[int]) -> None:
    stream = tiles.stream(batch_size=4, drop_last=drop_last, seed=5)

    batches = [stream.numbers(1, batch) for batch in range(stream.num_batches())]

    assert [len(batch) for batch in batches] == sizes
    assert np.concatenate(batches).tolist() == stream.order.epoch(1)[: sum(sizes)].tolist()
    with pytest.raises(IndexError):
        stream.numbers(1, len(sizes))


def test_records_come_with_slide_place_and_file(tiles: TileFolder) -> None:
    stream = tiles.stream(batch_size=3)
    numbers = [7, 0, 24, 8]

    found = stream.read(numbers)

    assert found.slides == ["b", "a", "d", "c"]
    assert found.locations.tolist() == [[0, 1], [0, 0], [40, 3], [0, 2]]
    assert [path.stem for path in found.paths] == found.slides
    assert found.labels is None
    assert len(found) == 4


def test_labels_of_slides_and_of_tiles(tiles: TileFolder) -> None:
    by_slide = Given(np.array([0, 1, 0, 2]), classes=("x", "y", "z"))
    by_tile = Given(np.arange(TOTAL, dtype=np.float32), per_tile=True)
    several = Given(np.array([[0, 5], [1, 6], [0, 7], [2, 8]]))

    assert tiles.stream(by_slide).read([0, 7, 8, 24]).labels.tolist() == [0, 1, 0, 2]
    assert tiles.stream(by_tile).read([3, 9]).labels.tolist() == [3, 9]
    assert tiles.stream(several).read([24, 0]).labels.tolist() == [[2, 8], [0, 5]]
    onehot = tiles.stream(by_slide, onehot=True).read([7, 24]).labels
    assert onehot.tolist() == [[0, 1, 0], [0, 0, 1]]
    assert onehot.dtype == np.float32
    unnamed = Given(np.array([0, 3, 0, 0]))
    assert tiles.stream(unnamed, onehot=True).read([7]).labels.tolist() == [[0, 0, 0, 1]]
    for wrong in (None, by_tile, several):
        with pytest.raises(DatasetError, match="onehot"):
            tiles.stream(wrong, onehot=True)


def test_what_has_no_label_does_not_come(tiles: TileFolder) -> None:
    files = Given(np.array([0, 1, -1, 2]), used=np.array([True, True, False, True]))
    one = Given(np.zeros(TOTAL, np.int64), per_tile=True, used=np.arange(TOTAL) % 5 == 0)

    assert sorted(tiles.stream(files).order.epoch(0)) == [*range(8), *range(20, 25)]
    assert sorted(tiles.stream(one).order.epoch(0)) == [0, 5, 10, 15, 20]
    with pytest.raises(DatasetError, match="0 tiles are left of 25"):
        tiles.stream(Given(np.zeros(4, np.int64), used=np.zeros(4, bool)))


def test_seeds_are_of_a_place_in_an_epoch_whatever_the_batches_and_shards(tiles: TileFolder) -> None:
    whole = tiles.stream(batch_size=TOTAL, seed=3).seeds(2, 0)

    cut = tiles.stream(batch_size=4, seed=3)
    shard = tiles.stream(batch_size=4, seed=3, shard_index=1, num_shards=3)

    assert np.concatenate([cut.seeds(2, batch) for batch in range(cut.num_batches())]).tolist() == whole.tolist()
    parts = [shard.seeds(2, batch) for batch in range(shard.num_batches())]
    assert np.concatenate(parts).tolist() == whole[1::3].tolist()
    assert (whole >= 0).all()
    others = [cut.seeds(1, 0), tiles.stream(batch_size=4, seed=4).seeds(2, 0)]
    assert len({*whole.tolist(), *others[0].tolist(), *others[1].tolist()}) == TOTAL + 8


def test_a_copy_by_pickle_is_the_same_stream(tiles: TileFolder) -> None:
    stream = tiles.stream(batch_size=4, seed=9)
    stream.numbers(0, 0)

    copy = pickle.loads(pickle.dumps(stream))

    assert copy.numbers(3, 2).tolist() == stream.numbers(3, 2).tolist()
    assert copy.read([4]).images == stream.read([4]).images


@given(epoch=st.integers(0, 9), batch=st.integers(0, 6), steps=st.integers(0, 40))
@settings(deadline=None, max_examples=40)
def test_positions_count_batches_over_epochs(epoch: int, batch: int, steps: int) -> None:
    after = Position(epoch, batch).after(steps, 7)

    assert after.epoch * 7 + after.batch == epoch * 7 + batch + steps
    assert 0 <= after.batch < 7


def test_a_state_is_text_and_numbers_and_comes_back(tiles: TileFolder) -> None:
    stream = tiles.stream(batch_size=4, seed=1)

    state = json.loads(json.dumps(write_state(stream, Position(3, 5))))

    assert read_state(tiles.stream(batch_size=4, seed=1), state) == Position(3, 5)
    # How images are made ready does not change what comes when.
    assert read_state(tiles.stream(batch_size=4, seed=1, augment="xy", standardize=True), state) == Position(3, 5)


def test_a_state_of_another_loader_is_refused(tiles: TileFolder, tmp_path: Path) -> None:
    state = write_state(tiles.stream(batch_size=4, seed=1), Position(3, 5))

    with pytest.raises(DatasetError, match="seed was 1, is 2, batch_size was 9, is 4"):
        read_state(tiles.stream(batch_size=4, seed=2), {**state, "batch_size": 9})
    with pytest.raises(DatasetError, match="num_shards was 1, is 2"):
        read_state(tiles.stream(batch_size=4, seed=1, shard_index=1, num_shards=2), state)
    for other in (
        make_folder(tmp_path / "counts", {**COUNTS, "d": 6}).stream(batch_size=4, seed=1),
        make_folder(tmp_path / "names", {"e": 7, "b": 1, "c": 12, "d": 5}).stream(batch_size=4, seed=1),
        tiles.stream(batch_size=4, seed=1, weights=[1, 1, 1, 1]),
        tiles.stream(batch_size=4, seed=1, clip=[7, 1, 11, 5]),
    ):
        with pytest.raises(DatasetError, match="tiles, which of them have labels, weights or clip are others"):
            read_state(other, state)


@pytest.mark.parametrize("state", [{}, {"epoch": 1}, None, {"version": 9, "epoch": 0, "batch": 0}])
def test_what_is_no_state_is_refused(tiles: TileFolder, state: object) -> None:
    with pytest.raises(DatasetError, match="not the state of a loader"):
        read_state(tiles.stream(), state)


def test_a_position_that_does_not_exist_is_refused(tiles: TileFolder) -> None:
    stream = tiles.stream(batch_size=4)
    with pytest.raises(DatasetError, match="batch 7, does not exist"):
        read_state(stream, {**write_state(stream, Position(0, 0)), "batch": 7})


def test_an_iteration_is_the_next_epoch_unless_a_position_was_set(tiles: TileFolder) -> None:
    cursor = Cursor(tiles.stream(batch_size=4))

    track = cursor.track

    assert cursor.begin(track) == (0, 0)
    cursor.reach(track, Position(0, 3))
    state = cursor.state_dict()
    assert cursor.begin(track) == (1, 0)
    assert cursor.begin(track) == (2, 0)  # the one before goes on
    cursor.reach(track, Position(2, 0))
    cursor.reach(track, Position(3, 0))
    assert cursor.begin(track) == (3, 0)
    cursor.reach(track, Position(6, 1))  # without end
    assert cursor.begin(track) == (7, 0)
    cursor.load_state_dict(state)
    cursor.reach(track, Position(7, 2))  # of an iteration from before
    assert cursor.begin(track) == (8, 0)
    assert cursor.state_dict() == state
    assert cursor.begin(cursor.track) == (0, 3)
    cursor.set_epoch(7)
    assert cursor.begin(cursor.track) == (7, 0)


def test_epochs_are_whole_numbers_of_any_library(tiles: TileFolder) -> None:
    cursor = Cursor(tiles.stream(batch_size=4))

    cursor.set_epoch(np.int64(2))

    assert json.loads(json.dumps(cursor.state_dict()))["epoch"] == 2
    for wrong in (-1, 1.5, True, "1"):
        with pytest.raises(SpecError, match="epoch="):
            cursor.set_epoch(wrong)


def test_the_state_of_a_shard_is_that_of_the_others(tiles: TileFolder) -> None:
    # 25 tiles: 13 of shard 0, which has a seventh batch, and 12 of shard 1
    zero, one = (tiles.stream(batch_size=2, shard_index=index, num_shards=2) for index in range(2))

    assert read_state(one, write_state(zero, Position(3, 5))) == (3, 5)
    assert read_state(one, write_state(zero, Position(3, 6))) == (4, 0)
    assert read_state(zero, write_state(one, Position(3, 5))) == (3, 5)
    with pytest.raises(DatasetError, match="does not exist"):
        read_state(one, {**write_state(one, Position(3, 0)), "batch": 6})


def test_two_iterations_at_a_time_work_out_two_orders(tiles: TileFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = tiles.stream(batch_size=4)
    asked: list[int] = []
    work_out = Order.epoch
    monkeypatch.setattr(Order, "epoch", lambda order, number: asked.append(number) or work_out(order, number))

    found = [stream.numbers(epoch, batch) for batch in range(7) for epoch in (0, 1)]

    assert asked == [0, 1]
    for epoch in (0, 1):
        assert np.concatenate(found[epoch::2]).tolist() == work_out(stream.order, epoch).tolist()


def test_labels_of_slides_are_given_to_no_other_slide(tmp_path: Path) -> None:
    # Arrange
    folder = make_folder(tmp_path)
    (tmp_path / "a.tfrecords").rename(tmp_path / "kept")
    (tmp_path / "b.tfrecords").rename(tmp_path / "a.tfrecords")
    (tmp_path / "kept").rename(tmp_path / "b.tfrecords")
    for index in tmp_path.glob("*.index*"):
        index.unlink()
    of_slides, of_tiles = Given(np.arange(4)), Given(np.arange(TOTAL), per_tile=True)

    # Act / Assert: tile 0 is the first of the file a, 20 is one of d
    with pytest.raises(RecordError, match=r"a\.tfrecords: .* slide 'b', .* label of slide 'a'.*roi_labels"):
        folder.stream(of_slides).read([20, 0])
    assert folder.stream(of_slides).read([20]).slides == ["d"]
    assert folder.stream(of_tiles).read([0]).slides == folder.stream().read([0]).slides == ["b"]


def test_accents_may_be_written_in_two_ways(tmp_path: Path) -> None:
    paths = slideflow_folder(tmp_path, {unicodedata.normalize("NFC", "Zoë"): [(b"image", 1, 2)]})
    other = paths[0].rename(tmp_path / f"{unicodedata.normalize('NFD', 'Zoë')}.tfrecords")

    found = TileFolder(tmp_path, [other]).stream(Given(np.array([5]))).read([0])

    assert found.labels.tolist() == [5]


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"batch_size": 2.5},
        {"batch_size": True},
        {"batch_size": np.array([4, 5])},
        {"seed": -1},
        {"num_shards": 0},
        {"shard_index": 2, "num_shards": 2},
        {"augment": "q"},
        {"augment": "n"},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SpecError):
        LoaderOptions(**wrong)


def test_whole_numbers_may_be_of_any_library() -> None:
    options = LoaderOptions(batch_size=np.int64(4), seed=np.uint8(3), num_shards=np.int32(2), shard_index=np.int16(1))

    assert options == LoaderOptions(batch_size=4, seed=3, num_shards=2, shard_index=1)
    assert {type(value) for value in (options.batch_size, options.seed)} == {int}


def test_options_are_read_by_all_their_names() -> None:
    expected = LoaderOptions(batch_size=4, shard_index=1, num_shards=2)

    for index in ("shard_index", "shard_idx", "rank"):
        for number in ("num_shards", "num_replicas"):
            assert read_options({"batch_size": 4, index: 1, number: 2}) == expected
    with pytest.raises(SpecError, match=r"'num_workers'.*batch_size, .*even_shards.*rank"):
        read_options({"num_workers": 2})
    with pytest.raises(SpecError, match="twice"):
        read_options({"rank": 1, "shard_index": 1, "num_shards": 2})
    with pytest.raises(SpecError, match=r"shard_index=5 \(shard_idx, rank\) is none of 2 shards"):
        read_options({"rank": 5, "num_replicas": 2})


def test_options_know_their_letters() -> None:
    options = LoaderOptions(augment="nyx", normalizer="macenko")

    assert options.augments_stains
    assert options.image_letters == "xy"
    assert options.method is not None
    assert options.method.method == "macenko"
    assert LoaderOptions(augment=True).letters == LoaderOptions(augment="xyrjb").letters
