"""Which reader opens a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from slidekit.errors import SlideOpenError, SpecError
from slidekit.pixels.readers import READERS, open_slide
from tests.pixels.pictures import positions


def test_the_order_in_which_they_are_tried():
    # Without cuCIM, which is a reader only by its name.
    assert list(READERS) == ["native", "vips", "openslide"]


def test_tiled_tiff_is_read_natively(known_slide):
    with open_slide(known_slide) as reader:
        assert reader.name == "native"


@pytest.mark.parametrize("compression", ["zstd", "packbits"])
def test_what_only_openslide_decodes_is_left_to_it(tmp_path, compression):
    # libvips opens Zstandard, and then cannot read a single tile.
    path = tmp_path / "a.svs"
    image = positions(300, 200)
    description = "Aperio Image Library v12.0.15 \r\n300x200 [0,0 300x200] (128x128) |AppMag = 20|MPP = 0.5"
    tifffile.imwrite(
        path, image, photometric="rgb", tile=(128, 128), compression=compression, description=description, metadata=None
    )
    with open_slide(path) as reader:
        assert reader.name == "openslide"
        assert np.array_equal(reader.read(0, 0, 0, 300, 200), image)


def test_a_reader_that_does_not_fit_says_why_and_how_to_mend_it(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", positions(300, 200), photometric="rgb", tile=(128, 128), compression="packbits"
    )
    with pytest.raises(SlideOpenError) as error:
        open_slide(tmp_path / "a.tif", "native")
    assert "a.tif" in str(error.value)
    assert "32773" in str(error.value)
    assert 'reader="auto"' in str(error.value)


def test_an_unknown_reader_is_wrong_use(known_slide):
    with pytest.raises(SpecError, match="auto, native, vips, openslide, cucim"):
        open_slide(known_slide, "java")


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "no such file"), (b"", "empty"), (b"plain text, called a slide" * 40, "not a slide")],
)
@pytest.mark.parametrize("name", ["a.svs", "a.tif", "a.ndpi", "a.mrxs", "a.dcm", "a.bif"])
def test_what_is_no_slide(tmp_path, name, content, says):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SlideOpenError, match=says) as error:
        open_slide(path)
    assert error.value.path == path


def test_a_folder_is_no_slide(tmp_path):
    with pytest.raises(SlideOpenError, match=r"is a folder, not a slide\. Name a slide in it"):
        open_slide(tmp_path)


@pytest.mark.realdata
class TestRealFiles:
    @pytest.mark.parametrize(
        ("name", "reader", "vendor"),
        [
            ("gastric-HE-40x.svs", "native", "aperio"),
            ("CMU-1-Small-Region.svs", "native", "aperio"),
            ("CMU-1-Small-Region-wrong-mpp.tiff", "native", "generic-tiff"),
            ("OS-1-detail.ome.tif", "native", "ome-tiff"),
            ("boxes.tiff", "native", "generic-tiff"),
            ("tiny.svs", "native", "aperio"),
            ("fluorescence-DAPI.ndpi", "native", "hamamatsu"),
        ],
    )
    def test_good_ones(self, real_data: Path, name, reader, vendor):
        with open_slide(real_data / "slides" / name) as slide:
            assert (slide.name, slide.metadata.vendor) == (reader, vendor)
            width, height = slide.dimensions
            assert slide.read(0, width // 2, height // 2, 5, 5).std() > 0

    def test_strips_are_read(self, real_data: Path):
        path = real_data / "slides" / "mostly-background.tif"
        with open_slide(path) as slide:
            image = slide.read(0, 0, 0, *slide.dimensions)
        assert np.array_equal(image, tifffile.imread(path))

    @pytest.mark.parametrize("name", ["not-a-tiff.svs", "unknown-compression.tiff", "openslide-failure-modes.txt"])
    def test_broken_ones_do_not_open(self, real_data: Path, name):
        with pytest.raises(SlideOpenError) as error:
            open_slide(real_data / "broken" / name)
        assert name in str(error.value)
