"""The statistics of a slide in place of those of a tile."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from slidekit import norm
from slidekit.errors import NormalizerError

METHODS = sorted(set(norm.METHODS) - {"augment", "cyclegan"})
each_method = pytest.mark.parametrize("method", METHODS)


class Slide:
    """What a `WSI` is to a normaliser."""

    def __init__(self, pixels):
        self.pixels = pixels
        self.mpp = None

    def tissue_pixels(self, mpp):
        self.mpp = mpp
        return self.pixels


@each_method
def test_the_context_of_the_tile_itself_changes_nothing(method, he_tile):
    tile = he_tile(1)
    normalizer = norm.autoselect(method)
    alone = normalizer.transform(tile)

    with normalizer.context(tile):
        inside = normalizer.transform(tile)

    assert np.array_equal(inside, alone)


@each_method
def test_order_of_pixels_does_not_matter(method, he_tile):
    tile = he_tile(1)
    slide = Slide(np.random.default_rng(0).permutation(tile.reshape(-1, 3)))

    of_slide = norm.autoselect(method).set_context(slide).get_context()
    of_image = norm.autoselect(method).set_context(tile).get_context()

    assert slide.mpp == 4.0
    for name, value in of_image.items():
        np.testing.assert_allclose(of_slide[name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", ["macenko_fast", "reinhard_fast"])
def test_pale_tiles_stay_paler_than_dark_ones(method, he_tile):
    pale, dark = he_tile(1, strength=(0.2, 0.2)), he_tile(2, strength=(0.6, 0.5))
    slide = np.concatenate([pale, dark])
    normalizer = norm.autoselect(method)

    def contrast():
        return normalizer.transform(pale).mean() - normalizer.transform(dark).mean()

    without = contrast()
    with normalizer.context(slide):
        within = contrast()

    assert within > without + 5


def test_context_ends_with_the_block_also_after_an_error(he_tile):
    normalizer = norm.autoselect("reinhard").set_context(he_tile(1))
    before = normalizer.get_context()

    def fail():
        with normalizer.context(he_tile(2)):
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()

    assert normalizer.get_context().keys() == before.keys()
    assert all(np.array_equal(normalizer.get_context()[name], before[name]) for name in before)
    assert normalizer.clear_context().get_context() is None


def test_numbers_of_a_context_can_be_set_again(he_tile):
    tile = he_tile(2)
    one, other = norm.autoselect("macenko").set_context(he_tile(1)), norm.autoselect("macenko")

    other.set_context_values(**one.get_context())

    assert np.array_equal(other.transform(tile), one.transform(tile))


def test_image_file(he_tile, tmp_path):
    path = tmp_path / "thumbnail.png"
    Image.fromarray(he_tile(1)).save(path)
    normalizer = norm.autoselect("macenko").set_context(str(path))

    assert np.array_equal(
        normalizer.get_context()["concentrations"],
        norm.autoselect("macenko").set_context(he_tile(1)).get_context()["concentrations"],
    )


@each_method
@pytest.mark.parametrize(
    "source",
    [np.full((9, 9, 3), 255, np.uint8), Slide(np.zeros((0, 3), np.uint8)), Slide(np.full((9, 3), 200, np.uint8))],
)
def test_degenerate_context_is_an_error_and_changes_nothing(method, source, he_tile):
    normalizer = norm.autoselect(method)

    with pytest.raises(NormalizerError, match="not defined on this context"):
        normalizer.set_context(source)

    assert normalizer.get_context() is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"means": [1, 2, 3]}, "consists of means, stds"),
        ({"means": [1, 2, 3], "stds": [1, 0, 3]}, "above zero"),
        ({"concentrations": [1, 1]}, "consists of means, stds"),
    ],
)
def test_nonsense_is_an_error(values, message):
    with pytest.raises(NormalizerError, match=message):
        norm.autoselect("reinhard").set_context_values(**values)


def test_a_method_without_statistics_takes_no_context(he_tile):
    normalizer = norm.autoselect("augment")

    assert not normalizer.takes_context
    with pytest.raises(NormalizerError, match="takes no context"):
        normalizer.set_context(he_tile())


@each_method
def test_a_black_tile_is_left_alone_with_a_context_too(method, he_tile):
    black = np.zeros((16, 16, 3), np.uint8)
    normalizer = norm.autoselect(method).set_context(he_tile(1))

    assert normalizer.normalize(black).changed is False
