"""The reader by cuCIM, with a stand-in everywhere and with cuCIM itself where it is installed."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import MissingExtraError, SlideOpenError, SlideReadError
from slidekit.io.slide_tiff import make_pyramid, write_svs, write_tiff
from slidekit.pixels.readers import open_slide
from slidekit.pixels.readers.cucim import _level_0_place
from tests.pixels.pictures import most_off, positions, remove_tiles, spoil_tile
from tests.pixels.readers.contract import ReaderContract
from tests.pixels.readers.fake_cucim import make_module

IS_INSTALLED = importlib.util.find_spec("cucim") is not None


@pytest.fixture(scope="module")
def known_slide(tmp_path_factory: pytest.TempPathFactory, known_levels: list[np.ndarray]) -> Path:
    path = tmp_path_factory.mktemp("known") / "known.tiff"
    return write_tiff(path, known_levels, mpp_x=0.25, mpp_y=0.25, compression="none", tile_size=128)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cucim", make_module())


@pytest.fixture
def real_cucim() -> None:
    if not IS_INSTALLED:
        pytest.skip('cuCIM is not installed (pip install "slidekit[cucim]")')


class CucimContract(ReaderContract):
    """As the contract, on files without the predictor of `write_tiff`'s deflate, which ends cuCIM's process."""

    name = "cucim"

    def test_a_file_written_anew_shows_its_new_pixels(self, tmp_path):
        path = tmp_path / "a.tiff"
        for value in (10, 200):
            write_tiff(path, [np.full((256, 256, 3), value, np.uint8)], mpp_x=None, mpp_y=None, compression="none")
            with open_slide(path, self.name) as reader:
                assert (reader.read(0, 0, 0, 20, 20) == value).all()

    @pytest.mark.parametrize("compression", ["lzw", "jpeg"])
    def test_a_damaged_tile_is_named_and_the_rest_is_read(self, tmp_path, compression):
        path = tmp_path / "a.tiff"
        tifffile.imwrite(path, positions(512, 384), photometric="rgb", tile=(128, 128), compression=compression)
        with open_slide(path, self.name) as reader:
            whole = reader.read(0, 0, 0, 512, 384)
        spoil_tile(path, 0, 5)  # columns 128 to 255, rows 128 to 255

        with open_slide(path, self.name) as reader:
            for _ in range(2):
                with pytest.raises(SlideReadError, match="x=128, y=128 of level 0") as error:
                    reader.read(0, 150, 140, 20, 20)
                assert error.value.path == path
                assert np.array_equal(reader.read(0, 0, 0, 512, 128), whole[:128])
                assert np.array_equal(reader.read(0, 256, 128, 256, 256), whole[128:, 256:])

    def test_threads_that_read_sound_places_do_not_suffer_from_a_damaged_one(self, tmp_path):
        original = positions(512, 384)
        path = tmp_path / "a.tiff"
        tifffile.imwrite(path, original, photometric="rgb", tile=(128, 128), compression="lzw", predictor=True)
        spoil_tile(path, 0, 0)

        def read(place: tuple[int, int]) -> np.ndarray | None:
            try:
                return reader.read(0, *place, 60, 60)
            except SlideReadError:
                return None

        places = [(0, 0), (130, 0), (400, 300), (200, 200)] * 20
        with open_slide(path, self.name) as reader, ThreadPoolExecutor(4) as pool:
            images = list(pool.map(read, places))

        for (x, y), image in zip(places, images, strict=True):
            expected = None if (x, y) == (0, 0) else original[y : y + 60, x : x + 60]
            assert np.array_equal(image, expected) if expected is not None else image is None

    @pytest.mark.parametrize("size", [(1000, 700), (913, 709), (651, 1203)])
    @pytest.mark.parametrize("photometric", ["ycbcr", "rgb"])
    def test_levels_of_rounded_sizes_equal_native(self, tmp_path, size, photometric):
        # Stored downsamples that are no whole numbers, and odd places: the very rectangle that was asked for.
        rng = np.random.default_rng(3)
        picture = positions(*size)
        levels = [picture, *make_pyramid(picture, (3, 5, 16))[1:]]
        path = write_svs(tmp_path / "a.svs", levels, mpp=0.25, tile_size=240, photometric=photometric)
        with open_slide(path, self.name) as reader, open_slide(path, "native") as native:
            assert reader.levels == native.levels
            for level, at in enumerate(native.levels):
                for _ in range(15):
                    x, y = int(rng.integers(-9, at.width)), int(rng.integers(-9, at.height))
                    w, h = int(rng.integers(1, 90)), int(rng.integers(1, 90))
                    assert most_off(reader.read(level, x, y, w, h), native.read(level, x, y, w, h)) == 0

    def test_absent_tiles_are_refused(self, tmp_path):
        path = write_tiff(tmp_path / "a.tiff", [positions(300, 300)], mpp_x=1, mpp_y=1)
        remove_tiles(path, 0, [1])
        with pytest.raises(SlideOpenError, match="absent tiles"):
            open_slide(path, self.name)

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"tile": (128, 128), "compression": "zlib", "predictor": True}, "predictor"),
            ({"tile": (128, 128), "compression": "packbits"}, "32773"),
            ({"tile": (128, 128), "planarconfig": "separate"}, "RGB"),
        ],
    )
    def test_files_that_end_its_process_or_come_out_wrong_are_refused(self, tmp_path, options, reason):
        image = positions(300, 200)
        pixels = np.moveaxis(image, 2, 0) if "planarconfig" in options else image
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", metadata=None, **options)
        with pytest.raises(SlideOpenError, match=reason) as error:
            open_slide(tmp_path / "a.tif", self.name)
        assert 'reader="auto"' in str(error.value)

    @pytest.mark.realdata
    @pytest.mark.parametrize(
        ("file", "reason"),
        [
            ("fluorescence-DAPI.ndpi", "hamamatsu"),
            ("OS-1-detail.ome.tif", "wrong colours"),
            ("boxes.tiff", "predictor"),
            ("mostly-background.tif", "not tiled"),
        ],
    )
    def test_real_files_that_are_refused(self, real_data, file, reason):
        with pytest.raises(SlideOpenError, match=reason):
            open_slide(real_data / "slides" / file, self.name)


@pytest.mark.usefixtures("stand_in")
class TestStandIn(CucimContract):
    def test_what_cucim_says_of_a_read_is_in_the_error(self, known_slide, monkeypatch):
        with open_slide(known_slide, "cucim") as reader:

            def fail(*_: object) -> None:
                raise RuntimeError("[Error] Failed\n to read")

            monkeypatch.setattr(reader._image, "read_region", fail)
            with pytest.raises(SlideReadError, match=r"level 1 at x=3, y=4: Failed to read\.") as error:
                reader.read(1, 3, 4, 5, 5)
        assert error.value.path == known_slide

    def test_what_cucim_says_of_opening_is_in_the_error(self, known_slide, monkeypatch):
        def fail(_: str) -> None:
            raise ValueError("Cannot load it!")

        monkeypatch.setattr(sys.modules["cucim"], "CuImage", fail)
        with pytest.raises(SlideOpenError, match=r"cucim: cuCIM cannot open it: Cannot load it!"):
            open_slide(known_slide, "cucim")

    def test_levels_that_the_file_does_not_have_are_refused(self, known_slide, monkeypatch):
        resolutions = {"level_dimensions": ((912, 704), (100, 80)), "level_tile_sizes": ((128, 128),) * 2}
        monkeypatch.setattr(sys.modules["cucim"].CuImage, "resolutions", resolutions)
        with pytest.raises(SlideOpenError, match=r"\(100, 80\)"):
            open_slide(known_slide, "cucim")


@pytest.mark.usefixtures("real_cucim")
class TestCucim(CucimContract):
    @pytest.mark.realdata
    @pytest.mark.parametrize("name", ["gastric-HE-40x.svs", "CMU-1-Small-Region.svs", "tiny.svs"])
    def test_real_slides_equal_native(self, real_data, name):
        rng = np.random.default_rng(2)
        path = real_data / "slides" / name
        with open_slide(path, "native") as native, open_slide(path, "cucim") as reader:
            assert reader.metadata == native.metadata
            assert reader.levels == native.levels
            for level, at in enumerate(native.levels):
                for _ in range(6):
                    x, y = int(rng.integers(at.width)), int(rng.integers(at.height))
                    assert most_off(reader.read(level, x, y, 290, 280), native.read(level, x, y, 290, 280)) == 0

    def test_jpeg_2000_equals_openslide_and_damage_is_named(self, tmp_path):
        path = tmp_path / "a.svs"
        image = positions(300, 200)
        about = "Aperio Image Library v12.0.15 \r\n300x200 [0,0 300x200] (128x128) J2K/KDU Q=70|AppMag = 20|MPP = 0.5"
        options = {"photometric": "rgb", "tile": (128, 128), "compression": 33005, "metadata": None}
        tifffile.imwrite(path, image, description=about, **options)
        with open_slide(path, "cucim") as reader, open_slide(path, "openslide") as openslide:
            assert most_off(reader.read(0, 13, 17, 250, 160), openslide.read(0, 13, 17, 250, 160)) == 0
        spoil_tile(path, 0, 0)
        with open_slide(path, "cucim") as reader:
            with pytest.raises(SlideReadError, match="cuCIM cannot read level 0 at x=5, y=6"):
                reader.read(0, 5, 6, 20, 20)
            assert np.array_equal(reader.read(0, 130, 0, 60, 60), image[:60, 130:190])


class TestWithoutCucim:
    @pytest.fixture(autouse=True)
    def _absent(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "cucim", None)

    def test_the_error_names_the_mend(self, known_slide):
        with pytest.raises(MissingExtraError, match=r'pip install "slidekit\[cucim\]"') as error:
            open_slide(known_slide, "cucim")
        assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)

    def test_nobody_else_needs_it(self, known_slide):
        with open_slide(known_slide) as reader:
            assert reader.name == "native"


def test_it_is_not_imported_unless_asked_for(known_slide):
    code = (
        "import sys; from slidekit.pixels.readers import open_slide;"
        f"open_slide({str(known_slide)!r}).close(); assert not {{'cucim', 'cupy'}} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(place=st.integers(0, 60_000), downsample=st.floats(1, 300, width=32) | st.sampled_from([1.0, 2.0, 4.0, 16.0]))
@settings(deadline=None)
def test_the_level_0_place_of_a_pixel_is_that_pixels_however_it_is_divided(place, downsample):
    start = _level_0_place(place, downsample)

    assert int(start / downsample) == place
    assert int(np.float32(start) / np.float32(downsample)) == place
