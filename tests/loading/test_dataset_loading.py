"""`Dataset.numpy`: labels, balance, clip and filters of a dataset reach its batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tile_folder import COUNTS, PX, make_folder

import slidekit
from slidekit.errors import DatasetError, MissingExtraError, SpecError
from slidekit.loading.arrays import ArrayLoader

TOTAL = sum(COUNTS.values())


@pytest.fixture
def dataset(tmp_path: Path) -> slidekit.Dataset:
    make_folder(tmp_path / "tfrecords" / f"{PX}px_16um")
    table = pd.DataFrame(
        {
            "patient": list("1123"),
            "slide": list("abcd"),
            "kind": ["x", "y", "x", "y"],
            "age": ["40", "41.5", "40", "60"],
        }
    )
    return slidekit.Dataset(tile_px=PX, tile_um=16, tfrecords=tmp_path / "tfrecords", annotations=table)


def test_a_column_labels_the_tiles(dataset: slidekit.Dataset) -> None:
    loader = dataset.numpy("kind", 10, incl_slidenames=True)

    found = {slide: int(label) for _, labels, slides in loader for label, slide in zip(labels, slides, strict=True)}

    assert found == {"a": 0, "b": 1, "c": 0, "d": 1}
    assert loader.num_tiles == TOTAL
    images, labels = next(iter(dataset.numpy("age", 4)))
    assert (images.shape, labels.dtype) == ((4, PX, PX, 3), np.float32)
    assert next(iter(dataset.numpy("kind", 4, onehot=True)))[1].shape == (4, 2)
    assert next(iter(dataset.numpy({"a": 0, "b": 3, "c": 1, "d": 2}, 4)))[1].dtype == np.int64


def test_tiles_of_a_table_come_alone(dataset: slidekit.Dataset) -> None:
    table = pd.DataFrame({"label": ["in", "out", "in"]}, index=["a-30-0", "c-110-2", "c-0-2"])

    batches = list(dataset.numpy(table, 2, incl_loc=True, shuffle=False))

    assert np.concatenate([x for _, _, x, _ in batches]).tolist() == [30, 0, 110]
    assert np.concatenate([label for _, label, _, _ in batches]).tolist() == [0, 0, 1]


def test_filter_clip_and_balance_are_seen(dataset: slidekit.Dataset) -> None:
    chosen = dataset.filter({"kind": "x"}).clip(4)

    places = [(y, x) for _, xs, ys in chosen.numpy(batch_size=3, incl_loc=True) for x, y in zip(xs, ys, strict=True)]

    assert sorted(places) == [(slide, 10 * tile) for slide in (0, 2) for tile in range(4)]
    balanced = dataset.balance(strategy="slide")
    drawn = [y for epoch in range(8) for _, _, y in _epoch(balanced, epoch)]
    # 8 epochs of 25 draws, a quarter of them of slide b, which has one tile; five standard deviations are 31.
    assert abs(drawn.count(1) - 50) < 31


def _epoch(dataset: slidekit.Dataset, epoch: int) -> ArrayLoader:
    loader = dataset.numpy(incl_loc=True)
    loader.set_epoch(epoch)
    return loader


def test_a_state_is_taken_and_another_dataset_refuses_it(dataset: slidekit.Dataset) -> None:
    loader = dataset.numpy("kind", 4)
    iterator = iter(loader)
    next(iterator)
    state, rest = loader.state_dict(), list(iterator)

    resumed = list(dataset.numpy("kind", 4, state=state))

    assert all(
        np.array_equal(a, b) for one, other in zip(rest, resumed, strict=True) for a, b in zip(one, other, strict=True)
    )
    with pytest.raises(DatasetError, match="of another loader"):
        dataset.filter({"kind": "x"}).numpy("kind", 4, state=state)


def test_options_that_there_are_not_are_said(dataset: slidekit.Dataset) -> None:
    with pytest.raises(SpecError, match=r"'num_workers'.*batch_size.*num_shards"):
        dataset.numpy(num_workers=2)


def test_no_records_are_an_error(dataset: slidekit.Dataset) -> None:
    other = slidekit.Dataset(
        tile_px=9, tile_um=16, tfrecords=dataset.sources[0].tfrecords, annotations=dataset.annotations
    )
    with pytest.raises(DatasetError, match="no TFRecords of 9px_16um"):
        other.numpy()


def test_a_framework_that_is_not_installed_is_said(dataset: slidekit.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slidekit.dataset.loading.find_spec", lambda _: None)

    with pytest.raises(MissingExtraError, match=r"slidekit\[torch\]"):
        dataset.torch()


def test_tiles_that_were_normalised_before_are_told_of(dataset: slidekit.Dataset, caplog) -> None:
    # Arrange
    folder = dataset.tfrecords()[0].parent
    (folder / "extraction.json").write_text('{"spec": {"normalizer": "macenko"}}')

    # Act
    dataset.numpy(batch_size=4)
    quiet = caplog.text
    dataset.numpy(batch_size=4, normalizer="reinhard")

    # Assert
    assert "normalised" not in quiet
    assert f"{folder}: these tiles were normalised by macenko when they were extracted" in caplog.text
