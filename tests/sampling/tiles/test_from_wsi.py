"""`from_wsi=True`: the tiles of the TFRecords, in their order, without TFRecords."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import slidekit
from slidekit.errors import DatasetError, SpecError
from tests.sampling.face_slides import EDGE, MPP, write_noise

PX, UM = 32, 24

ROI = """roi_name,label,x_base,y_base
a,tumour,0,0
a,tumour,120,0
a,tumour,120,256
a,tumour,0,256
b,stroma,120,0
b,stroma,256,0
b,stroma,256,160
b,stroma,120,160
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> slidekit.Dataset:
    """Three slides with regions, extracted as PNG by the regions, without filters of pixels."""
    folder = tmp_path_factory.mktemp("from_wsi")
    write_noise(folder / "slides", labels=())
    for path in (folder / "slides").glob("*.png"):
        path.unlink()
    (folder / "rois").mkdir()
    for number in range(3):
        (folder / "rois" / f"s{number}.csv").write_text(ROI)
    table = pd.DataFrame({"patient": list("abb"), "slide": ["s0", "s1", "s2"], "kind": ["x", "y", "x"]})
    made = slidekit.Dataset(
        slides=folder / "slides",
        rois=folder / "rois",
        tfrecords=folder / "tfrecords",
        tile_px=PX,
        tile_um=UM,
        annotations=table,
    )
    made.extract_tiles(grayspace_fraction=1, img_format="png", report=False, workers=1, threads=1)
    return made


def both(dataset: slidekit.Dataset, *args: object, **options: object):
    options = {"incl_slidenames": True, "incl_loc": True, **options}
    return dataset.numpy(*args, **options), dataset.numpy(*args, from_wsi=True, num_workers=0, **options)


def assert_same(found, expected) -> None:
    """Batches are equal; pixels but for the rounding of strips that are resampled together."""
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one[0].astype(np.float64) - other[0]).max() <= 1
        for part, another in zip(one[1:], other[1:], strict=True):
            assert np.array_equal(part, another)


def test_tiles_and_their_order_are_those_of_the_records(dataset) -> None:
    records, slides = both(dataset, "kind", 10, seed=5)

    for _ in range(2):  # another epoch has another order
        assert_same(slides, records)
    assert len(slides) == len(records)
    assert slides.num_tiles == records.num_tiles == dataset.num_tiles
    assert slides.report.patches == dataset.num_tiles


def test_balance_clip_shards_and_augmentation_are_the_same(dataset) -> None:
    weighted = dataset.balance("kind").clip(20)

    for rank in range(2):
        options = {"augment": "xyr", "onehot": True, "rank": rank, "num_replicas": 2, "drop_last": True}
        records, slides = both(weighted, "kind", 4, **options)
        assert_same(slides, records)
    assert len(slides) > 0
    single = next(iter(dataset.numpy(from_wsi=True, num_workers=0, standardize=True)))
    assert single.shape == (PX, PX, 3)
    assert -1 <= single.min() < single.max() <= 1


def test_tiles_have_labels_of_their_own(dataset) -> None:
    labels = dataset.roi_labels()

    records, slides = both(dataset, labels, 8)

    assert set(labels["label"]) == {"stroma", "tumour"}
    assert_same(slides, records)


def test_a_loader_goes_on_where_another_stood(dataset) -> None:
    options = {"seed": 2, "infinite": True, "from_wsi": True, "num_workers": 0, "incl_loc": True}
    loader = dataset.numpy("kind", 7, **options)
    batches = iter(loader)
    for _ in range(len(loader) + 2):
        next(batches)
    state = loader.state_dict()

    again = iter(dataset.numpy("kind", 7, state=state, **options))

    assert (state["epoch"], state["batch"]) == (1, 2)
    for _ in range(3):
        for part, other in zip(next(again), next(batches), strict=True):
            assert np.array_equal(part, other)
    for other in (dataset.filter({"kind": "x"}), dataset):
        changed = {**options, "stride_div": 2} if other is dataset else options
        with pytest.raises(DatasetError, match="of another loader"):
            other.numpy("kind", 7, state=state, **changed)
    for wrong in ({**state, "tile": -1}, {**state, "tile": "2"}):
        with pytest.raises(DatasetError, match="not the state of a loader"):
            dataset.numpy("kind", 7, state=wrong, **options)
    finite = dataset.numpy("kind", 7, seed=2, from_wsi=True, num_workers=0, incl_loc=True)
    finite.set_epoch(1)
    assert np.array_equal(next(iter(finite))[2], next(iter(_from(dataset, options, 1)))[2])


def _from(dataset, options, epoch):
    loader = dataset.numpy("kind", 7, **options)
    loader.set_epoch(epoch)
    return loader


def test_the_grid_is_that_of_the_options(dataset) -> None:
    everything = dataset.numpy(from_wsi=True, roi_method="ignore", num_workers=0)
    dense = dataset.numpy(from_wsi=True, roi_method="ignore", stride_div=2, num_workers=0)

    across = int(EDGE * MPP // UM)
    assert everything.num_tiles == 3 * across**2 > dataset.num_tiles
    assert dense.num_tiles == 3 * int((EDGE * MPP - UM) // (UM / 2) + 1) ** 2


def test_a_tile_that_cannot_be_read_is_left_out_and_counted(dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    # Arrange: of every batch that is read, the first patch fails
    from slidekit.sampling.feeding import tasks

    read, failed = tasks.PatchReader.read, []

    def fail_once(self, plan, *rest):
        outcome = read(self, plan, *rest)
        if not failed:
            failed.append(plan.centres[0])
            outcome.failures.append((0, "damaged"))
        return outcome

    monkeypatch.setattr(tasks.PatchReader, "read", fail_once)
    loader = dataset.numpy("kind", 8, from_wsi=True, num_workers=0, incl_loc=True)

    # Act
    batches = list(loader)

    # Assert: batches are full but for the last, and the state counts tiles
    sizes = [len(batch[0]) for batch in batches]
    assert sum(sizes) == dataset.num_tiles - 1
    assert set(sizes[:-1]) == {8}
    assert sum(sum(reasons.values()) for reasons in loader.report.left_out.values()) == 1
    assert loader.state_dict()["epoch"] == 1


def test_options_that_do_not_go_together_are_said(dataset) -> None:
    with pytest.raises(SpecError, match=r"grayspace_fraction goes by the pixels.*otsu"):
        dataset.numpy(from_wsi=True, grayspace_fraction=0.6)
    with pytest.raises(SpecError, match="qc: tiles in TFRecords were chosen"):
        dataset.numpy(qc="otsu")
    with pytest.raises(SpecError, match="no option 'colour'"):
        dataset.numpy(from_wsi=True, colour=1)
    with pytest.raises(SpecError, match="'num_workers'"):
        dataset.numpy(num_workers=2)
    outside = dataset.numpy(from_wsi=True, grayspace_fraction=1, whitespace_fraction=1, num_workers=0)
    assert outside.num_tiles == dataset.num_tiles
    with pytest.raises(DatasetError, match="No slide has a tile"):
        dataset.numpy(from_wsi=True, qc=_all_masked)


def _all_masked(slide):
    return np.ones((8, 8), np.bool_)


@pytest.mark.long
def test_processes_give_what_this_one_does(dataset) -> None:
    options = {"seed": 5, "augment": "xyr", "from_wsi": True, "incl_loc": True}

    several = dataset.numpy("kind", 10, num_workers=2, look_ahead=30, **options)

    for one, other in zip(several, dataset.numpy("kind", 10, num_workers=0, **options), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_no_slides_are_an_error(dataset, tmp_path: Path) -> None:
    records = slidekit.Dataset(tile_px=PX, tile_um=UM, tfrecords=dataset.sources[0].tfrecords)

    with pytest.raises(DatasetError, match="no slides to sample from"):
        records.numpy(from_wsi=True)


@pytest.mark.torch
def test_tensors_are_those_of_the_records(dataset) -> None:
    torch = pytest.importorskip("torch")
    options = {"seed": 5, "augment": "xyj", "incl_loc": True}

    slides = dataset.torch("kind", 10, from_wsi=True, num_workers=0, transform=lambda image: image, **options)
    arrays = dataset.numpy("kind", 10, from_wsi=True, num_workers=0, **options)

    for one, other in zip(slides, arrays, strict=True):
        assert np.array_equal(one[0].permute(0, 2, 3, 1).numpy(), other[0])
        assert all(np.array_equal(a.numpy(), b) for a, b in zip(one[1:], other[1:], strict=True))
    assert one[0].dtype == torch.uint8
    plain = {"from_wsi": True, "num_workers": 0}
    loader = torch.utils.data.DataLoader(dataset.torch("kind", 10, **plain), batch_size=None)
    assert sum(len(images) for images, _ in loader) == dataset.num_tiles
    with pytest.raises(SpecError, match="num_threads= is of TFRecords"):
        dataset.numpy(num_threads=2, **plain)
    with pytest.raises(SpecError, match="no option 'map_style'"):
        dataset.torch(from_wsi=True, map_style=True)
    with pytest.raises(SpecError, match="qc: tiles in TFRecords"):
        dataset.torch(qc="otsu")


@pytest.mark.tensorflow
def test_the_dataset_of_tensorflow_has_the_same_tiles(dataset) -> None:
    tf = pytest.importorskip("tensorflow")
    options = {"seed": 5, "augment": "xyr", "incl_slidenames": True, "incl_loc": True, "from_wsi": True}

    made = dataset.tensorflow("kind", 10, num_workers=0, **options)
    arrays = dataset.numpy("kind", 10, num_workers=0, **options)

    assert made.num_tiles == dataset.num_tiles
    assert made.element_spec[0] == tf.TensorSpec((None, PX, PX, 3), tf.uint8)
    for _ in range(2):
        for one, other in zip(made.as_numpy_iterator(), arrays, strict=True):
            assert np.array_equal(one[0], other[0])
            assert [name.decode() for name in one[2]] == other[2]
            assert all(np.array_equal(one[part], other[part]) for part in (1, 3, 4))
    state = made.state_dict(len(arrays) + 1)
    rest = dataset.tensorflow("kind", 10, num_workers=0, state=state, **options)
    arrays.load_state_dict(state)
    assert np.array_equal(next(rest.as_numpy_iterator())[0], next(iter(arrays))[0])
    # Without the tiles that fill no batch, the epochs begin where the loader's do.
    options |= {"drop_last": True}
    arrays = dataset.numpy("kind", 8, num_workers=0, **options)
    made = dataset.tensorflow("kind", 8, num_workers=0, **options)
    found, expected = made.state_dict(len(arrays)), {"epoch": 1, "batch": 0, "tile": 0}
    assert dataset.num_tiles % 8
    assert {name: found[name] for name in expected} == expected
    single = dataset.tensorflow(from_wsi=True, num_workers=0, standardize=True)
    assert single.element_spec == tf.TensorSpec((PX, PX, 3), tf.float32)


@pytest.mark.parametrize("bad", [[3], [0, 1, 2, 3, 9], list(range(12, 40))])
def test_even_shards_are_even_where_tiles_cannot_be_read(dataset, monkeypatch: pytest.MonkeyPatch, bad) -> None:
    # Arrange: some places of a replica's share fail
    from slidekit.sampling.feeding import tasks

    options = {"seed": 1, "even_shards": True, "num_replicas": 2, "incl_loc": True, "incl_slidenames": True}
    whole = [list(dataset.numpy(None, 5, from_wsi=True, num_workers=0, rank=rank, **options)) for rank in (0, 1)]
    read = tasks.PatchReader.read

    def fail(self, plan, *rest):
        outcome = read(self, plan, *rest)
        outcome.failures.extend((row, "damaged") for row in np.flatnonzero(np.isin(plan.steps, bad)).tolist())
        return outcome

    monkeypatch.setattr(tasks.PatchReader, "read", fail)

    # Act
    loader = dataset.numpy(None, 5, from_wsi=True, num_workers=0, rank=0, **options)
    found, state = [], None
    for batch in loader:
        found.append(batch)
        state = state or loader.state_dict()

    # Assert
    count = sum(len(batch[0]) for batch in whole[0])
    assert [len(batch[0]) for batch in found] == [len(batch[0]) for batch in whole[1]]
    places = [np.concatenate([batch[part] for batch in whole[0]]) for part in (2, 3)]
    good = [place for place in range(count) if place not in bad]
    expected = [next((one for one in good if one >= place), good[-1]) for place in range(count)]
    for part, place in zip((2, 3), places, strict=True):
        assert np.array_equal(np.concatenate([batch[part] for batch in found]), place[expected])
    assert (state["batch"], state["tile"]) == (1, 5)
    assert sum(sum(by.values()) for by in loader.report.left_out.values()) == len(set(bad) & set(range(count)))
