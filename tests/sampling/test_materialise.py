"""Patches that are written down: pixel for pixel what streaming gives, resumed, and read by all that reads tiles."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import slidekit
from slidekit.errors import DatasetError, RecordError, SpecError
from slidekit.io.example import decode_example
from slidekit.io.tfrecord import iter_records
from slidekit.sampling import materialise as module
from slidekit.sampling.materialise import materialise
from slidekit.sampling.patch_description import DESCRIPTION
from slidekit.sampling.written import PLAN, Materialised, read_materialised
from tests.sampling.face_slides import PX, UM, make_sampler, write_noise

FOLDER = f"{PX}px_{UM}um"


@pytest.fixture(scope="module")
def sampler(tmp_path_factory):
    return make_sampler(tmp_path_factory.mktemp("materialise"))


@pytest.fixture(scope="module")
def written(sampler, tmp_path_factory) -> Materialised:
    return materialise(sampler, tmp_path_factory.mktemp("written"), 40, start=3, chunk_steps=9, workers=0)


def assert_same(found, expected) -> None:
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.images, other.images)
        assert one.slides == other.slides
        assert one.targets == other.targets
        columns = ("steps", "loc", "centres", "mpp", "scales", "tissue", "inside", "classes", "background", "attempts")
        for name in columns:
            assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name


def test_what_is_read_is_what_streaming_gives(sampler, written) -> None:
    with sampler.batches(7, start=3, steps=40, workers=0) as feed, written.batches(7) as found:
        assert_same(found, feed)
    with sampler.batches(7, start=20, steps=10, workers=0) as feed, written.batches(7, start=20, steps=10) as found:
        assert_same(found, feed)
    names = {path.name for path in written.folder.iterdir()}
    assert names == {f"s{k}{end}" for k in range(3) for end in (".tfrecords", ".index.npz")} | {DESCRIPTION, PLAN}
    assert written.folder.name == FOLDER
    assert len(read_materialised(written.folder.parent)) == 40


def test_a_dataset_reads_them_slide_by_slide(written) -> None:
    dataset = slidekit.Dataset(tile_px=PX, tile_um=UM, tfrecords=written.folder.parent)

    batches = list(dataset.numpy({"s0": 0, "s1": 1, "s2": 0}, 10, incl_slidenames=True, incl_loc=True))

    with written.batches(40) as found:
        whole = next(iter(found))
    expected = {(slide, x, y) for slide, (x, y) in zip(whole.slides, whole.loc.tolist(), strict=True)}
    seen = {key for _, _, slides, x, y in batches for key in zip(slides, x.tolist(), y.tolist(), strict=True)}
    assert seen == expected
    assert sum(len(images) for images, *_ in batches) == 40


def test_records_say_more_of_patches_than_of_tiles(written) -> None:
    features = [decode_example(payload) for _, payload in iter_records(written.folder / "s1.tfrecords")]

    steps = [int(one["step"]) for one in features]
    assert steps == sorted(steps)
    assert all(float(one["mpp"]) == pytest.approx(UM / PX) and 0 <= float(one["tissue"]) <= 1 for one in features)


def test_a_state_of_the_stream_is_one_of_what_was_written(sampler, written) -> None:
    assert written.check_state(sampler.state(12)) == sampler.check_state(written.state(12)) == 12
    with pytest.raises(SpecError, match="not of the sampler"):
        written.check_state(sampler.replace(seed=4).state(12))


@pytest.mark.parametrize("asked", [{"start": 2}, {"start": 40, "steps": 4}, {"start": 44}])
def test_steps_that_were_not_written_are_an_error(written, asked) -> None:
    with pytest.raises(DatasetError, match="3 to 43 are there"), written.batches(4, **asked):
        pass


def test_what_was_cut_off_goes_on(sampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Arrange: the third chunk fails
    expected = materialise(sampler, tmp_path / "whole", 40, chunk_steps=10, workers=0)
    encode, calls = module.encode_patches, []

    def fail(batch, *rest):
        calls.append(batch.steps[0])
        if len(calls) == 3:
            raise KeyboardInterrupt
        yield from encode(batch, *rest)

    monkeypatch.setattr(module, "encode_patches", fail)
    with pytest.raises(KeyboardInterrupt):
        materialise(sampler, tmp_path / "cut", 40, chunk_steps=10, workers=0)
    with pytest.raises(RecordError, match="not finished"):
        read_materialised(tmp_path / "cut" / FOLDER)

    # Act
    found = materialise(sampler, tmp_path / "cut", 40, chunk_steps=10, workers=0)

    # Assert: what was written before is not read again
    assert calls == [0, 10, 20, 20, 30]
    for path in expected.folder.glob("*.tfrecords"):
        assert (found.folder / path.name).read_bytes() == path.read_bytes()
    assert materialise(sampler, tmp_path / "cut", 40, workers=0).folder == found.folder
    assert len(calls) == 5


def test_nothing_is_replaced_unasked(sampler, tmp_path: Path) -> None:
    materialise(sampler, tmp_path, 8, workers=0)
    other = sampler.replace(seed=8)

    with pytest.raises(RecordError, match="other slides, parameters or steps"):
        materialise(other, tmp_path, 8, workers=0)
    found = materialise(other, tmp_path, 5, overwrite=True, workers=0)

    assert len(found) == 5
    (found.folder / ".steps").mkdir()  # as if it had been killed before the last of all
    assert len(materialise(other, tmp_path, 5, workers=0)) == 5
    assert not (found.folder / ".steps").exists()
    strange = tmp_path / "strange" / FOLDER
    strange.mkdir(parents=True)
    (strange / "mine.txt").write_text("mine")
    with pytest.raises(RecordError, match="holds other files"):
        materialise(sampler, strange.parent, 8, overwrite=True, workers=0)
    assert [path.name for path in strange.iterdir()] == ["mine.txt"]


def test_lists_views_and_label_images_are_kept(tmp_path: Path) -> None:
    # Arrange
    import cv2

    slides = []
    for slide in write_noise(tmp_path / "slides", labels=("a", "b", "a")):
        path = tmp_path / f"{slide.name}.png"
        cv2.imwrite(str(path), np.repeat([[1, 2]], 16, 0).repeat(8, 1).astype(np.uint8))
        slides.append(type(slide)(slide.path, slide.name, label_mask=path, label=slide.label))
    sampler = make_sampler(
        tmp_path, slides, mode="grid", tile_px=32, tile_um=32, views=[(8, 2.0)], classes=(1, 2), label_images=True
    )

    # Act
    written = materialise(sampler, tmp_path / "tfrecords", workers=0)

    # Assert
    assert len(written) == len(sampler) == 48
    with sampler.batches(10, workers=0) as feed, written.batches(10) as found:
        for one, other in zip(found, feed, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one.images, other.images, strict=True))
            assert np.array_equal(one.labels, other.labels)
            assert one.targets == other.targets
            assert one.labels.any()


def test_jpeg_is_near(sampler, tmp_path: Path) -> None:
    found = materialise(sampler, tmp_path, 6, img_format="jpg", workers=0)

    with found.batches(6) as batches:
        images = next(iter(batches)).images
    assert 0 < np.abs(images.astype(int) - sampler[0:6].images).mean() < 12  # of noise, whose colours JPEG halves


def test_patches_that_cannot_be_read_are_missing(
    sampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    # Arrange: what lies at the left of a slide is damaged, of every chunk
    from slidekit.sampling.feeding import tasks

    read = tasks.PatchReader.read

    def fail(self, plan, *rest):
        outcome = read(self, plan, *rest)
        outcome.failures.extend((row, "damaged") for row in np.flatnonzero(plan.centres[:, 0] < 64).tolist())
        return outcome

    monkeypatch.setattr(tasks.PatchReader, "read", fail)
    grid = sampler.replace(mode="grid", shuffle=False)

    # Act
    written = materialise(grid, tmp_path, chunk_steps=8, workers=0)

    # Assert
    assert len(written) == 3 * 64 * 3 // 4
    assert (written.table.loc[:, 0] >= 64).all()
    assert "48 of 192 patches cannot be read" in caplog.text
    with grid.batches(10, workers=0) as feed, written.batches(10) as found:
        assert_same(found, feed)


def test_what_makes_no_sense_is_said(sampler, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="do not end"):
        materialise(sampler, tmp_path, workers=0)
    with pytest.raises(SpecError, match="jpeg_quality=101"):
        materialise(sampler, tmp_path, 4, jpeg_quality=101, workers=0)
    with pytest.raises(SpecError, match="img_format='gif'"):
        materialise(sampler, tmp_path, 4, img_format="gif", workers=0)
    with pytest.raises(RecordError, match="cannot be read"):
        read_materialised(tmp_path / "nothing")
    strange = [replace(slide, label={"a": 1}) for slide in sampler.slides]
    with pytest.raises(SpecError, match="label of slide s0, a dict"):
        materialise(type(sampler).from_spec(strange, sampler.spec), tmp_path, 4, workers=0)
    assert not list(tmp_path.iterdir())


def test_damage_is_an_error(sampler, tmp_path: Path) -> None:
    found = materialise(sampler, tmp_path, 12, workers=0)
    table = (found.folder / PLAN).read_bytes()

    (found.folder / PLAN).write_bytes(table[:-40])
    with pytest.raises(RecordError, match="cannot be read"):
        read_materialised(tmp_path)
    (found.folder / PLAN).write_bytes(table)
    description = json.loads((found.folder / DESCRIPTION).read_text())
    (found.folder / DESCRIPTION).write_text(json.dumps({**description, "steps": "many"}))
    with pytest.raises(RecordError, match="not what materialise writes"):
        read_materialised(tmp_path)


@pytest.mark.torch
def test_tensors_of_what_was_written(sampler, written) -> None:
    pytest.importorskip("torch")

    found = [batch for batch, _ in written.torch(8, channels="last", steps=16)]

    expected = sampler[3:19].images
    assert np.array_equal(np.concatenate([batch.numpy() for batch in found]), expected)


@pytest.mark.tensorflow
def test_a_dataset_of_tensorflow_of_what_was_written(sampler, written) -> None:
    pytest.importorskip("tensorflow")

    found = [batch for batch, _ in written.tensorflow(8, steps=16).as_numpy_iterator()]

    assert np.array_equal(np.concatenate(found), sampler[3:19].images)


@pytest.mark.parametrize("kind", ["slide", "mask"])
def test_patches_of_files_that_have_changed_are_not_taken_for_new_ones(tmp_path: Path, kind) -> None:
    # Arrange
    slides = write_noise(tmp_path / "slides")
    sampler = make_sampler(tmp_path, slides)
    materialise(sampler, tmp_path / "out", 8, workers=0)

    # Act
    path = slides[1].path if kind == "slide" else slides[1].mask
    path.write_bytes(path.read_bytes() + b"\0")

    # Assert
    with pytest.raises(RecordError, match=rf"changed since: s1 \({kind}\)"):
        materialise(make_sampler(tmp_path, slides), tmp_path / "out", 8, workers=0)


@pytest.mark.parametrize("name", ["../out", "a/b", "..", "a\\b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(sampler, tmp_path: Path, name) -> None:
    strange = [replace(slide, name=name) if slide.name == "s0" else slide for slide in sampler.slides]

    with pytest.raises(SpecError, match="cannot be that of a file"):
        materialise(type(sampler).from_spec(strange, sampler.spec), tmp_path, 4, workers=0)
    assert not list(tmp_path.iterdir())


def test_what_the_disk_and_the_slides_refuse_is_said(sampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from slidekit.sampling.feeding import tasks

    def fill(*_: object) -> None:
        raise OSError(28, "No space left on device")

    read = tasks.PatchReader.read

    def fail(self, plan, *rest):
        outcome = read(self, plan, *rest)
        outcome.failures.extend((row, "damaged") for row in range(len(plan.slides)))
        return outcome

    with monkeypatch.context() as patch:
        patch.setattr(module, "encode_patches", fill)
        with pytest.raises(RecordError, match=f"{tmp_path}.*No space left"):
            materialise(sampler, tmp_path / "full", 8, workers=0)
    monkeypatch.setattr(tasks.PatchReader, "read", fail)
    with pytest.raises(RecordError, match="None of the 192 patches can be read"):
        materialise(sampler.replace(mode="grid"), tmp_path / "none", workers=0)


def test_what_was_written_takes_what_streams_take(written) -> None:
    with written.batches(8, look_ahead=4) as batches:
        assert len(next(batches)) == 8
        assert len(list(batches)) == 4
    with pytest.raises(SpecError, match="no option 'scaling'"):
        written.batches(8, scaling="0..1")
