"""What the benchmarks say of histo-fetch and of chopping is measured on code that does what those do."""

from __future__ import annotations

import random
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import openslide
import pytest
from PIL import Image

from slidekit.io.slide_tiff import make_pyramid, write_svs

SCRIPTS = Path(__file__).parents[2] / "scripts"
WIDTH, HEIGHT = 2048, 1024


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("skimage")
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return import_module("benchmarks.sampling_peers")


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Glass, and a dark square of random colours from (1024, 256) to (1536, 768); each place looks its own way."""
    generator = np.random.default_rng(3)
    pixels = np.full((HEIGHT, WIDTH, 3), 240, np.uint8)
    coarse = generator.integers(20, 160, (64, 64, 3), np.uint8)
    pixels[256:768, 1024:1536] = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    path = tmp_path_factory.mktemp("peers") / "slide.svs"
    return write_svs(path, make_pyramid(pixels, (4,)), mpp=0.25)


def mask_of_one_pixel(folder: Path) -> Path:
    """A quarter of the slide's resolution; its one tissue pixel is at (1200, 400) of level 0."""
    mask = np.zeros((HEIGHT // 4, WIDTH // 4), np.uint8)
    mask[100, 300] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    return folder / "mask.png"


def region(slide: Path, corner: tuple[int, int], level: int, edge: int) -> Image.Image:
    with openslide.OpenSlide(str(slide)) as opened:
        return opened.read_region(corner, level, (edge, edge)).convert("RGB")


def test_a_patch_is_openslides_region_around_the_tissue_pixel(peers, slide, tmp_path):
    mask = mask_of_one_pixel(tmp_path)

    patch = peers.fetch_patch(slide, mask, px=64, downsample=4, generator=random.Random(0))

    # 64 px of level 1 are 256 of level 0, around (1200, 400).
    np.testing.assert_array_equal(patch, region(slide, (1072, 272), 1, 64))
    assert patch.std() > 20


def test_a_patch_between_levels_is_read_finer_and_resized_by_lanczos(peers, slide, tmp_path):
    mask = mask_of_one_pixel(tmp_path)

    patch = peers.fetch_patch(slide, mask, px=64, downsample=2, generator=random.Random(0))

    expected = region(slide, (1136, 336), 0, 128).resize((64, 64), Image.Resampling.LANCZOS)
    np.testing.assert_allclose(patch.astype(int), np.asarray(expected).astype(int), atol=1)
    assert patch.std() > 20


def test_all_tissue_pixels_are_drawn_alike(peers, slide, tmp_path):
    mask = np.zeros((HEIGHT // 4, WIDTH // 4), np.uint8)
    mask[100, 300] = mask[150, 350] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    generator = random.Random(0)
    first = np.asarray(region(slide, (1072, 272), 1, 64))

    drawn = [peers.fetch_patch(slide, tmp_path / "mask.png", px=64, generator=generator) for _ in range(60)]

    assert 15 < sum(np.array_equal(patch, first) for patch in drawn) < 45


def test_the_mask_is_the_dark_part_and_a_little_more(peers, slide, tmp_path):
    path = peers.write_mask(slide, tmp_path)

    mask = np.asarray(Image.open(path))
    scale = mask.shape[1] / WIDTH
    inner = mask[int(270 * scale) : int(750 * scale), int(1040 * scale) : int(1520 * scale)]
    assert path.name == "slide_MASK.png"
    assert max(mask.shape) == 2000
    assert set(np.unique(mask)) == {0, 255}
    assert (inner == 255).all()
    assert (512 / 2048 * 512 / 1024) < (mask == 255).mean() < (540 / 2048 * 540 / 1024)


class Still(random.Random):
    """Draws the mean."""

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        return mu


def test_augmentation_of_no_strength_changes_nothing(peers, slide):
    patch = np.asarray(region(slide, (1072, 272), 0, 96))

    augmented = peers.augment_patch(patch, Still())

    np.testing.assert_allclose(augmented.astype(int), patch.astype(int), atol=1)


def test_augmented_patches_have_their_size_and_differ(peers, slide, tmp_path):
    mask = mask_of_one_pixel(tmp_path)
    plain = peers.fetch_patch(slide, mask, px=64, generator=random.Random(0)).astype(int)

    augmented = peers.fetch_patch(slide, mask, px=64, augment=True, generator=random.Random(0)).astype(int)

    assert augmented.shape == plain.shape
    assert 2 < np.abs(augmented - plain).mean() < 40


def test_chopping_writes_openslides_regions(peers, slide, tmp_path):
    corners = [(1072.0, 272.0), (1200.4, 400.2)]

    written = peers.chop(slide, corners, tmp_path, level=0, read_px=128, tile_px=64, quality=95)

    files = sorted(tmp_path.glob("*.jpg"))
    expected = region(slide, (1200, 400), 0, 128).resize((64, 64), Image.Resampling.LANCZOS)
    assert [file.name for file in files] == ["1072_272.jpg", "1200_400.jpg"]
    assert written == sum(file.stat().st_size for file in files)
    with Image.open(files[1]) as tile:
        assert np.abs(np.asarray(tile).astype(int) - np.asarray(expected)).mean() < 12


@pytest.mark.long
@pytest.mark.tensorflow
def test_the_graph_of_tf_data_gives_as_many_patches(peers, slide, tmp_path):
    pytest.importorskip("tensorflow")
    mask = mask_of_one_pixel(tmp_path)

    came = peers.fetch_with_tf_data(slide, mask, 10, augment=False, batch=4, px=32)

    assert came == 8
