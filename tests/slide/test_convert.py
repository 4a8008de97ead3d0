from __future__ import annotations

import shutil

import numpy as np
import openslide
import pytest
import pyvips
import tifffile
from PIL import Image
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.errors import DatasetError, MissingMPPError, SlidekitError, SlideOpenError, SpecError
from slidekit.io import tiff_pages
from slidekit.io.slide_tiff import make_pyramid, write_svs, write_tiff
from slidekit.pixels.readers import open_slide
from slidekit.pixels.readers.native import NativeTiffReader
from slidekit.slide.conversion_spec import ConversionSpec
from slidekit.slide.convert import convert_slides, convert_to_tiff
from tests.pixels.pictures import most_off, positions, psnr, spoil_tile, tissue


@pytest.fixture(scope="module")
def image():
    return tissue(1403, 1100)


@pytest.fixture(scope="module")
def slide(tmp_path_factory, image):
    """Aperio's, 0.25 µm/px, 40x, levels 1 and 4; lossless but for JPEG."""
    path = tmp_path_factory.mktemp("svs") / "a & b.v1.svs"
    return write_svs(path, make_pyramid(image, (4,)), mpp=0.25, objective_power=40, quality=100, subsampling="444")


@pytest.fixture(scope="module")
def lossless(tmp_path_factory):
    levels = [positions(912, 704), positions(228, 176, 1), positions(57, 44, 2)]
    path = tmp_path_factory.mktemp("tiff") / "known.tiff"
    return write_tiff(path, levels, mpp_x=0.25, mpp_y=0.5, compression="deflate", tile_size=128), levels


def openslide_level(path, level=0):
    with openslide.OpenSlide(path) as opened:
        return np.asarray(opened.read_region((0, 0), level, opened.level_dimensions[level]).convert("RGB"))


def pixels_per_cm(path):
    with tifffile.TiffFile(path) as tiff:
        tags = [(page.tags["XResolution"].value, page.tags["YResolution"].value) for page in tiff.pages]
        assert {page.tags["ResolutionUnit"].value for page in tiff.pages} == {3}
    return [(x[0] / x[1], y[0] / y[1]) for x, y in tags]


def test_levels_are_copied_pixel_by_pixel_and_every_library_sees_them(tmp_path, lossless):
    source, levels = lossless

    made = convert_to_tiff(source, tmp_path / "out.tiff", levels=[0, 2], tile_size=64)

    assert openslide.OpenSlide.detect_format(made) == "generic-tiff"
    for number, expected in enumerate([levels[0], levels[2]]):
        np.testing.assert_array_equal(openslide_level(made, number), expected)
        np.testing.assert_array_equal(tifffile.imread(made, key=number), expected)
        np.testing.assert_array_equal(pyvips.Image.tiffload(str(made), page=number).numpy(), expected)
    with tifffile.TiffFile(made) as tiff:
        assert [page.tile for page in tiff.pages] == [(64, 64)] * 2
    assert pixels_per_cm(made) == [(40_000, 20_000), (2500, 1250)]


def test_any_resolution_is_resampled_from_the_slide_and_has_a_pyramid(tmp_path, slide, image):
    made = convert_to_tiff(slide, tmp_path / "out.tiff", target_mpp=0.55, tile_size=128, compression="none")

    pixel = 0.55 / 0.25
    with open_slide(made) as reader:
        assert reader.dimensions == (637, 500)
        assert reader.metadata.mpp.x == pytest.approx(0.55, rel=1e-9)
        shown = reader.read(0, 0, 0, *reader.dimensions)
    box = (0, 0, shown.shape[1] * pixel, shown.shape[0] * pixel)
    expected = Image.fromarray(image).resize(shown.shape[1::-1], Image.Resampling.LANCZOS, box=box)
    assert psnr(shown, np.asarray(expected)) > 44


def test_the_pyramid_goes_down_to_a_level_that_fits_a_screen(tmp_path, slide):
    made = convert_to_tiff(slide, tmp_path / "out.tiff", compression="jpeg", quality=90)

    with openslide.OpenSlide(made) as opened:
        assert opened.level_dimensions == ((1403, 1100), (350, 275))
    assert pixels_per_cm(made) == [(40_000, 40_000), (10_000, 10_000)]
    assert psnr(openslide_level(made), openslide_level(slide)) > 30


@pytest.mark.parametrize(("magnifications", "levels"), [([10], [1]), ([40, 10], [0, 1]), ([10.3], [1])])
def test_magnifications_take_levels_as_they_are_stored(tmp_path, slide, magnifications, levels):
    made = convert_to_tiff(slide, tmp_path / "out.tiff", magnifications=magnifications)

    for number, level in enumerate(levels):
        np.testing.assert_array_equal(openslide_level(made, number), openslide_level(slide, level))


def test_a_magnification_that_no_level_has_is_resampled(tmp_path, slide):
    made = convert_to_tiff(slide, tmp_path / "out.tiff", magnifications=[7])

    with open_slide(made) as reader:
        assert reader.metadata.mpp.x == pytest.approx(10 / 7, rel=1e-9)
        assert len(reader.levels) == 1


def test_pixels_that_are_not_square_become_square_where_microns_say_so(tmp_path, lossless):
    source, _ = lossless

    made = convert_to_tiff(source, tmp_path / "out.tiff", target_mpp=1, tile_size=64)

    with open_slide(made) as reader:
        assert reader.dimensions == (228, 352)
        assert (reader.metadata.mpp.x, reader.metadata.mpp.y) == (1, 1)


def test_strips_of_tiles_join_without_a_seam(tmp_path, slide, monkeypatch):
    whole = convert_to_tiff(slide, tmp_path / "whole.tiff", target_mpp=0.7, compression="none")
    monkeypatch.setattr("slidekit.pixels.strips.STRIP_BYTES", 1 << 16)

    parts = convert_to_tiff(slide, tmp_path / "parts.tiff", target_mpp=0.7, compression="none", tile_size=32)

    first, second = openslide_level(whole), openslide_level(parts)
    assert first.shape == second.shape
    assert psnr(first, second) > 48
    assert most_off(first, second) <= 8


def test_a_strip_is_in_memory_at_a_time_never_the_slide(tmp_path, slide, monkeypatch):
    asked = []
    read = NativeTiffReader.read

    def spy(self, level, x, y, width, height, shrink=1):
        asked.append(width * height)
        return read(self, level, x, y, width, height, shrink)

    monkeypatch.setattr(NativeTiffReader, "read", spy)

    convert_to_tiff(slide, tmp_path / "out.tiff", levels=[0], tile_size=64)

    assert max(asked) <= 1403 * 64
    assert sum(asked) == 1403 * 1100, "each pixel is read once"


def test_the_name_of_the_slide_is_kept_whatever_is_in_it(tmp_path, slide):
    made = convert_to_tiff(slide, tmp_path, levels=[1])

    assert made == tmp_path / "a & b.v1.tiff"
    assert openslide.OpenSlide(made).dimensions == (350, 275)


def test_many_pixels_make_a_bigtiff(tmp_path, slide, monkeypatch):
    monkeypatch.setattr(tiff_pages, "_CLASSIC_LIMIT", 1000)

    made = convert_to_tiff(slide, tmp_path / "out.tiff", levels=[1])

    with tifffile.TiffFile(made) as tiff:
        assert tiff.is_bigtiff
    assert openslide.OpenSlide(made).dimensions == (350, 275)


def test_no_file_is_replaced_unasked_and_never_the_slide_itself(tmp_path, slide):
    there = tmp_path / "out.tiff"
    there.write_bytes(b"mine")
    own = shutil.copy(slide, tmp_path / "own.tiff")

    with pytest.raises(SpecError, match="already"):
        convert_to_tiff(slide, there, levels=[1])
    with pytest.raises(SpecError, match="over itself"):
        convert_to_tiff(own, own, levels=[1], overwrite=True)

    assert there.read_bytes() == b"mine"
    convert_to_tiff(slide, there, levels=[1], overwrite=True)
    assert openslide.OpenSlide(there).dimensions == (350, 275)


def test_a_slide_that_breaks_in_its_middle_leaves_nothing(tmp_path, slide):
    broken = spoil_tile(shutil.copy(slide, tmp_path / "broken.svs"), 0, 9)
    out = tmp_path / "out"
    out.mkdir()

    with pytest.raises(SlidekitError):
        convert_to_tiff(broken, out)

    assert not list(out.iterdir())


@pytest.mark.parametrize(("options", "says"), [
    ({"target_mpp": 0.2}, "only enlarge"),
    ({"magnifications": [80]}, "only enlarge"),
    ({"levels": [2]}, "no level 2"),
    ({"levels": [0], "target_mpp": 1}, "target_mpp and levels"),
    ({"target_mpp": [1, -1]}, "more than 0"),
    ({"tile_size": 100}, "tile_size"),
    ({"compression": "lzw"}, "compression"),
    ({"quality": 101}, "quality"),
    ({"scale": 2}, "scale"),
])  # fmt: skip
def test_options_that_make_no_sense(tmp_path, slide, options, says):
    with pytest.raises(SpecError, match=says) as caught:
        convert_to_tiff(slide, tmp_path / "out.tiff", **options)
    assert caught.value.mend
    assert not list(tmp_path.iterdir())


def test_without_microns_a_slide_is_copied_and_not_resampled(tmp_path):
    source = write_tiff(tmp_path / "a.tiff", [positions(300, 200)], mpp_x=None, mpp_y=None, compression="none")

    made = convert_to_tiff(source, tmp_path / "out.tiff")

    assert "openslide.mpp-x" not in openslide.OpenSlide(made).properties
    with pytest.raises(MissingMPPError):
        convert_to_tiff(source, tmp_path / "other.tiff", target_mpp=1)
    with open_slide(convert_to_tiff(source, tmp_path / "told.tiff", target_mpp=1, mpp=0.5)) as reader:
        assert reader.dimensions == (150, 100)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["CMU-1-Small-Region.svs", "OS-1-detail.ome.tif"])
def test_real_slides_are_the_same_pixels_in_openslide(tmp_path, real_data, name):
    source = real_data / "slides" / name

    made = convert_to_tiff(source, tmp_path, levels=[0], compression="none")

    with open_slide(source) as before, openslide.OpenSlide(made) as after:
        width, height = before.dimensions
        np.testing.assert_array_equal(openslide_level(made), before.read(0, 0, 0, width, height))
        assert float(after.properties["openslide.mpp-x"]) == pytest.approx(before.metadata.mpp.x, rel=1e-8)
        assert float(after.properties["openslide.mpp-y"]) == pytest.approx(before.metadata.mpp.y, rel=1e-8)


def test_one_bad_slide_harms_no_other(tmp_path, slide, lossless):
    bad = tmp_path / "bad.svs"
    bad.write_bytes(b"no slide")
    seen = []

    results = convert_slides([slide, bad, lossless[0]], tmp_path / "out", levels=[1], workers=2, on_done=seen.append)
    again = convert_slides([slide, bad], tmp_path / "out", levels=[1])

    assert [result.status for result in results] == ["done", "failed", "done"]
    assert isinstance(results[1].error, SlideOpenError)
    assert seen == results
    assert [result.status for result in again] == ["skipped", "failed"]
    with pytest.raises(DatasetError, match="named"):
        convert_slides([slide, tmp_path / slide.name], tmp_path / "out")


def test_the_command_says_what_became_of_each_slide(tmp_path, slide):
    folder = tmp_path / "slides"
    folder.mkdir()
    shutil.copy(slide, folder)
    (folder / "bad.svs").write_bytes(b"no slide")
    command = ["convert", str(folder), "-o", str(tmp_path / "out"), "--target-mpp", "1", "--target-mpp", "2"]

    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})

    assert result.exit_code == 1
    assert "1 done, 1 failed" in result.output
    assert "bad.svs" in result.output
    with open_slide(tmp_path / "out" / "a & b.v1.tiff") as reader:
        assert [level.width for level in reader.levels] == [350, 175]


def test_every_field_of_the_spec_is_an_option():
    text = CliRunner().invoke(app, ["convert", "--help"], env={"COLUMNS": "300"}).output

    singular = {"magnifications": "magnification", "levels": "level"}
    for name in ConversionSpec.model_fields:
        assert f"--{singular.get(name, name).replace('_', '-')} " in text


def test_names_and_options_of_another_kind_are_refused(slide, tmp_path):
    for name in ("out.v2", "n6.png"):
        with pytest.raises(SpecError, match=r"does not end in \.tif"):
            convert_to_tiff(slide, tmp_path / name)
    with pytest.raises(SpecError, match="A conversion has no option 'colour'"):
        convert_to_tiff(slide, tmp_path / "out.tiff", colour=1)
    assert not [path for path in tmp_path.iterdir() if path != slide]


def test_the_folder_of_the_slides_is_not_written_to(slide, tmp_path):
    from typer.testing import CliRunner

    from slidekit.cli import app

    shutil.copy(slide, tmp_path / "slide.svs")
    run = CliRunner().invoke

    own = run(app, ["convert", str(tmp_path), "-o", str(tmp_path)], env={"COLUMNS": "200"})
    below = [run(app, ["convert", str(tmp_path / "slide.svs"), "-o", str(tmp_path / "out"), "--level", "0"])]
    below += [run(app, ["convert", str(tmp_path), "-o", str(tmp_path / "out"), "--level", "0"]) for _ in range(2)]

    assert own.exit_code == 2
    assert "folder of the slides" in own.output
    assert [one.exit_code for one in below] == [0, 0, 0], below[-1].output
