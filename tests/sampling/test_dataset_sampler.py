"""`Dataset.sampler`: what a dataset knows of its slides reaches the sampler."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import slidekit
from slidekit.errors import DatasetError, SpecError
from slidekit.sampling import PatchSampler
from slidekit.sampling.slides import SlideSource
from tests.sampling.face_slides import write_noise


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> slidekit.Dataset:
    folder = tmp_path_factory.mktemp("sampler")
    slides = write_noise(folder / "slides", labels=())
    (folder / "masks").mkdir()
    for slide in slides:
        assert slide.mask is not None
        slide.mask.rename(folder / "masks" / f"{slide.name}.png")
    (folder / "rois").mkdir()
    (folder / "rois" / "s1.csv").write_text("roi_name,label,x_base,y_base\na,t,0,0\na,t,99,0\na,t,99,99\n")
    table = pd.DataFrame(
        {
            "patient": list("abb"),
            "slide": ["s0", "s1", "s2"],
            "kind": ["x", "y", "x"],
            "mpp": ["", "0.25", ""],
        }
    )
    return slidekit.Dataset(slides=folder / "slides", rois=folder / "rois", tile_px=16, tile_um=16, annotations=table)


def masks_of(dataset: slidekit.Dataset) -> Path:
    return dataset.slide_paths()[0].parents[1] / "masks"


def test_slides_come_with_all_that_is_known_of_them(dataset) -> None:
    slides = dataset.slides_and_masks("kind", masks=masks_of(dataset))

    assert isinstance(dataset, SlideSource)
    assert [slide.name for slide in slides] == ["s0", "s1", "s2"]
    assert [slide.label for slide in slides] == [0, 1, 0]
    assert [slide.mpp for slide in slides] == [None, 0.25, None]
    assert [slide.rois and slide.rois.name for slide in slides] == [None, "s1.csv", None]
    assert [slide.mask.name for slide in slides] == ["s0.png", "s1.png", "s2.png"]
    assert slides[1].groups == {"patient": "b", "slide": "s1", "kind": "y", "mpp": "0.25"}


def test_a_sampler_takes_size_labels_and_balance(dataset, tmp_path: Path) -> None:
    sampler = dataset.balance("kind").sampler("kind", masks=masks_of(dataset), cache=tmp_path)

    batch = sampler[0:60]

    assert batch.images.shape == (60, 16, 16, 3)
    assert batch.targets == [1 if slide == "s1" else 0 for slide in batch.slides]
    assert sampler.spec.weights == {"s0": 0.25, "s1": 0.5, "s2": 0.25}
    assert dataset.sampler().spec.weights == "slide"
    assert dataset.balance(strategy="tile").sampler().spec.weights == "area"
    assert dataset.balance("kind").sampler(weights="area").spec.weights == "area"
    assert dataset.balance("kind").sampler(mode="grid").spec.weights == "slide"


def test_what_has_no_label_is_not_sampled(dataset) -> None:
    sampler = dataset.sampler({"s0": 3, "s2": 1}, tile_px=8, tile_mpp=1.0)

    assert [slide.name for slide in sampler.slides] == ["s0", "s2"]
    assert [slide.label for slide in sampler.slides] == [3, 1]
    assert (sampler.spec.tile_px, sampler.spec.tile_mpp, sampler.spec.tile_um) == (8, 1.0, None)
    several = dataset.sampler({"s0": [1.5, 2.0], "s2": [0.5, 1.0]})
    assert [slide.label for slide in several.slides] == [[1.5, 2.0], [0.5, 1.0]]


def test_label_masks_give_classes(dataset, tmp_path: Path) -> None:
    for name in ("s0", "s2"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((16, 16), 2, np.uint8))

    slides = dataset.slides_and_masks(label_masks=tmp_path)

    assert [slide.label_mask is not None for slide in slides] == [True, False, True]


def test_a_dataset_is_taken_for_slides(dataset) -> None:
    assert [slide.name for slide in PatchSampler(dataset, 16, 16).slides] == ["s0", "s1", "s2"]


def test_mistakes_are_said(dataset, tmp_path: Path) -> None:
    tiles = pd.DataFrame({"label": ["a"]}, index=["s0-8-8"])
    with pytest.raises(DatasetError):
        dataset.sampler(tiles)
    with pytest.raises(DatasetError, match="holds no image named after a slide"):
        dataset.sampler(masks=tmp_path)
    with pytest.raises(DatasetError, match="not a folder"):
        dataset.sampler(masks=tmp_path / "nothing")
    with pytest.raises(SpecError, match="colour"):
        dataset.sampler(colour=1)
    sizeless = slidekit.Dataset(slides=dataset.slide_paths()[0].parent)
    with pytest.raises(DatasetError, match="no size of tile"):
        sizeless.sampler()
    with pytest.raises(DatasetError, match="no size of tile"):
        sizeless.sampler(tile_px=16)
    assert sizeless.sampler(tile_px=16, level=0).spec.level == 0


def test_further_sizes_of_concentric_tiles_are_views(dataset, tmp_path: Path) -> None:
    # Arrange
    several = slidekit.Dataset(slides=dataset.slide_paths(), tile_px=16, tile_um=[16, 64, "5x"])
    given = {"masks": masks_of(dataset), "cache": tmp_path}

    # Act
    batch = several.filter({"slide": ["s0", "s2"]}).sampler(**given)[0:4]

    # Assert
    assert several.filter({"slide": ["s0"]}).more_um == (64, "5x")
    assert several.sampler(**given).spec.views == ((16, 4.0), (16, 2.0))
    assert several.sampler(**given, views=[(8, 2)]).spec.views == ((8, 2.0),)
    assert several.sampler(**given, tile_um=32).spec.views == ()
    assert len(batch) == 4
