"""`Dataset.torch`: the stream of numpy, whatever the workers and the style; every tile once over ranks and workers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from record_files import slideflow_folder
from tile_folder import COUNTS, PX, Given, TileFolder, make_folder, png

import slidekit
from slidekit.errors import RecordError, SpecError
from slidekit.loading.arrays import ArrayLoader

torch = pytest.importorskip("torch")
from slidekit.loading.torch import TileLoader, TileMap  # noqa: E402

pytestmark = [
    pytest.mark.torch,
    # Two are asked for, whatever the machine; and the test process has threads.
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]

TOTAL = sum(COUNTS.values())
WAYS: list[dict[str, Any]] = [
    {},
    {"map_style": True},
    {"num_workers": 1},
    {"num_workers": 2, "persistent_workers": True},
    {"num_workers": 2, "map_style": True, "prefetch_factor": 3},
]


def places(loader: Any) -> list[tuple[int, int]]:
    """Where the tiles of the batches that are left lie; x and y are the last two of a batch."""
    return [place for *_, x, y in loader for place in zip(x.tolist(), y.tolist(), strict=True)]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_stream_is_that_of_numpy_epoch_after_epoch(tiles: TileFolder, way: dict[str, Any]) -> None:
    labels = Given(np.array([3, 1, 4, 1]))
    options: dict[str, Any] = {"batch_size": 4, "incl_slidenames": True, "incl_loc": True, "augment": "xyr", "seed": 4}
    arrays = ArrayLoader(tiles.stream(labels, **options))
    loader = TileLoader(tiles.stream(labels, **options), **way)

    for _ in range(2):
        for expected, got in zip(arrays, loader, strict=True):
            assert np.array_equal(got[0].permute(0, 2, 3, 1).numpy(), expected[0])
            assert got[2] == expected[2]
            assert all(got[part].tolist() == expected[part].tolist() for part in (1, 3, 4))
    assert (len(loader), loader.num_tiles) == (7, TOTAL)
    assert got[0].dtype == torch.uint8
    assert got[0].is_contiguous(memory_format=torch.channels_last)
    assert got[1].dtype == torch.int64


def test_two_ranks_of_two_workers_have_each_tile_once_an_epoch(tiles: TileFolder) -> None:
    loaders = [
        TileLoader(tiles.stream(batch_size=4, shard_index=rank, num_shards=2, incl_loc=True), num_workers=2)
        for rank in range(2)
    ]
    everything = {(10 * tile, slide) for slide, count in enumerate(COUNTS.values()) for tile in range(count)}
    orders = []
    for _ in range(3):
        seen = [place for loader in loaders for place in places(loader)]
        assert len(seen) == TOTAL
        assert set(seen) == everything
        orders.append(tuple(seen))
    assert len(set(orders)) == 3


@pytest.mark.parametrize(("before", "after"), [(0, 1), (1, 4), (3, 2), (4, 0), (2, 3)])
def test_a_loader_goes_on_where_another_stood(tiles: TileFolder, before: int, after: int) -> None:
    steps = int(np.random.default_rng(before).integers(1, 7))
    options: dict[str, Any] = {"batch_size": 4, "incl_loc": True, "augment": "xy"}
    first = TileLoader(tiles.stream(**options), **WAYS[before])
    first.set_epoch(2)
    iterator = iter(first)
    for _ in range(steps):
        next(iterator)
    state = json.loads(json.dumps(first.state_dict()))
    rest = list(iterator)

    second = TileLoader(tiles.stream(**options), **WAYS[after])
    second.load_state_dict(state)
    resumed = list(second)

    assert (state["epoch"], state["batch"]) == (2, steps)
    assert len(rest) == len(resumed) == 7 - steps
    assert all(
        torch.equal(a, b) for one, other in zip(rest, resumed, strict=True) for a, b in zip(one, other, strict=True)
    )
    assert places(second) == places(first)


@pytest.mark.parametrize("way", WAYS[:1] + WAYS[3:], ids=str)
def test_infinite_goes_on_through_epochs(tiles: TileFolder, way: dict[str, Any]) -> None:
    finite = TileLoader(tiles.stream(batch_size=4, incl_loc=True))
    expected = places(finite) + places(finite)
    loader = TileLoader(tiles.stream(batch_size=4, incl_loc=True, infinite=True), **way)

    iterator = iter(loader)
    got = places([next(iterator) for _ in range(14)])

    assert got == expected
    assert (loader.state_dict()["epoch"], loader.state_dict()["batch"]) == (2, 0)


def test_an_iteration_that_is_broken_off_is_followed_by_the_next_epoch(tiles: TileFolder) -> None:
    options: dict[str, Any] = {"batch_size": 4, "incl_loc": True}
    loader = TileLoader(tiles.stream(**options), num_workers=2, persistent_workers=True)
    next(iter(loader))

    second = TileLoader(tiles.stream(**options))
    second.set_epoch(1)
    assert places(loader) == places(second)


def test_single_tiles(tiles: TileFolder) -> None:
    labels = Given(np.array([3, 1, 4, 1]))
    loader = TileLoader(tiles.stream(labels, incl_slidenames=True, incl_loc=True, shuffle=False), num_workers=1)

    image, label, slide, x, y = next(iter(loader))

    assert image.shape == (3, PX, PX)
    assert (int(label), slide, int(x), int(y)) == (3, "a", 0, 0)
    assert len(loader) == TOTAL


def test_the_map_gives_tiles_by_number(tiles: TileFolder) -> None:
    loader = TileLoader(tiles.stream(Given(np.arange(4)), incl_loc=True), map_style=True)
    dataset = loader.dataset

    assert isinstance(dataset, TileMap)
    assert len(dataset) == TOTAL
    assert [int(part) for part in dataset[9][1:]] == [2, 10, 2]
    assert torch.equal(dataset[-1][0], dataset[TOTAL - 1][0])
    assert torch.equal(dataset[np.int64(3)][0], dataset[torch.tensor(3)][0])
    with pytest.raises(IndexError):
        dataset[TOTAL]
    with pytest.raises(SpecError, match="Subset"):
        dataset[0:3]


def test_the_map_has_the_tiles_that_are_used_one_by_one(tiles: TileFolder) -> None:
    labels = Given(np.array([0, 1, -1, 2]), used=np.array([True, True, False, True]))
    options: dict[str, Any] = {"batch_size": 8, "incl_loc": True, "clip": [7, 1, 12, 2]}

    loader = TileLoader(tiles.stream(labels, **options), map_style=True)
    found = [loader.dataset[number] for number in range(len(loader.dataset))]

    assert [(int(label), int(x), int(y)) for _, label, x, y in found] == [
        *((0, 10 * tile, 0) for tile in range(7)),
        (1, 0, 1),
        (2, 0, 3),
        (2, 10, 3),
    ]
    assert {image.shape for image, *_ in found} == {(3, PX, PX)}
    assert len(loader.dataset) == loader.num_tiles == len(TileLoader(tiles.stream(labels, **options)).dataset) == 10


def test_a_tile_of_the_map_is_augmented_by_the_seed(tiles: TileFolder) -> None:
    def images(seed: int) -> Any:
        dataset = TileLoader(tiles.stream(augment="xyr", seed=seed), map_style=True).dataset
        return torch.stack([dataset[number] for number in range(TOTAL)])

    assert torch.equal(images(1), images(1))
    assert not torch.equal(images(1), images(2))


@pytest.mark.parametrize("way", [{}, {"map_style": True}, {"num_workers": 2}], ids=str)
def test_iterations_at_a_time_are_of_epochs_of_their_own(tiles: TileFolder, way: dict[str, Any]) -> None:
    options: dict[str, Any] = {"batch_size": 4, "incl_loc": True}
    arrays = ArrayLoader(tiles.stream(**options))
    epochs = [places(arrays) for _ in range(6)]
    loader = TileLoader(tiles.stream(**options), **way)

    iter(loader)  # is not used, and does not count
    pairs = list(zip(loader, loader, strict=True))
    first = iter(loader)
    loader.set_epoch(5)
    later = iter(loader)

    assert [places(column) for column in zip(*pairs, strict=True)] == epochs[:2]
    assert [places(first), places(later)] == [epochs[2], epochs[5]]


@pytest.mark.long
def test_spawned_workers_begin_where_their_iteration_does(tiles: TileFolder) -> None:
    options: dict[str, Any] = {"batch_size": 1, "incl_loc": True}
    arrays = ArrayLoader(tiles.stream(**options))
    epochs = [places(arrays) for _ in range(3)]
    loader = TileLoader(tiles.stream(**options), num_workers=2, multiprocessing_context="spawn")

    first = iter(loader)
    loader.set_epoch(2)
    later = iter(loader)

    assert [places(first), places(later)] == [epochs[0], epochs[2]]


def test_persistent_workers_serve_one_iteration(tiles: TileFolder) -> None:
    loader = TileLoader(tiles.stream(batch_size=4), num_workers=1, persistent_workers=True)
    iterator = iter(loader)
    next(iterator)

    assert len(list(loader)) == 7
    with pytest.raises(SpecError, match=r"Another iteration has begun.*persistent_workers"):
        next(iterator)


def test_a_seed_may_be_any_whole_number(tiles: TileFolder) -> None:
    options: dict[str, Any] = {"batch_size": 4, "seed": 2**64 + 1, "augment": "xyr"}
    for expected, got in zip(ArrayLoader(tiles.stream(**options)), TileLoader(tiles.stream(**options)), strict=True):
        assert np.array_equal(got.permute(0, 2, 3, 1).numpy(), expected)


@pytest.mark.parametrize("name", ["sampler", "shuffle", "batch_sampler", "shard_id", "normaliser"])
def test_options_that_there_are_not_are_said(tiles: TileFolder, name: str) -> None:
    for style in (False, True):
        with pytest.raises(SpecError, match=rf"'{name}'.*batch_size.*normalizer.*pin_memory"):
            TileLoader(tiles.stream(), map_style=style, **{name: [1, 2]})


@pytest.mark.parametrize(
    ("transform", "standardize", "said"),
    [
        (lambda image: image.flatten(), True, r"\(192,\), torch.uint8, which standardize"),
        (lambda image: image / 255, True, r"torch.float32, which standardize.*uint8"),
        (lambda image: image.numpy(), False, "a ndarray.*must return a tensor"),
        (lambda image: image[:, : 2 + int(image[1, -1, -1]) // 10 % 3], False, "another image of the batch"),
    ],
)
def test_what_a_transform_must_return_is_said(tiles: TileFolder, transform: Any, standardize: bool, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        list(TileLoader(tiles.stream(batch_size=8, standardize=standardize), transform=transform))


def test_a_transform_may_return_vectors_that_are_not_scaled(tiles: TileFolder) -> None:
    loader = TileLoader(tiles.stream(batch_size=8), transform=lambda image: image.float().mean((1, 2)))
    assert next(iter(loader)).shape == (8, 3)


def test_images_are_scaled_and_transformed(tiles: TileFolder) -> None:
    def transform(image: Any) -> Any:
        assert image.dtype == torch.uint8
        return image[:, :4].flip(2) // 2 + torch.randint(0, 9, (1,), dtype=torch.uint8)

    plain = next(iter(TileLoader(tiles.stream(batch_size=4))))
    state = torch.get_rng_state()
    changed, again, other = (
        next(iter(TileLoader(tiles.stream(batch_size=4, standardize=True, seed=seed), transform=transform, **way)))
        for seed, way in ((0, {}), (0, {"num_workers": 1}), (1, {}))
    )

    drawn = (changed + 1) * 127.5 - (plain[:, :, :4].flip(3) // 2)
    assert changed.dtype == torch.float32
    assert changed.shape == (4, 3, 4, PX)
    # One number was drawn for each image, and the same in any process; the user's generator was left as it was.
    assert torch.allclose(drawn, drawn[:, :1, :1, :1].round(), atol=1e-3)
    assert torch.equal(changed, again)
    assert not torch.equal(changed, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_scaling_is_that_of_numpy_to_the_last_bit(tiles: TileFolder) -> None:
    options: dict[str, Any] = {"batch_size": 5, "standardize": True}

    for expected, got in zip(ArrayLoader(tiles.stream(**options)), TileLoader(tiles.stream(**options)), strict=True):
        assert np.array_equal(got.permute(0, 2, 3, 1).numpy(), expected)
        assert got.is_contiguous(memory_format=torch.channels_last)


def test_normalised_and_with_stain_augmentation(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(60, 220, (32, 32, 3), np.uint8) for _ in range(4)]
    paths = slideflow_folder(tmp_path, {"s": [(png(image), n, 0) for n, image in enumerate(images)]})
    folder = TileFolder(tmp_path, paths)

    for letters in ("", "n"):
        options: dict[str, Any] = {"batch_size": 4, "augment": letters, "normalizer": "reinhard_fast"}
        expected = next(iter(ArrayLoader(folder.stream(**options))))
        here, there = (next(iter(TileLoader(folder.stream(**options), num_workers=number))) for number in (0, 1))
        assert torch.equal(here, there)
        assert np.abs(here.permute(0, 2, 3, 1).numpy().astype(int) - expected).mean() <= 1


@pytest.mark.parametrize("way", WAYS[:3], ids=str)
def test_damage_in_a_worker_is_said_here(tmp_path: Path, way: dict[str, Any]) -> None:
    paths = slideflow_folder(tmp_path, {"s": [(b"no image", 5, 6)]})

    with pytest.raises(RecordError, match=r"s\.tfrecords: the tile at \(5, 6\) of slide 's' cannot be decoded"):
        list(TileLoader(TileFolder(tmp_path, paths).stream(tile_px=PX), **way))


def test_a_dataset_gives_its_loader(tmp_path: Path) -> None:
    make_folder(tmp_path / f"{PX}px_16um")
    dataset = slidekit.Dataset(tile_px=PX, tile_um=16, tfrecords=tmp_path)
    labels = {"a": "x", "b": "y", "c": "y", "d": "x"}

    ranks = [dataset.torch(labels, 5, rank=rank, num_replicas=2, even_shards=True) for rank in range(2)]
    batches = [list(loader) for loader in ranks]

    assert [loader.num_tiles for loader in ranks] == [12, 12]
    assert [image.shape[0] for image, _ in batches[0]] == [5, 5, 2]
    loader = dataset.torch(labels, 5, state=ranks[0].state_dict(), shard_idx=0, num_shards=2, even_shards=True)
    assert torch.equal(next(iter(loader))[0], next(iter(ranks[0]))[0])
    with pytest.raises(SpecError, match=r"shard_index=5 .*rank.* none of 2"):
        dataset.torch(labels, 5, rank=5, num_replicas=2)


@pytest.mark.long
def test_workers_may_be_spawned(tiles: TileFolder) -> None:
    options: dict[str, Any] = {"batch_size": 4, "incl_loc": True}
    expected = places(TileLoader(tiles.stream(**options)))

    for style in (False, True):
        loader = TileLoader(tiles.stream(**options), num_workers=2, map_style=style, multiprocessing_context="spawn")
        assert places(loader) == expected
