"""Label images of patches, against shapely's answer for each pixel, and against the mask they are read from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
import tifffile
from PIL import Image

from slidekit.errors import SlideError, SpecError
from slidekit.io.slide_tiff import write_tiff
from slidekit.sampling.label_painter import LabelPainter
from slidekit.sampling.places import SlideFacts
from slidekit.sampling.places.assemble import class_table
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec
from slidekit.slide.roi import ROI, ROISet, write_roi_csv
from slidekit.slide.roi.class_regions import ClassRegions

FACTS = SlideFacts("slide", (640, 480), (0.5, 0.5), ((1.0, 1.0),), "1-a")


def painter(classes, *, rois: ROISet | None = None, label_mask: Path | None = None) -> LabelPainter:
    slide = SampledSlide(Path("slide.svs"), "slide", rois=rois, label_mask=label_mask)
    return LabelPainter(slide, SamplingSpec.create(tile_px=32, tile_um=16.0, classes=classes, mask=None), FACTS)


def rois(*labelled: tuple[str | None, shapely.Polygon]) -> ROISet:
    return ROISet(tuple(ROI(f"roi{number}", label, shape) for number, (label, shape) in enumerate(labelled)))


def by_shapely(shape: shapely.Polygon, x: float, y: float, width: float, height: float, px: int) -> np.ndarray:
    rows, columns = (np.indices((px, px)) + 0.5) / px
    return shapely.contains_xy(shape, x + columns * width, y + rows * height)


@pytest.mark.parametrize("view", [(10.3, 20.7, 6.4, 6.4), (8.0, 17.25, 40.0, 20.0), (-5.5, -3.0, 200.0, 200.0)])
def test_a_pixel_is_what_its_centre_is(view) -> None:
    # Arrange: an outline that runs within pixels, with a hole
    shape = shapely.Point(14.2, 23.9).buffer(5.37).difference(shapely.Point(14, 24).buffer(1.1))
    # Act
    with painter(("x", "tumor"), rois=rois(("tumor", shape))) as one:
        image = one.paint(*view, 16)
    # Assert
    assert image.dtype == np.uint8
    assert np.array_equal(image, 2 * by_shapely(shape, *view, 16))


def test_smaller_regions_lie_on_top_whatever_their_order() -> None:
    large, middle, small = (shapely.box(0, 0, edge, edge) for edge in (30, 20, 10))
    listed = [("a", small), ("b", large), ("a", middle), ("other", shapely.box(0, 0, 5, 5)), (None, large)]
    for order in (listed, listed[::-1]):
        image = painter(("a", "b"), rois=rois(*order)).paint(0, 0, 32, 32, 32)
        assert image[2, 2] == image[15, 15] == 1
        assert image[25, 25] == 2
        assert image[31, 31] == 0


def test_what_lies_beyond_the_slide_is_none() -> None:
    beyond = rois(("a", shapely.box(-200, 300, 100, 900)))
    image = painter(("a",), rois=beyond).paint(-100, 380, 200, 200, 20)
    assert np.array_equal(np.argwhere(image)[[0, -1]], [[0, 10], [9, 19]])


def test_numbers_of_a_label_mask_by_nearest_neighbour(tmp_path: Path) -> None:
    # Arrange: a mask of half the slide's resolution; 300 is no number of it, 0 is a class too
    numbers = np.random.default_rng(0).integers(0, 4, (240, 320)).astype(np.uint8)
    Image.fromarray(numbers).save(tmp_path / "labels.png")
    # Act
    with painter((3, 0), label_mask=tmp_path / "labels.png") as one:
        image = one.paint(100, 60, 64, 64, 32)
        beyond = one.paint(-32, 448, 64, 64, 32)
    # Assert
    taken = numbers[30:62, 50:82]
    assert np.array_equal(image, np.select([taken == 3, taken == 0], [1, 2], 0))
    assert not beyond[:, :16].any()
    assert not beyond[16:].any()
    assert beyond[:16, 16:].any()


def test_a_level_serves_that_is_not_coarser_than_the_patch(tmp_path: Path) -> None:
    # Arrange: levels that say which they are
    with tifffile.TiffWriter(tmp_path / "labels.tif") as tiff:
        for number, shrink in ((1, 1), (2, 4)):
            pixels = np.full((480 // shrink, 640 // shrink), number, np.uint8)
            tiff.write(pixels, tile=(64, 64), compression="deflate", subfiletype=int(shrink > 1))
    with painter((1, 2), label_mask=tmp_path / "labels.tif") as one:
        # Act, Assert: 32 px of 32, 96 and 128 level-0 px
        seen = [set(np.unique(one.paint(0, 0, edge, edge, 32))) for edge in (32, 96, 128)]
    assert seen == [{1}, {1}, {2}]


def test_a_slide_without_classes_is_blank() -> None:
    for classes in (("a",), (1,), None):
        assert not painter(classes).paint(0, 0, 64, 64, 8).any()


def test_more_classes_than_numbers_are_refused() -> None:
    most = tuple(f"class {number}" for number in range(254))
    regions = rois(("class 253", shapely.box(0, 0, 9, 9)))
    assert painter(most, rois=regions).paint(0, 0, 8, 8, 4).max() == 254
    with pytest.raises(SpecError, match="255 classes"):
        ClassRegions.of(regions, (*most, "one more"))
    with pytest.raises(SpecError, match="0 to 255"):
        class_table((1, 256))


def test_regions_come_from_a_file_and_facts_from_the_slide(tmp_path: Path) -> None:
    # Arrange
    path = write_tiff(
        tmp_path / "s.tiff", [np.zeros((480, 640, 3), np.uint8)], mpp_x=0.5, mpp_y=0.5, compression="deflate"
    )
    write_roi_csv(tmp_path / "s.csv", rois(("a", shapely.box(8, 8, 16, 24))))
    slide = SampledSlide(path, "s", rois=tmp_path / "s.csv")
    spec = SamplingSpec.create(tile_px=32, tile_um=16.0, classes=("a",), roi_origin=(4, 0))
    # Act
    image = LabelPainter(slide, spec).paint(0, 0, 32, 32, 32)
    # Assert
    assert np.array_equal(np.argwhere(image)[[0, -1]], [[8, 12], [23, 19]])


def test_a_label_mask_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="no such"):
        painter((1,), label_mask=tmp_path / "gone.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(SlideError, match="cannot be read"):
        painter((1,), label_mask=tmp_path / "bad.png")
    Image.fromarray(np.full((48, 64), 300, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(SlideError, match="beyond 255"):
        painter((1,), label_mask=tmp_path / "deep.png")
