"""Patches as they are read: the right pixels at the place that is told, each tile decoded once, failures told."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slidekit.augment.patches import PatchAugment
from slidekit.io.slide_tiff import make_pyramid, write_svs
from slidekit.norm import autoselect
from slidekit.sampling.reading import PatchReader
from slidekit.sampling.slides import SampledSlide
from slidekit.sampling.spec import SamplingSpec
from tests.pixels.pictures import spoil_tile, tissue
from tests.sampling.reading.patch_plans import plan_at, sampled


def _spec(**options: object) -> SamplingSpec:
    return SamplingSpec.create(**{"tile_px": 32, "downsample": 1, "mask": None, **options})


@pytest.fixture(scope="module")
def jpeg_slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """512 × 512 px in four JPEG tiles of 256 px."""
    path = tmp_path_factory.mktemp("jpeg") / "jpeg.svs"
    return write_svs(path, make_pyramid(tissue(512, 512, detail=6), ()), mpp=0.25)


class TestPixels:
    def test_pixels_are_those_of_the_place_that_is_told(self, known_slide: Path, known_levels: list) -> None:
        out = np.zeros((3, 32, 32, 3), np.uint8)
        plan = plan_at([(700.3, 100.8), (100.0, 600.0), (101.5, 599.5)])
        with_slots = PatchReader(sampled(known_slide), _spec()).read(plan, [out], at=np.array([2, 0, 1]))
        assert with_slots.failures == []
        for row, slot in enumerate((2, 0, 1)):
            x, y = with_slots.corners[row].astype(int)
            assert np.abs(with_slots.centres[row] - plan.centres[row]).max() <= 0.5
            np.testing.assert_array_equal(out[slot], known_levels[0][y : y + 32, x : x + 32])
        np.testing.assert_allclose(with_slots.centres - with_slots.corners, 16)
        np.testing.assert_allclose(with_slots.mpp, 0.25)

    def test_given_points_are_not_moved(self, known_slide: Path) -> None:
        out = np.zeros((1, 32, 32, 3), np.uint8)
        spec = _spec(mode="points", points=(("known", 300.25, 300.75),))
        outcome = PatchReader(sampled(known_slide), spec).read(plan_at([(300.25, 300.75)]), [out])
        np.testing.assert_allclose(outcome.centres, [[300.25, 300.75]])

    def test_beyond_the_slide_is_white(self, known_slide: Path) -> None:
        out = np.zeros((1, 32, 32, 3), np.uint8)
        outcome = PatchReader(sampled(known_slide), _spec()).read(plan_at([(4.0, 300.0)]), [out])
        assert outcome.corners[0, 0] == -12
        assert (out[0, :, :12] == 255).all()
        assert not (out[0, :, 12:] == 255).all()

    def test_views_have_the_centre_of_the_first(self, known_slide: Path, known_levels: list) -> None:
        spec = _spec(views=((32, 2.0),))
        out = [np.zeros((1, 32, 32, 3), np.uint8) for _ in range(2)]
        outcome = PatchReader(sampled(known_slide), spec).read(plan_at([(120.4, 120.4)]), out)
        assert outcome.centres.tolist() == [[120.0, 120.0]]
        np.testing.assert_array_equal(out[0][0], known_levels[0][104:136, 104:136])
        # Red is x: the wider view's red goes up by 2 a pixel, and is the centre's in its middle.
        red = out[1][0, 16, 8:24, 0].astype(float)
        np.testing.assert_allclose(red, 120 + 2 * (np.arange(8, 24) - 15.5) - 0.5, atol=1)

    def test_augmentation_depends_on_the_seed_alone(self, jpeg_slide: Path) -> None:
        spec = _spec(augment=PatchAugment(warp=False))
        plan = plan_at([(200.0, 200.0)] * 2)
        out, again = (np.zeros((2, 32, 32, 3), np.uint8) for _ in range(2))
        reader = PatchReader(sampled(jpeg_slide), spec)
        reader.read(plan, [out])
        reader.read(plan.take(np.array([1, 0])), [again])
        np.testing.assert_array_equal(out[::-1], again)
        assert (out[0] != out[1]).any()

    def test_label_images_go_where_their_pixels_go(self, known_slide: Path, tmp_path: Path) -> None:
        # The label is 2 where green, which is y, is even: pixels and labels say the same, wherever they were moved.
        rows = np.arange(704) % 64 < 32
        mask = tmp_path / "labels.png"
        Image.fromarray(np.repeat(np.where(rows, 2, 1).astype(np.uint8)[:, np.newaxis], 912, axis=1)).save(mask)
        slides = [SampledSlide(known_slide, "known", label_mask=mask)]
        spec = _spec(classes=(1, 2), label_images=True, augment=PatchAugment(warp=False, hue=0.0, lightness=0.0))
        out, labels = np.zeros((20, 32, 32, 3), np.uint8), np.zeros((20, 32, 32), np.uint8)
        rng = np.random.default_rng(4)
        plan = plan_at([tuple(place) for place in rng.uniform(40, 600, (20, 2))])
        assert PatchReader(slides, spec).read(plan, [out], labels).failures == []
        np.testing.assert_array_equal(labels, np.where(out[..., 1] % 64 < 32, 2, 1))

    def test_stains_are_normalised(self, jpeg_slide: Path) -> None:
        raw, made = (np.zeros((2, 32, 32, 3), np.uint8) for _ in range(2))
        plan, normalizer = plan_at([(200.0, 200.0), (300.0, 90.0)]), autoselect("reinhard_fast")
        PatchReader(sampled(jpeg_slide), _spec()).read(plan, [raw])
        PatchReader(sampled(jpeg_slide), _spec(normalizer="reinhard_fast")).read(plan, [made])
        np.testing.assert_array_equal(made, normalizer.transform(raw))
        assert (made != raw).any()


class TestDecoding:
    def test_each_tile_is_decoded_once(self, jpeg_slide: Path) -> None:
        rng = np.random.default_rng(0)
        plan = plan_at([tuple(place) for place in rng.uniform(20, 490, (60, 2))])
        out = np.zeros((60, 32, 32, 3), np.uint8)
        reader = PatchReader(sampled(jpeg_slide), _spec())
        first, second = reader.read(plan, [out]), reader.read(plan, [out])
        assert first.decodes == 4
        assert 0 < first.bytes_read < jpeg_slide.stat().st_size
        assert (second.decodes, second.bytes_read) == (0, 0)

    @pytest.mark.parametrize("reader", ["openslide", "vips"])
    def test_other_readers_give_the_same_and_cannot_tell(self, jpeg_slide: Path, reader: str) -> None:
        plan = plan_at([(200.0, 200.0), (260.0, 300.0)])
        native, other = (np.zeros((2, 32, 32, 3), np.uint8) for _ in range(2))
        PatchReader(sampled(jpeg_slide), _spec()).read(plan, [native])
        outcome = PatchReader(sampled(jpeg_slide), _spec(reader=reader)).read(plan, [other])
        np.testing.assert_array_equal(native, other)
        assert (outcome.failures, outcome.decodes, outcome.bytes_read) == ([], 0, 0)

    def test_memory_is_kept_within_its_budget(self, jpeg_slide: Path) -> None:
        plan = plan_at([(100.0, 100.0), (400.0, 400.0), (100.0, 400.0), (400.0, 100.0)] * 2)
        out = np.zeros((8, 32, 32, 3), np.uint8)
        reader = PatchReader(sampled(jpeg_slide), _spec(), memory=2 * 256 * 256 * 3)
        outcome = reader.read(plan, [out])
        assert outcome.decodes == 4
        assert reader._pool.tiles.held <= 2 * 256 * 256 * 3

    def test_slides_are_closed_beyond_so_many(self, jpeg_slide: Path, tmp_path: Path) -> None:
        paths = [Path(shutil.copy(jpeg_slide, tmp_path / f"{name}.svs")) for name in "abc"]
        reader = PatchReader(sampled(*paths), _spec(), open_slides=2)
        out = np.zeros((3, 32, 32, 3), np.uint8)
        outcome = reader.read(plan_at([(100.0, 100.0)] * 3, [0, 1, 2]), [out])
        assert outcome.failures == []
        assert outcome.decodes == 3
        assert len(reader._pool._open) == 2
        np.testing.assert_array_equal(out[0], out[2])
        reader.close()
        assert len(reader._pool._open) == 0


class TestFailures:
    def test_damaged_tiles_and_missing_files_are_told(self, jpeg_slide: Path, tmp_path: Path) -> None:
        damaged = spoil_tile(Path(shutil.copy(jpeg_slide, tmp_path / "damaged.svs")), 0, 0)
        slides = sampled(damaged, tmp_path / "gone.svs", jpeg_slide)
        out = np.zeros((4, 32, 32, 3), np.uint8)
        plan = plan_at([(100.0, 100.0), (100.0, 100.0), (100.0, 100.0), (400.0, 400.0)], [0, 1, 2, 0])
        outcome = PatchReader(slides, _spec()).read(plan, [out])
        assert [row for row, _ in outcome.failures] == [0, 1]
        assert outcome.failures[0][1] == "pixels cannot be decoded"
        assert "no such file" in outcome.failures[1][1]
        assert (out[:2] == 0).all()
        assert out[2].std() > 0
        assert out[3].std() > 0

    def test_a_slide_without_mpp_is_told_where_size_needs_it(self, tmp_path: Path) -> None:
        path = write_svs(tmp_path / "nompp.svs", [tissue(300, 300)], mpp=None)
        out = np.zeros((1, 32, 32, 3), np.uint8)
        plan = plan_at([(100.0, 100.0)])
        refused = PatchReader(sampled(path), _spec(downsample=None, tile_um=16)).read(plan, [out])
        assert "µm/px" in refused.failures[0][1]
        taken = PatchReader(sampled(path), _spec()).read(plan, [out])
        assert taken.failures == []
        assert np.isnan(taken.mpp).all()
