"""Thumbnails, duplicates, converted regions and the histogram."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slidekit.errors import RecordError, ROIError, SpecError
from slidekit.io.slide_tiff import make_pyramid, write_svs, write_tiff
from slidekit.record_tools.duplicates import find_duplicates
from slidekit.record_tools.histogram import tiles_figure
from slidekit.record_tools.pictures import SlidePicture, square_picture, write_thumbnails
from slidekit.record_tools.xml_rois import convert_xml
from slidekit.slide.roi import load_rois

XML = (
    '<Annotations><Annotation Name="tumor"><Regions>'
    '<Region Id="1" Type="0"><Vertices>{outer}</Vertices></Region>'
    '<Region Id="2" Type="0" NegativeROA="1"><Vertices>{hole}</Vertices></Region>'
    "</Regions></Annotation></Annotations>"
)


def square(x: int, size: int) -> str:
    corners = ((x, x), (x + size, x), (x + size, x + size), (x, x + size))
    return "".join(f'<Vertex X="{a}" Y="{b}" Z="0"/>' for a, b in corners)


def blocks(seed: int, width: int = 400, height: int = 200) -> np.ndarray:
    """A slide of coloured blocks."""
    colors = np.random.default_rng(seed).integers(60, 240, (4, 8, 3), dtype=np.uint8)
    return np.repeat(np.repeat(colors, height // 4, 0), width // 8, 1)


def slide(folder: Path, name: str, seed: int, quality: int = 90, **options: object) -> Path:
    folder.mkdir(exist_ok=True)
    levels = make_pyramid(blocks(seed), (4,))
    return write_svs(folder / f"{name}.svs", levels, mpp=0.5, quality=quality, **options)


def load(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


# --- thumbnails -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("enable_downsample", [True, False])
def test_a_slide_stands_in_the_middle_of_a_white_square(tmp_path: Path, enable_downsample: bool) -> None:
    path = slide(tmp_path, "a", 1, quality=98)

    picture = square_picture(SlidePicture(path), 100, enable_downsample=enable_downsample)

    expected = np.asarray(Image.fromarray(blocks(1)).resize((100, 50), Image.Resampling.BOX))
    assert picture.shape == (100, 100, 3)
    assert (picture[:25] == 255).all()
    assert (picture[75:] == 255).all()
    assert np.abs(picture[25:75].astype(int) - expected).mean() < 6


def test_pixels_that_are_not_square_are_shown_in_true_proportions(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tiff", [blocks(1)], mpp_x=0.25, mpp_y=0.5, compression="deflate")
    unknown = write_tiff(tmp_path / "b.tiff", [blocks(1)], mpp_x=None, mpp_y=None, compression="deflate")

    assert not (square_picture(SlidePicture(path), 40) == 255).all(axis=(1, 2)).any()
    assert (square_picture(SlidePicture(unknown), 40) == 255).all(axis=(1, 2)).sum() == 20
    with pytest.raises(SpecError):
        square_picture(SlidePicture(path), 0)


def test_regions_are_drawn(tmp_path: Path) -> None:
    path, rois = slide(tmp_path, "a", 1), tmp_path / "a.csv"
    rois.write_text("roi_name,x_base,y_base\nr,100,50\nr,300,50\nr,300,150\nr,100,150\n")

    plain, drawn = (square_picture(SlidePicture(path, given), 200) for given in (None, rois))

    rows, columns = np.nonzero((plain != drawn).any(axis=2))
    # Half size, 50 px of white above: from (50, 75) to (150, 125), and the width of the line.
    assert np.abs([columns.min() - 50, columns.max() - 150, rows.min() - 75, rows.max() - 125]).max() <= 3


def test_a_slide_that_fails_is_named_and_stops_no_other(tmp_path: Path) -> None:
    good, bad = slide(tmp_path / "slides", "good", 1), tmp_path / "slides" / "bad.svs"
    bad.write_bytes(b"no slide")
    home = tmp_path / "deep" / "thumbs"

    made, failed = write_thumbnails({"bad": SlidePicture(bad), "good": SlidePicture(good)}, home, size=32)

    assert list(made) == ["good"]
    assert "not a slide" in str(failed["bad"])
    assert [path.name for path in home.iterdir()] == ["good.png"]
    assert np.array_equal(load(made["good"]), square_picture(SlidePicture(good), 32))
    with pytest.raises(RecordError, match="exists already"):
        write_thumbnails({"good": SlidePicture(good)}, home)
    write_thumbnails({"good": SlidePicture(good)}, home, size=16, overwrite=True)
    assert load(made["good"]).shape == (16, 16, 3)


# --- duplicates -------------------------------------------------------------------------------------------------


def test_the_same_scan_and_the_same_file_are_found(tmp_path: Path) -> None:
    first, other = slide(tmp_path / "one", "a", 1), slide(tmp_path / "one", "b", 2)
    saved_again = slide(tmp_path / "two", "c", 1, quality=70)
    copied = Path(shutil.copy(other, tmp_path / "two" / "d.svs"))

    found, errors = find_duplicates([first, other, saved_again, copied, first], px=32)

    assert [(one.first, one.second, one.same_file) for one in found] == [
        (first, saved_again, False),
        (other, copied, True),
    ]
    pictures = [square_picture(SlidePicture(path), 32).astype(float) for path in (first, saved_again)]
    assert found[0].mse == pytest.approx(((pictures[0] - pictures[1]) ** 2).mean())
    assert (found[1].mse, errors) == (0, {})


def test_a_limit_and_slides_that_cannot_be_drawn(tmp_path: Path) -> None:
    paths = [slide(tmp_path, name, seed) for seed, name in enumerate("ab")]
    for name in ("c", "d"):
        (tmp_path / f"{name}.svs").write_bytes(b"no slide")
    paths += [tmp_path / "c.svs", tmp_path / "d.svs", tmp_path / "gone.svs"]

    found, errors = find_duplicates(paths, px=16, mse_thresh=1e9)
    strict, _ = find_duplicates(paths[:2], px=16, mse_thresh=0)

    assert [(one.first.stem, one.second.stem, one.same_file) for one in found] == [("a", "b", False), ("c", "d", True)]
    assert np.isnan(found[1].mse)
    assert [path.stem for path in errors] == ["c", "d", "gone"]
    assert strict == find_duplicates([])[0] == []


# --- regions ----------------------------------------------------------------------------------------------------


def test_xml_becomes_csv_beside_it_with_its_hole(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(XML.format(outer=square(0, 100), hole=square(20, 30)))
    before = path.read_bytes()

    made = convert_xml(path)

    assert made == tmp_path / "a.csv"
    ((xml,), (csv,)) = (load_rois(file).rois for file in (path, made))
    assert (csv.label, csv.polygon.equals(xml.polygon), csv.polygon.area) == ("tumor", True, 100**2 - 30**2)
    assert path.read_bytes() == before
    made.write_text("mine")
    assert convert_xml(path) is None
    assert made.read_text() == "mine"


@pytest.mark.parametrize("content", ["<Annotations></Annotations>", "<kml/>", "no xml"])
def test_xml_without_regions(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.xml").write_text(content)

    with pytest.raises(ROIError):
        convert_xml(tmp_path / "a.xml")
    assert not (tmp_path / "a.csv").exists()


# --- histogram --------------------------------------------------------------------------------------------------


def test_the_histogram_counts_every_slide(tmp_path: Path) -> None:
    figure = tiles_figure({"site = x": [1, 5, 100], "site = y": [7]})

    counts = [sum(bar.get_height() for bar in axis.patches) for axis in figure.axes]
    assert counts == [3, 1]
    assert [axis.get_title() for axis in figure.axes] == ["site = x (3 slides)", "site = y (1 slides)"]
    part = tiles_figure({"": [1, 5, 100]}, binrange=(0, 10))
    assert sum(bar.get_height() for bar in part.axes[0].patches) == 2
    figure.savefig(tmp_path / "tiles.png", dpi=30)
    assert tiles_figure({}).axes
