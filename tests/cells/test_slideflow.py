from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slidekit.cells.slideflow import load_slideflow
from slidekit.errors import CellError
from tests.cells.drawn_slides import draw_labels


def save_as_slideflow(path: Path, masks: np.ndarray, dim: tuple[int, int], offset: tuple[int, int]) -> None:
    """What `zarr.save_group` of version 2 leaves in a zip."""
    import numcodecs
    import zarr

    with zarr.storage.ZipStore(path, mode="w") as store:
        group = zarr.create_group(store, zarr_format=2)
        blosc = numcodecs.Blosc(cname="zstd", clevel=3, shuffle=numcodecs.Blosc.BITSHUFFLE)
        for name, values in (("masks", masks), ("wsi_dim", np.array(dim)), ("wsi_offset", np.array(offset))):
            group.create_array(name, data=values, compressors=blosc)


def test_cells_of_slideflow_lie_where_its_masks_do(tmp_path: Path) -> None:
    cells = [(20.0, 15.0, 6.0, 4.0, 0.5), (60.0, 40.0, 8.0, 5.0, 0.0), (66.0, 40.0, 5.0, 5.0, 0.0)]
    masks = draw_labels((60, 80), cells).astype(np.uint32)
    save_as_slideflow(tmp_path / "slide_1-masks.zip", masks, (160, 120), (30, 10))

    found = load_slideflow(tmp_path / "slide_1-masks.zip", dimensions=(400, 300), slide_mpp=0.25)

    assert found.slide == "slide_1"
    assert found.mpp == pytest.approx(0.5)
    region = found.region(30, 10, 160, 120, 80, 60)
    order = [int(region[masks == number][0]) for number in (1, 2, 3)]
    assert np.array_equal(region, np.array([0, *order])[masks])
    assert found.centroids()[order[0] - 1] == pytest.approx((70, 40), abs=0.5)


def test_what_slideflow_has_not_saved_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    import zarr

    with zarr.storage.ZipStore(tmp_path / "other.zip", mode="w") as store:
        zarr.create_group(store, zarr_format=2)

    for name in ("text.zip", "other.zip", "missing.zip"):
        with pytest.raises(CellError, match="Slideflow"):
            load_slideflow(tmp_path / name, dimensions=(10, 10), slide_mpp=0.25)


@pytest.mark.parametrize(
    ("dimensions", "offset", "fits"),
    [
        ((400, 300), (30, 10), True),
        ((190, 130), (30, 10), True),
        # Slideflow rounds the size of its windows up.
        ((170, 120), (30, 10), True),
        ((40, 30), (0, 0), False),
        ((400, 120), (400, 0), False),
        ((400, 300), (-200, 0), False),
    ],
)
def test_masks_that_do_not_lie_on_the_slide_are_those_of_another(
    tmp_path: Path, dimensions: tuple[int, int], offset: tuple[int, int], fits: bool
) -> None:
    masks = draw_labels((60, 80), [(40.0, 30.0, 6.0, 4.0, 0.5)]).astype(np.uint32)
    save_as_slideflow(tmp_path / "s-masks.zip", masks, (160, 120), offset)

    if fits:
        assert len(load_slideflow(tmp_path / "s-masks.zip", dimensions=dimensions, slide_mpp=0.25)) == 1
        return
    with pytest.raises(CellError, match=f"the slide has {dimensions[0]} × {dimensions[1]} px") as caught:
        load_slideflow(tmp_path / "s-masks.zip", dimensions=dimensions, slide_mpp=0.25)
    assert "s-masks.zip" in str(caught.value)


def test_sizes_that_are_none_are_told(tmp_path: Path) -> None:
    masks = np.zeros((6, 8), np.uint32)
    save_as_slideflow(tmp_path / "s-masks.zip", masks, (160, 0), (0, 0))

    with pytest.raises(CellError, match="wsi_dim"):
        load_slideflow(tmp_path / "s-masks.zip", dimensions=(160, 120), slide_mpp=0.25)
