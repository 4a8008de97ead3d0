"""A fit to many tiles."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit import norm
from slidekit.errors import NormalizerError
from slidekit.norm.tiles import TileCount

METHODS = sorted(set(norm.METHODS) - {"augment", "cyclegan"})
each_fitted = pytest.mark.parametrize("method", METHODS)
WHITE = np.full((32, 32, 3), 255, np.uint8)


class Tiles:
    """What a `Dataset` is to a normaliser."""

    def __init__(self, tiles):
        self.tiles = tiles
        self.asked = None

    def iter_tiles(self, *, max_tiles=None, seed=0):
        self.asked = (max_tiles, seed)
        return iter(self.tiles)


@each_fitted
def test_is_the_mean_of_the_fits_of_each(method, he_tile):
    tiles = [he_tile(seed, 48) for seed in range(4)]
    fits = [norm.autoselect(method, tile).get_fit() for tile in tiles]

    normalizer = norm.autoselect(method).fit(iter(tiles))

    for name, value in normalizer.get_fit().items():
        np.testing.assert_allclose(value, np.mean([fit[name] for fit in fits], axis=0), rtol=1e-12)
    assert normalizer.fitted_to == (None, TileCount(used=4, left_out=0))


def test_batch_list_iterator_and_dataset_give_the_same_fit(he_tile):
    tiles = [he_tile(seed, 48) for seed in range(3)]

    sources = (tiles, tuple(tiles), iter(tiles), np.stack(tiles), Tiles(tiles))
    fits = [norm.autoselect("macenko", source).get_fit(as_list=True) for source in sources]

    assert all(fit == fits[0] for fit in fits)


def test_degenerate_tiles_are_left_out_and_counted(he_tile):
    tiles = [he_tile(1, 48), WHITE, he_tile(2, 48), WHITE, WHITE]

    normalizer = norm.autoselect("reinhard", tiles)

    assert normalizer.fitted_to.tiles == TileCount(used=2, left_out=3)
    alone = norm.autoselect("reinhard", [tiles[0], tiles[2]])
    assert normalizer.get_fit(as_list=True) == alone.get_fit(as_list=True)


@each_fitted
def test_threads_do_not_change_it(method, he_tile):
    tiles = [he_tile(seed, 32) for seed in range(9)]

    fits = [norm.autoselect(method).fit(tiles, threads=threads).get_fit(as_list=True) for threads in (1, 2, 7)]

    assert fits[0] == fits[1] == fits[2]


def test_source_is_asked_for_a_seeded_sample(he_tile):
    source = Tiles([he_tile(1, 32)])

    norm.autoselect("reinhard").fit(source, max_tiles=7, seed=3)

    assert source.asked == (7, 3)


def test_so_many_of_an_iterable_are_taken(he_tile):
    normalizer = norm.autoselect("reinhard").fit((he_tile(seed, 32) for seed in range(100)), max_tiles=3)

    assert normalizer.fitted_to.tiles == TileCount(3, 0)


@pytest.mark.parametrize("tiles", [[], [WHITE], [WHITE, WHITE]])
def test_without_a_tile_that_can_be_measured_it_is_an_error(tiles):
    normalizer = norm.autoselect("macenko", "v1")

    with pytest.raises(NormalizerError, match=f"these {len(tiles)} tiles"):
        normalizer.fit(tiles)

    assert normalizer.fitted_to.preset == "v1"


def test_a_tile_that_is_no_image_is_an_error(he_tile):
    with pytest.raises(NormalizerError, match="uint8"):
        norm.autoselect("macenko", [he_tile(1, 32), np.zeros((4, 4, 3))])


def test_fitted_to_tells_presets_from_numbers(he_tile):
    normalizer = norm.autoselect("macenko")

    assert normalizer.fitted_to == ("v3", None)
    assert normalizer.fit(he_tile(1, 32)).fitted_to == (None, None)
    assert normalizer.fit("v2").fitted_to == ("v2", None)
    assert normalizer.set_fit(**normalizer.get_fit()).fitted_to == (None, None)


def test_a_method_without_a_fit_says_so(he_tile):
    with pytest.raises(NormalizerError, match="not fitted to anything"):
        norm.autoselect("augment", he_tile())
