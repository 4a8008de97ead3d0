"""What is looked at in a TIFF before tifffile follows it, and whether sizes can be true."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import SlideOpenError
from slidekit.io.slide_tiff import write_tiff
from slidekit.pixels.readers import open_slide
from slidekit.pixels.readers.directories import check_directories, check_ome
from slidekit.pixels.readers.tiff_levels import tiff_levels
from tests.pixels.pictures import positions

WIDTH, HEIGHT = 256, 257
TILE_WIDTH, TILE_HEIGHT = 322, 323


def chain(count: int, last: int = 0, *, big: bool = False) -> bytes:
    """A TIFF of so many directories without entries; the last one leads to the one of that number, 0 to none."""
    head, size = (16, 16) if big else (8, 6)
    offsets = [head + size * k for k in range(count)]
    data = b"II+\0\x08\0\0\0" + struct.pack("<Q", head) if big else b"II*\0" + struct.pack("<I", head)
    for following in [*offsets[1:], offsets[last - 1] if last else 0]:
        data += struct.pack("<QQ" if big else "<HI", 0, following)
    return data + bytes(16)


@pytest.mark.parametrize("big", [False, True])
class TestChains:
    def test_one_that_ends(self, tmp_path, big):
        (tmp_path / "a.tif").write_bytes(chain(4096, big=big))
        check_directories(tmp_path / "a.tif")

    @pytest.mark.parametrize(("count", "last"), [(1, 1), (3, 1), (3, 3), (300, 200)])
    def test_circles(self, tmp_path, big, count, last):
        (tmp_path / "a.tif").write_bytes(chain(count, last, big=big))
        with pytest.raises(SlideOpenError, match="circle"):
            check_directories(tmp_path / "a.tif")

    def test_one_that_is_too_long(self, tmp_path, big):
        (tmp_path / "a.tif").write_bytes(chain(4097, big=big))
        with pytest.raises(SlideOpenError, match="more than 4096"):
            check_directories(tmp_path / "a.tif")


@given(
    data=st.binary(max_size=60), head=st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"])
)
@settings(deadline=None)
def test_any_bytes_end_somewhere(tmp_path_factory, data, head):
    path = tmp_path_factory.getbasetemp() / "any.tif"
    path.write_bytes(head + data)
    for ndpi in (False, True):
        with contextlib.suppress(SlideOpenError):
            check_directories(path, ndpi=ndpi)


OME = (
    '<OME xmlns="x"><Image><Pixels SizeX="9" SizeY="9" SizeZ="{z}" SizeT="{t}" SizeC="3">'
    "<TiffData {data}/></Pixels></Image></OME>"
)


class TestOME:
    @pytest.mark.parametrize("data", ['IFD="0" PlaneCount="1"', 'FirstZ="0"', 'IFD="first"', ""])
    def test_what_a_slide_says(self, tmp_path, data):
        check_ome(tmp_path, OME.format(z=1, t=1, data=data))

    @pytest.mark.parametrize(
        ("z", "t", "data"),
        [
            (1, 1, 'PlaneCount="2147483647"'),
            (1, 1, 'NumPlanes="100000"'),
            (1, 1, 'FirstT="99999999"'),
            (1, 2**31, ""),
            (60_000, 60_000, ""),
            (1, 1, 'IFD="-100000"'),
        ],
    )
    def test_planes_beyond_counting(self, tmp_path, z, t, data):
        with pytest.raises(SlideOpenError, match="planes"):
            check_ome(tmp_path, OME.format(z=z, t=t, data=data))

    def test_entities_hide_nothing(self, tmp_path):
        text = '<!DOCTYPE x [<!ENTITY a "99999999">]>' + OME.format(z=1, t=1, data='PlaneCount="&a;"')
        with pytest.raises(SlideOpenError, match="planes"):
            check_ome(tmp_path, text)

    @pytest.mark.parametrize("text", ["", "<OME", "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><OME>&x;</OME>"])
    def test_what_cannot_be_parsed_is_left_to_tifffile(self, tmp_path, text):
        check_ome(tmp_path, text)

    def test_a_file_of_that_kind_is_refused_before_memory_is_filled(self, tmp_path):
        path = tmp_path / "a.ome.tif"
        text = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels'
        text += (
            ' DimensionOrder="XYCZT" ID="Pixels:0" SizeC="3" SizeT="1" SizeX="64" SizeY="64" SizeZ="1" Type="uint8">'
        )
        text += '<Channel ID="Channel:0:0" SamplesPerPixel="3"/><TiffData IFD="0" PlaneCount="4000000000"/>'
        text += "</Pixels></Image></OME>"
        tifffile.imwrite(path, positions(64, 64), photometric="rgb", tile=(32, 32), description=text, metadata=None)
        with pytest.raises(SlideOpenError, match="4000000000 planes"):
            open_slide(path)


class TestSizes:
    @pytest.fixture
    def slide(self, tmp_path):
        path = tmp_path / "a.tiff"
        levels = [positions(500, 300), positions(125, 75)]
        return write_tiff(path, levels, mpp_x=0.5, mpp_y=0.5, compression="deflate", tile_size=128)

    def change(self, path, page, tag, value):
        with tifffile.TiffFile(path) as tiff:
            at = tiff.pages[page].tags[tag]
            place, form = at.valueoffset, {3: "<H", 4: "<I"}[int(at.dtype)]
        with path.open("r+b") as file:
            file.seek(place)
            file.write(struct.pack(form, value))

    @pytest.mark.parametrize(("tag", "value"), [(WIDTH, 300), (WIDTH, 60_000), (HEIGHT, 600), (HEIGHT, 200)])
    @pytest.mark.parametrize("page", [0, 1])
    def test_a_table_that_does_not_fit_is_refused(self, slide, page, tag, value):
        self.change(slide, page, tag, value)
        with pytest.raises(SlideOpenError, match="table lists") as error:
            open_slide(slide)
        assert error.value.path == slide
        assert error.value.mend

    @pytest.mark.parametrize("tag", [TILE_WIDTH, TILE_HEIGHT])
    def test_other_tiles_do_not_fit_the_table_either(self, slide, tag):
        self.change(slide, 0, tag, 64)
        with pytest.raises(SlideOpenError, match="table lists"):
            open_slide(slide)

    def test_a_page_of_other_proportions_is_no_level(self, slide):
        self.change(slide, 1, WIDTH, 90)
        assert [level.width for level in tiff_levels(slide)] == [500]

    def test_the_size_of_a_huge_single_tile_is_not_believed(self, tmp_path):
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, positions(64, 64), photometric="rgb", rowsperstrip=64, compression="zlib")
        for tag in (HEIGHT, 278):
            with tifffile.TiffFile(path) as tiff:
                at = tiff.pages[0].tags[tag]
            with path.open("r+b") as file:
                file.seek(at.offset + 2)
                file.write(struct.pack("<HII", 4, 1, 2**31 - 1))
        with pytest.raises(SlideOpenError, match=r"claims 64 × 2147483647 pixels|cannot open"):
            open_slide(path)

    def test_jpeg_that_is_said_to_be_uncompressed_is_refused(self, tmp_path):
        path = write_tiff(tmp_path / "a.tiff", [positions(512, 384)], mpp_x=0.5, mpp_y=0.5, tile_size=128)
        self.change(path, 0, 259, 1)
        with pytest.raises(SlideOpenError, match="said to be uncompressed"):
            open_slide(path)

    def test_sound_ones_are_read(self, slide):
        with open_slide(slide) as reader:
            assert np.array_equal(reader.read(0, 0, 0, 500, 300), positions(500, 300))


def test_a_copy_that_was_cut_off_is_told_from_what_is_no_slide(tmp_path: Path) -> None:
    # Arrange: the directory stands at the end, as scanners write it
    cut, other = tmp_path / "cut.tif", tmp_path / "other.tif"
    cut.write_bytes(b"II*\0" + (5000).to_bytes(4, "little") + bytes(2000))
    other.write_bytes(b"II*\0" + (16).to_bytes(4, "little") + bytes(2000))

    # Act / Assert
    with pytest.raises(SlideOpenError, match=r"is cut off: it has 2008 bytes.*Copy it again"):
        open_slide(cut)
    with pytest.raises(SlideOpenError) as error:
        open_slide(other)
    assert "cut off" not in str(error.value)
