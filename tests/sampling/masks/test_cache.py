"""The cache of masks: what names an entry, what becomes of damaged ones, and what is never written where."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slidekit.io.slide_tiff import write_tiff
from slidekit.sampling.masks import MaskCache, default_cache, make_map
from slidekit.sampling.masks.facts import MadeMask, SlideFacts
from slidekit.sampling.masks.packed import PackedMask
from slidekit.sampling.places import Maps
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec

FACTS = SlideFacts("TCGA-AA.1", (400, 300), (0.25, 0.26), ((1.0, 1.0), (4.0, 4.01)), "12-ab", (3.0, 4.0))


def spec_with(cache: Path, **options) -> SamplingSpec:
    return SamplingSpec.create(**{"tile_px": 16, "tile_um": 8.0, "cache": cache, **options})


def slide_with_square(path: Path, left: int) -> SampledSlide:
    image = np.full((120, 160, 3), 240, np.uint8)
    image[30:90, left : left + 60] = (150, 60, 120)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tiff(path, [image], mpp_x=0.5, mpp_y=0.5, compression="deflate", tile_size=16)
    return SampledSlide(path, path.stem)


def made(seed: int = 0) -> MadeMask:
    tissue = PackedMask(np.random.default_rng(seed).random((30, 41)) < 0.4)
    return MadeMask(FACTS, tissue, (1.0, 2.5, 30.0, 40.0))


def test_gives_back_what_was_written(tmp_path: Path) -> None:
    cache = MaskCache(tmp_path / "masks")
    assert cache.write(made(), {"a": [1, None]})
    read = cache.read("TCGA-AA.1", "12-ab", {"a": [1, None]})
    assert read is not None
    assert read.facts == FACTS
    assert read.box == (1.0, 2.5, 30.0, 40.0)
    assert np.array_equal(read.tissue.unpack(), made().tissue.unpack())
    [file] = (tmp_path / "masks").iterdir()
    assert file.name.startswith("TCGA-AA.1-")
    with Image.open(file) as image:
        assert image.mode == "1"


@pytest.mark.parametrize("other", [("TCGA-AA.1", "13-ab", {"a": 1}), ("TCGA-AA.1", "12-ab", {"a": 2})])
def test_another_slide_or_other_parameters_are_another_entry(tmp_path: Path, other) -> None:
    cache = MaskCache(tmp_path)
    cache.write(made(), {"a": 1})
    assert cache.read(*other) is None


def test_a_name_that_lies_about_its_content_is_not_believed(tmp_path: Path) -> None:
    cache = MaskCache(tmp_path)
    cache.write(made(), {"a": 1})
    cache.path("TCGA-AA.1", "12-ab", {"a": 1}).rename(cache.path("TCGA-AA.1", "12-ab", {"a": 2}))
    assert cache.read("TCGA-AA.1", "12-ab", {"a": 2}) is None


@pytest.mark.parametrize("damage", [b"", b"not a png", "cut", "text"])
def test_a_damaged_entry_is_made_anew(tmp_path: Path, damage, caplog: pytest.LogCaptureFixture) -> None:
    # Arrange
    slide, spec = slide_with_square(tmp_path / "s" / "one.tiff", 20), spec_with(tmp_path / "masks")
    expected = make_map(slide, spec)
    [file] = (tmp_path / "masks").iterdir()
    whole = file.read_bytes()
    wrong = {"cut": whole[: len(whole) - 30], "text": whole.replace(b'"identity"', b'"identify"')}
    file.write_bytes(wrong.get(damage, damage) if isinstance(damage, str) else damage)
    # Act
    with caplog.at_level(logging.WARNING, "slidekit"):
        again = Maps([slide], spec).get(0)
    # Assert
    assert np.array_equal(again.tissue, expected.tissue.unpack())
    assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written_to_costs_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # Arrange: a file where the folder should be
    (tmp_path / "masks").write_text("")
    slides = [slide_with_square(tmp_path / "s" / f"{name}.tiff", left) for name, left in (("a", 10), ("b", 80))]
    maps = Maps(slides, spec_with(tmp_path / "masks"))
    # Act
    with caplog.at_level(logging.WARNING, "slidekit"):
        failed = maps.prepare(workers=2)
    # Assert
    assert not failed
    assert maps.missing() == []
    assert sum("cannot be kept" in record.message for record in caplog.records) == 1
    assert maps.get(0).tissue.any()


def test_names_that_begin_alike_and_folders_with_dots_share_no_mask(tmp_path: Path) -> None:
    # Arrange: what histo-fetch cuts at the first dot (defect 1), in a folder with one
    folder = tmp_path / "v1.2"
    names = ("TCGA-05-4244-01Z.00.DX1", "TCGA-05-4244-01Z.00.DX2")
    slides = [slide_with_square(folder / f"{name}.tiff", left) for name, left in zip(names, (10, 80), strict=True)]
    slides.append(slide_with_square(tmp_path / "v1.3" / f"{names[0]}.tiff", 50))
    # Act
    tissues = [Maps([slide], spec_with(tmp_path / "masks")).get(0).tissue for slide in slides]
    # Assert
    columns = [int(np.flatnonzero(tissue.any(axis=0)).mean()) for tissue in tissues]
    assert columns == pytest.approx([40, 110, 80], abs=2)
    assert len(list((tmp_path / "masks").iterdir())) == 3


def test_nothing_is_written_beside_the_slides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Arrange (defect 9); defect 1 wrote into the working folder too
    monkeypatch.chdir(tmp_path)
    slide = slide_with_square(tmp_path / "slides" / "one.tiff", 20)
    # Act
    make_map(slide, spec_with(tmp_path / "masks"))
    # Assert
    assert [path.name for path in (tmp_path / "slides").iterdir()] == ["one.tiff"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["masks", "slides"]


def test_a_slide_that_was_replaced_gets_a_new_mask(tmp_path: Path) -> None:
    slide, spec = slide_with_square(tmp_path / "s" / "one.tiff", 10), spec_with(tmp_path / "masks")
    before = Maps([slide], spec).get(0).tissue
    slide_with_square(slide.path, 80)
    assert not np.array_equal(before, Maps([slide], spec).get(0).tissue)


def test_a_function_without_parameters_is_kept_in_memory_only(tmp_path: Path) -> None:
    # Arrange
    calls = []

    def left_half(wsi) -> np.ndarray:
        calls.append(wsi.name)
        return np.arange(16) >= np.full((12, 1), 8)

    slide = slide_with_square(tmp_path / "s" / "one.tiff", 10)
    maps = Maps([slide], spec_with(tmp_path / "masks", mask=left_half), memory=0)
    # Act
    shares = [maps.get(0).tissue.mean() for _ in range(3)]
    # Assert
    assert shares == [0.5] * 3
    assert len(calls) == 1
    assert not (tmp_path / "masks").exists()


def test_the_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SLIDEKIT_CACHE", str(tmp_path))
    assert default_cache() == tmp_path / "masks"
    monkeypatch.delenv("SLIDEKIT_CACHE")
    if os.name == "posix":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
        assert default_cache().name == "masks"
        assert tmp_path in default_cache().parents or "Caches" in str(default_cache())
