"""Each tile goes inside or outside by the regions, exactly as an extraction decides."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from tool_records import damage, encoded, example, pixels, read_file

from slidekit.errors import MissingROIError, RecordError
from slidekit.extraction.verify.folder import verify_folder
from slidekit.io.slide_tiff import write_svs
from slidekit.record_tools import roi_split
from slidekit.record_tools.roi_split import ROISplit, exact_corners, split_by_roi
from slidekit.slide.grid import make_grid
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI

TRIANGLE = "roi_name,label,x_base,y_base\n" + "".join(f"r,t,{x},{y}\n" for x, y in ((13, 11), (290, 60), (70, 201)))
MPP, PX, UM = 0.52, 16, 16.9  # a tile has 32.5 level-0 pixels: no centre is a whole number twice in a row


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slide")
    image = np.random.default_rng(0).integers(0, 256, (230, 310, 3), dtype=np.uint8)
    (folder / "rois").mkdir()
    (folder / "rois" / "s.csv").write_text(TRIANGLE)
    return write_svs(folder / "s.svs", [image], mpp=MPP, tile_size=128)


def split(slide: Path, tmp_path: Path, rule: object, stride_div: float = 1) -> ROISplit:
    with WSI(slide, PX, UM, stride_div) as wsi:
        wsi.extract_tiles(tmp_path / "records", grayspace_fraction=1)
    return ROISplit(tmp_path / "records" / "s.tfrecords", slide, slide.parent / "rois" / "s.csv")


@pytest.mark.parametrize("rule", ["center", 0.0, 0.4, 0.9])
@pytest.mark.parametrize("stride_div", [1, 2])
def test_tiles_are_split_as_an_extraction_would(slide: Path, tmp_path: Path, rule, stride_div: int) -> None:
    job = split(slide, tmp_path, rule, stride_div)
    spec = ExtractionSpec.create(tile_px=PX, tile_um=UM, roi_filter_method=rule)

    counts = split_by_roi([job], tmp_path / "inside", tmp_path / "outside", spec)

    with WSI(slide, PX, UM, stride_div, rois=job.rois, roi_filter_method=rule) as wsi:
        table = wsi.get_tile_dataframe()
        triangle, grid = wsi.rois[0].polygon, wsi.grid
    expected = set(map(tuple, table.loc[table["reason"] == "kept", ["grid_x", "grid_y"]].to_numpy().tolist()))
    inside = read_file(tmp_path / "inside" / "s.tfrecords")
    outside = read_file(tmp_path / "outside" / "s.tfrecords")
    cells = {(one.features["grid_x"][0], one.features["grid_y"][0]) for one in inside}
    assert cells == expected
    assert counts == {"s": (len(inside), len(outside))}
    for i, j in cells if rule != "center" else ():
        (x, y), (w, h) = grid.corner(i, j), (grid.tile_width, grid.tile_height)
        assert triangle.intersection(shapely.box(x, y, x + w, y + h)).area / (w * h) > rule - 1e-9
    everything = {record.place: record.features for record in read_file(job.records)}
    assert {record.place: record.features for record in [*inside, *outside]} == everything
    assert verify_folder(tmp_path / "inside").faults == verify_folder(tmp_path / "outside").faults == ()


@given(st.floats(1.5, 3000), st.sampled_from((1, 2, 3, 4)), st.lists(st.integers(0, 2000), min_size=1, max_size=5))
@settings(deadline=None)
def test_a_place_is_found_again_from_its_cell(size: float, stride_div: int, cells: list[int]) -> None:
    grid = make_grid((10**8, 10**8), (1.0, 1.0), tile_px=PX, tile_size=(size, size), stride_div=stride_div)
    places = np.array([grid.location(i, i) for i in cells])

    found = exact_corners(np.array(cells), places[:, 1], grid, 1)

    # Where two strides lead to the same pixel the place is that of one of them; else it is exact.
    exact = np.array([grid.corner(i, i)[1] for i in cells])
    assert np.abs(found - exact).max() < 1
    if size >= 24:
        assert np.abs(found - exact).max() < 1e-6


def test_places_without_cells_are_known_to_a_pixel() -> None:
    grid = make_grid((310, 230), (MPP, MPP), tile_px=PX, tile_size=(32.5, 32.5), stride_div=1)
    cells, locations = np.array([-1, 3, 3]), np.array([113, 113, 115])

    found = exact_corners(cells, locations, grid, 0)

    # Cell 3 begins at 97.5 and has its centre at 113.75; the others are put in the middle of their pixels.
    assert found.tolist() == [97.25, 97.5, 99.25]


@pytest.mark.parametrize("stride_div", [1, 5, 8, 2.5])
def test_the_stride_comes_from_the_extraction(tmp_path: Path, stride_div: float) -> None:
    grid = make_grid((10**6, 10**6), (1.0, 1.0), tile_px=PX, tile_size=(517.3, 517.3), stride_div=stride_div)
    cells = np.arange(40)
    places = np.array([grid.location(int(i), 0)[0] for i in cells])
    (tmp_path / "extraction.json").write_text(json.dumps({"spec": {"stride_div": stride_div}}))

    found = exact_corners(cells, places, grid, 0, roi_split._stride_div_of(tmp_path))

    assert np.abs(found - [grid.corner(int(i), 0)[0] for i in cells]).max() < 1e-6
    assert roi_split._stride_div_of(tmp_path / "none") is None


def test_a_slide_all_inside_has_no_file_outside(slide: Path, tmp_path: Path) -> None:
    job = split(slide, tmp_path, "center")
    whole = tmp_path / "whole.csv"
    whole.write_text("roi_name,x_base,y_base\nr,-5,-5\nr,400,-5\nr,400,400\nr,-5,400\n")
    spec = ExtractionSpec.create(tile_px=PX, tile_um=UM)

    counts = split_by_roi(
        [ROISplit(job.records, slide, whole)], tmp_path / "inside", tmp_path / "outside", spec, num_workers=1
    )

    assert counts == {"s": (len(read_file(job.records)), 0)}
    assert not (tmp_path / "outside").exists()


def test_a_new_split_leaves_no_tile_on_the_side_of_the_old_one(slide: Path, tmp_path: Path) -> None:
    job, folders = split(slide, tmp_path, "center"), (tmp_path / "inside", tmp_path / "outside")
    strict, lax = (ExtractionSpec.create(tile_px=PX, tile_um=UM, roi_filter_method=rule) for rule in (0.999, 0.0))
    whole = tmp_path / "whole.csv"
    whole.write_text("roi_name,x_base,y_base\nr,-5,-5\nr,400,-5\nr,400,400\nr,-5,400\n")

    split_by_roi([job], *folders, strict)
    split_by_roi([ROISplit(job.records, slide, whole)], *folders, lax, overwrite=True)

    assert [path.name for path in folders[1].iterdir()] == ["manifest.json"]
    assert (folders[1] / "manifest.json").read_text() == "{}\n"
    assert len(read_file(folders[0] / "s.tfrecords")) == len(read_file(job.records))


def test_tiles_that_do_not_say_where_they_are(slide: Path, tmp_path: Path, write) -> None:
    records = write("s", [example("s", encoded(pixels(1)), None, None)])
    job = ROISplit(records, slide, slide.parent / "rois" / "s.csv")

    with pytest.raises(RecordError, match="do not say where they are"):
        split_by_roi([job], tmp_path / "in", tmp_path / "out", ExtractionSpec.create(tile_px=PX, tile_um=UM))


def test_damage_and_missing_regions_leave_nothing(slide: Path, tmp_path: Path) -> None:
    job = split(slide, tmp_path, "center")
    empty = tmp_path / "empty.csv"
    empty.write_text("roi_name,x_base,y_base\n")
    spec = ExtractionSpec.create(tile_px=PX, tile_um=UM)

    with pytest.raises(MissingROIError):
        split_by_roi([ROISplit(job.records, slide, empty)], tmp_path / "in", tmp_path / "out", spec)
    damage(job.records, 5)
    with pytest.raises(RecordError, match="damaged"):
        split_by_roi([job], tmp_path / "in", tmp_path / "out", spec)

    assert not (tmp_path / "in").exists()
    assert not (tmp_path / "out").exists()
