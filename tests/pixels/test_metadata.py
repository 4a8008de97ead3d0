"""What a file says of itself."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import tifffile

from slidekit.errors import SlideOpenError
from slidekit.io.slide_tiff import write_svs, write_tiff
from slidekit.pixels.metadata import FileMPP, metadata_from_openslide, metadata_from_tiff
from slidekit.pixels.readers import open_slide

IMAGE = np.zeros((64, 80, 3), np.uint8)
OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
<Instrument ID="Instrument:0"><Objective ID="Objective:0" NominalMagnification="{power}"/></Instrument>
<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="80" SizeY="64" SizeC="3"
 SizeZ="1" SizeT="1" {sizes}><Channel ID="Channel:0:0" SamplesPerPixel="3"/><TiffData/></Pixels></Image></OME>"""


def strips(path, *, description=None, resolution=None, unit=None):
    """A TIFF that OpenSlide does not know."""
    tifffile.imwrite(
        path,
        IMAGE,
        photometric="rgb",
        description=description,
        resolution=resolution,
        resolutionunit=unit,
        metadata=None,
    )
    return path


def ome(path, sizes="", power="40"):
    return strips(path, description=OME.format(sizes=sizes, power=power).encode())


class TestOpenSlideProperties:
    def test_mpp_and_power(self):
        found = metadata_from_openslide(
            "aperio", {"openslide.mpp-x": "0.25", "openslide.mpp-y": "0.26", "openslide.objective-power": "40"}
        )
        assert found.mpp == FileMPP(0.25, 0.26, "aperio.MPP")
        assert found.objective_power == 40
        assert found.bounds_origin == (0, 0)
        assert found.vendor == "aperio"

    @pytest.mark.parametrize("axis", ["x", "y"])
    def test_one_number_is_meant_for_both_axes(self, axis):
        found = metadata_from_openslide("mirax", {f"openslide.mpp-{axis}": "0.23"})
        assert found.mpp is not None
        assert found.mpp[:2] == (0.23, 0.23)

    @pytest.mark.parametrize("text", ["", "nan", "inf", "0", "-0.25", "unknown"])
    def test_what_is_no_size_is_not_said(self, text):
        found = metadata_from_openslide("aperio", {"openslide.mpp-x": text, "openslide.objective-power": text})
        assert found.mpp is None
        assert found.objective_power is None

    def test_a_decimal_comma(self):
        found = metadata_from_openslide("aperio", {"openslide.mpp-x": "0,2528"})
        assert found.mpp is not None
        assert found.mpp.x == 0.2528

    def test_bounds(self):
        found = metadata_from_openslide("mirax", {"openslide.bounds-x": "1234", "openslide.bounds-y": "5678"})
        assert found.bounds_origin == (1234, 5678)


class TestSlides:
    def test_svs(self, tmp_path):
        write_svs(tmp_path / "a.svs", [IMAGE], mpp=0.2528, objective_power=40)
        with open_slide(tmp_path / "a.svs") as reader:
            assert reader.metadata.mpp == FileMPP(0.2528, 0.2528, "aperio.MPP")
            assert reader.metadata.objective_power == 40
            assert reader.metadata.properties["aperio.AppMag"] == "40"

    def test_svs_that_is_silent(self, tmp_path):
        write_svs(tmp_path / "a.svs", [IMAGE], mpp=None)
        with open_slide(tmp_path / "a.svs") as reader:
            assert reader.metadata.mpp is None
            assert reader.metadata.objective_power is None

    def test_generic_tiff_with_two_resolutions(self, tmp_path):
        write_tiff(tmp_path / "a.tiff", [IMAGE], mpp_x=0.25, mpp_y=0.26)
        with open_slide(tmp_path / "a.tiff") as reader:
            found = reader.metadata.mpp
        assert found is not None
        assert found.source == "TIFF resolution"
        assert found[:2] == pytest.approx((0.25, 0.26), rel=1e-6)


class TestTiffTags:
    @pytest.mark.parametrize(("unit", "microns"), [("INCH", 25_400), ("CENTIMETER", 10_000)])
    def test_units(self, tmp_path, unit, microns):
        per_unit = tuple(Fraction(microns) / Fraction(mpp) for mpp in ("0.25", "0.4"))
        path = strips(tmp_path / "a.tif", resolution=tuple((f.numerator, f.denominator) for f in per_unit), unit=unit)
        found = metadata_from_tiff(path)
        assert found.vendor == "tiff"
        assert found.mpp is not None
        assert found.mpp[:2] == pytest.approx((0.25, 0.4), rel=1e-9)
        assert found.mpp.source == "TIFF resolution"

    def test_no_unit_says_nothing(self, tmp_path):
        assert metadata_from_tiff(strips(tmp_path / "a.tif", resolution=(4000, 4000), unit="NONE")).mpp is None

    def test_no_resolution_says_nothing(self, tmp_path):
        path = strips(tmp_path / "a.tif")
        with tifffile.TiffFile(path, mode="r+b") as tiff:
            tiff.pages[0].tags["XResolution"].overwrite((0, 1))
        assert metadata_from_tiff(path).mpp is None

    def test_a_tag_that_is_no_fraction_says_nothing(self, tmp_path):
        path = strips(tmp_path / "a.tif", resolution=(4000, 4000), unit="CENTIMETER")
        with tifffile.TiffFile(path, mode="r+b") as tiff:
            tag = tiff.pages[0].tags["XResolution"]
            place = tag.offset + 2
        with path.open("r+b") as file:  # type SHORT instead of RATIONAL
            file.seek(place)
            file.write(b"\x03\x00")
        assert metadata_from_tiff(path).mpp is None
        with open_slide(path) as reader:
            assert reader.dimensions == (80, 64)


class TestOmeXml:
    @pytest.mark.parametrize(
        ("x", "y", "expected"),
        [
            ('PhysicalSizeX="0.25"', 'PhysicalSizeY="0.26"', (0.25, 0.26)),
            ('PhysicalSizeX="0.25" PhysicalSizeXUnit="µm"', 'PhysicalSizeY="250" PhysicalSizeYUnit="nm"', (0.25, 0.25)),
            ('PhysicalSizeX="2.5E-4" PhysicalSizeXUnit="mm"', 'PhysicalSizeY="0.26"', (0.25, 0.26)),
            ('PhysicalSizeX="2.5E-5" PhysicalSizeXUnit="cm"', 'PhysicalSizeY="0.26"', (0.25, 0.26)),
        ],
    )
    def test_units(self, tmp_path, x, y, expected):
        found = metadata_from_tiff(ome(tmp_path / "a.ome.tif", f"{x} {y}"))
        assert found.vendor == "ome-tiff"
        assert found.mpp is not None
        assert found.mpp[:2] == pytest.approx(expected, rel=1e-9)
        assert found.mpp.source == "OME-XML PhysicalSize"
        assert found.objective_power == 40

    @pytest.mark.parametrize(
        "sizes",
        [
            "",
            'PhysicalSizeX="0.25"',
            'PhysicalSizeX="0.25" PhysicalSizeY="0"',
            'PhysicalSizeX="abc" PhysicalSizeY="0.25"',
            'PhysicalSizeX="0.25" PhysicalSizeXUnit="pixel" PhysicalSizeY="0.25"',
        ],
    )
    def test_sizes_that_are_none_are_not_taken(self, tmp_path, sizes):
        found = metadata_from_tiff(ome(tmp_path / "a.ome.tif", sizes))
        assert found.mpp is None or found.mpp.source == "TIFF resolution"
        assert found.objective_power == 40

    @pytest.mark.parametrize(
        "break_it",
        [
            lambda text: text.replace("</Image>", ""),
            lambda text: text.replace("</OME>", "</OME"),
            lambda text: text.replace("<OME", '<!DOCTYPE x [<!ENTITY a "b">]><OME', 1),
        ],
        ids=["unclosed", "cut", "entities"],
    )
    def test_broken_xml_is_silence_and_the_slide_opens(self, tmp_path, break_it):
        text = break_it(OME.format(sizes='PhysicalSizeX="0.25" PhysicalSizeY="0.25"', power=40))
        path = strips(tmp_path / "a.ome.tif", description=text.encode())
        found = metadata_from_tiff(path)
        assert found.mpp is None or found.mpp.source == "TIFF resolution"
        with open_slide(path) as reader:
            assert reader.dimensions == (80, 64)

    @pytest.mark.realdata
    def test_real_file(self, real_data):
        found = metadata_from_tiff(real_data / "slides" / "OS-1-detail.ome.tif")
        assert found.mpp is not None
        assert found.mpp[:2] == pytest.approx((0.2271, 0.2271), abs=1e-4)


def test_what_is_no_tiff(tmp_path):
    (tmp_path / "a.tif").write_text("no TIFF")
    with pytest.raises(ValueError, match="not a TIFF"):
        metadata_from_tiff(tmp_path / "a.tif")


def test_a_file_that_is_cut_off_says_so(tmp_path):
    # Arrange: tifffile writes the directory first, so that half of the file still has it
    whole, cut = tmp_path / "whole.tiff", tmp_path / "cut.tiff"
    tifffile.imwrite(whole, np.zeros((900, 900, 3), np.uint8), tile=(128, 128))
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])

    # Act / Assert
    with pytest.raises(SlideOpenError, match=r"cut off: \d+ of the 64 tiles or strips .* Copy it again"):
        metadata_from_tiff(cut)
    assert metadata_from_tiff(whole).vendor == "tiff"


def test_one_lost_tile_is_not_a_file_cut_off(tmp_path):
    whole, cut = tmp_path / "whole.tiff", tmp_path / "cut.tiff"
    tifffile.imwrite(whole, np.zeros((900, 900, 3), np.uint8), tile=(128, 128))
    cut.write_bytes(whole.read_bytes()[:-100])

    assert metadata_from_tiff(cut).vendor == "tiff"


def test_a_property_whose_name_is_damaged_is_passed_over() -> None:
    class Properties(dict):
        """As OpenSlide's: it lists a name that it finds no value of."""

        def __iter__(self):
            return iter([*super().keys(), "aperio.\udcff"])

    found = metadata_from_openslide("aperio", Properties({"openslide.mpp-x": "0.5"}))

    assert found.properties == {"openslide.mpp-x": "0.5"}
