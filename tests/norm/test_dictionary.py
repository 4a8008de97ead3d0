"""Dictionary learning against scikit-learn and scipy."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image
from scipy.optimize import nnls

from slidekit.norm.dictionary import colours, learn_dictionary, nonnegative_code, unmixing

DATA = os.environ.get("SLIDEKIT_TEST_DATA")
LAMBDA = 0.1

vectors = npst.arrays(np.float64, (3,), elements=st.floats(-1, 1))


def degrees_apart(a, b):
    return np.degrees(np.arccos(np.clip((a * b).sum(axis=1), -1, 1)))


def objective(points, dictionary):
    code = nonnegative_code(points.T, dictionary, LAMBDA).T
    return np.mean(0.5 * ((points - code @ dictionary) ** 2).sum(axis=1) + LAMBDA * code.sum(axis=1))


def densities(tile, number=300):
    """Optical densities (n, 3) of random dark pixels."""
    pixels = tile.reshape(-1, 3)[tile.reshape(-1, 3).mean(axis=1) < 200]
    chosen = np.random.default_rng(0).choice(len(pixels), number, replace=False)
    return -np.log(np.maximum(pixels[chosen], 1) / 255)


def learn(points):
    return learn_dictionary(points.T, np.full(len(points), 1 / len(points)), LAMBDA)


def assert_agrees_with_scikit_learn(points):
    decomposition = pytest.importorskip("sklearn.decomposition")
    learner = decomposition.DictionaryLearning(
        2,
        alpha=LAMBDA,
        max_iter=100,
        tol=1e-9,
        fit_algorithm="cd",
        positive_code=True,
        positive_dict=True,
        random_state=0,
    )
    with warnings.catch_warnings():
        # It warns where the lasso of one point stops a little early.
        warnings.simplefilter("ignore")
        theirs = learner.fit(points).components_
    theirs = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)

    ours = learn(points)

    order = np.argsort(-theirs[:, 0])
    assert objective(points, ours) == pytest.approx(learner.error_[-1] / len(points), rel=0.01)
    assert degrees_apart(ours[np.argsort(-ours[:, 0])], theirs[order]).max() < 2


class TestLearnDictionary:
    @pytest.mark.realdata
    @pytest.mark.skipif(not DATA, reason="SLIDEKIT_TEST_DATA does not name the folder of real data")
    @pytest.mark.parametrize(
        "name",
        [
            pytest.param("torchstain_source.png", marks=pytest.mark.long),
            "slideflow_norm_tile.jpg",
            "stardist_histo.jpg",
        ],
    )
    def test_real_tiles_as_scikit_learn(self, name):
        assert_agrees_with_scikit_learn(densities(np.asarray(Image.open(Path(DATA or "") / "tiles" / name))[..., :3]))

    def test_drawn_tiles_as_scikit_learn(self, he_tile):
        assert_agrees_with_scikit_learn(densities(he_tile(0)))

    def test_is_a_minimum(self, he_tile):
        points = densities(he_tile(1), 1000)
        dictionary = learn(points)
        generator = np.random.default_rng(0)

        for _ in range(50):
            beside = np.maximum(dictionary + generator.normal(0, 0.02, (2, 3)), 0)
            beside /= np.linalg.norm(beside, axis=1, keepdims=True)
            assert objective(points, beside) > objective(points, dictionary)

    def test_atoms_are_non_negative_and_of_length_1(self, he_tile):
        for seed in range(5):
            dictionary = learn(densities(he_tile(seed)))
            assert (dictionary >= 0).all()
            np.testing.assert_allclose(np.linalg.norm(dictionary, axis=1), 1)

    def test_weights_are_numbers_of_points(self, he_tile):
        points = densities(he_tile(2), 200)
        times = np.random.default_rng(0).integers(1, 4, len(points))

        weighted = learn_dictionary(points.T, times / times.sum(), LAMBDA)

        np.testing.assert_allclose(weighted, learn(np.repeat(points, times, axis=0)), atol=1e-4)

    @pytest.mark.parametrize(
        "points",
        [
            pytest.param(np.zeros((20, 3)), id="nothing"),
            pytest.param(np.full((20, 3), 0.05), id="less than lambda"),
            pytest.param(np.outer(np.linspace(0.2, 2, 50), [0.65, 0.7, 0.29]), id="one direction"),
            pytest.param(np.ones((1, 3)), id="one point"),
        ],
    )
    def test_no_two_atoms(self, points):
        assert learn(points) is None


class TestNonnegativeCode:
    @given(first=vectors, second=vectors, point=vectors, sparsity=st.sampled_from([0.0, 0.1, 0.7]))
    @settings(deadline=None, max_examples=200)
    def test_is_the_minimum_that_scipy_finds(self, first, second, point, sparsity):
        lengths = np.linalg.norm([first, second], axis=1)
        assume(lengths.min() > 0.1)
        dictionary = np.array([first, second]) / lengths[:, np.newaxis]
        assume(abs(dictionary[0] @ dictionary[1]) < 0.99)
        # With G = L Lᵀ, the lasso is the non-negative least squares of Lᵀ a against L⁻¹ (D x − λ).
        lower = np.linalg.cholesky(dictionary @ dictionary.T)
        expected, _ = nnls(lower.T, np.linalg.solve(lower, dictionary @ point - sparsity))

        code = nonnegative_code(point[:, np.newaxis], dictionary, sparsity)

        np.testing.assert_allclose(code[:, 0], expected, atol=1e-9)

    def test_unmixing_without_sparsity_is_the_pseudo_inverse(self, he_tile):
        dictionary = learn(densities(he_tile(3)))

        inverse, shift, overlap = unmixing(dictionary)

        np.testing.assert_allclose(inverse, np.linalg.pinv(dictionary).T, atol=1e-12)
        assert shift == 0
        assert overlap == pytest.approx(np.cos(np.radians(degrees_apart(dictionary[:1], dictionary[1:])[0])))


class TestColours:
    @given(image=npst.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))))
    @settings(deadline=None, max_examples=60)
    def test_are_the_means_and_numbers_of_cells_of_four(self, image):
        pixels = image.reshape(-1, 3)
        cells, inverse, numbers = np.unique(pixels // 4, axis=0, return_inverse=True, return_counts=True)
        means = np.array([pixels[inverse == cell].mean(axis=0) for cell in range(len(cells))])

        colour, number = colours(image)

        order = np.lexsort(colour.T[::-1] // 4)
        np.testing.assert_allclose(colour[order], means)
        assert np.array_equal(number[order], numbers)

    def test_order_of_pixels_changes_no_bit(self, he_tile):
        tile = he_tile(4)

        for ours, turned in zip(colours(tile), colours(cv2.rotate(tile, cv2.ROTATE_90_CLOCKWISE)), strict=True):
            assert np.array_equal(ours, turned)
