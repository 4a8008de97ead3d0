from __future__ import annotations

import cv2
import numpy as np
import pytest

from slidekit.demo.layout import lay_out
from slidekit.demo.scene import FragmentPlan
from slidekit.demo.tissue import PALETTES, draw_tissue

PLANS = (FragmentPlan((0.5, 0.5), (0.4, 0.42), 2.7),)


@pytest.fixture(scope="module")
def scene():
    return lay_out(800.0, 640.0, PLANS, seed=5)


@pytest.fixture(scope="module")
def fine(scene):
    return draw_tissue(scene, 0.25)


def mask_of(outline, mpp, shape):
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(outline / mpp).astype(np.int32)], 1)
    return mask.astype(bool)


def hematoxylin_of(image, palette):
    """Amount of hematoxylin by solving the two-stain system in float64."""
    density = -np.log10(np.maximum(image, 1) / np.array(palette.glass, float))
    amounts = density.reshape(-1, 3) @ np.linalg.pinv(palette.vectors)
    return amounts[:, 0].reshape(image.shape[:2])


def test_size_is_that_of_the_scene(scene, fine):
    assert fine.shape == (2560, 3200, 3)
    assert fine.dtype == np.uint8
    assert draw_tissue(scene, 0.9).shape == (711, 889, 3)


def test_the_same_scene_gives_the_same_pixels(scene):
    np.testing.assert_array_equal(draw_tissue(scene, 1.0), draw_tissue(scene, 1.0))


def test_another_mpp_shows_the_same_tissue(scene, fine):
    coarse = cv2.cvtColor(draw_tissue(scene, 0.5), cv2.COLOR_RGB2GRAY).astype(np.float64)

    halved = cv2.resize(fine, (1600, 1280), interpolation=cv2.INTER_AREA)
    halved = cv2.cvtColor(halved, cv2.COLOR_RGB2GRAY).astype(np.float64)

    assert np.corrcoef(coarse.ravel(), halved.ravel())[0, 1] > 0.9
    shift, _ = cv2.phaseCorrelate(coarse, halved)
    assert np.hypot(*shift) < 0.25


@pytest.mark.long
def test_nuclei_have_their_size_in_microns_whatever_the_mpp(scene, fine):
    sizes = {}
    for mpp, image in ((0.25, fine), (0.4, draw_tissue(scene, 0.4)), (0.5, draw_tissue(scene, 0.5))):
        stained = hematoxylin_of(image, PALETTES["violet"]) > 0.35
        stained &= mask_of(scene.stromas[0], mpp, image.shape)
        _, _, stats, _ = cv2.connectedComponentsWithStats(stained.astype(np.uint8))
        areas = stats[1:, cv2.CC_STAT_AREA] * mpp**2
        sizes[mpp] = np.median(2 * np.sqrt(areas[areas > 8] / np.pi))

    assert 5.5 < sizes[0.25] < 8.5
    assert sizes[0.4] == pytest.approx(sizes[0.25], rel=0.08)
    assert sizes[0.5] == pytest.approx(sizes[0.25], rel=0.08)


@pytest.mark.parametrize("name", sorted(PALETTES))
def test_macenko_finds_the_stain_vectors(scene, name):
    palette = PALETTES[name]
    image = draw_tissue(scene, 0.5, palette)
    pixels = image[mask_of(scene.tumors[0], 0.5, image.shape)].astype(np.float64)

    # Macenko et al. 2009, in float64: plane of the two largest eigenvectors, extreme angles in it.
    density = -np.log10((pixels + 1) / np.array(palette.glass))
    density = density[(density > 0.1).all(1)]
    plane = np.linalg.eigh(np.cov(density.T))[1][:, [2, 1]]
    plane *= np.sign(plane.sum(0))
    angles = np.arctan2(*(density @ plane).T[::-1])
    low, high = np.quantile(angles, [0.01, 0.99])
    found = np.array([plane @ [np.cos(a), np.sin(a)] for a in (low, high)])
    found = found[np.argsort(-found[:, 0])]  # hematoxylin absorbs more red

    for vector, truth in zip(found, palette.vectors, strict=True):
        # Every pixel holds a little of both stains, so the extremes lie a little inside.
        assert np.degrees(np.arccos(np.clip(vector @ truth, -1, 1))) < 13
    assert np.degrees(np.arccos(found[0] @ found[1])) > 15


def test_palettes_are_two_stains_and_differ():
    violet, rose = PALETTES["violet"], PALETTES["rose"]

    for palette in (violet, rose):
        np.testing.assert_allclose(np.linalg.norm(palette.vectors, axis=1), 1)
    assert np.degrees(np.arccos(violet.vectors[0] @ rose.vectors[0])) > 3


def test_the_colour_table_follows_beer_and_lambert():
    palette = PALETTES["rose"]

    colours = palette.table().view(np.uint8).reshape(256, 256, 4)

    h, e = 96, 48
    density = (h * palette.strength[0] * palette.vectors[0] + e * palette.strength[1] * palette.vectors[1]) / 120
    np.testing.assert_allclose(colours[h, e, :3], np.array(palette.glass) * 10**-density, atol=0.5001)
    assert colours[0, 0, :3].tolist() == list(palette.glass)


def test_glass_is_white_and_tissue_is_stained(scene, fine):
    tissue = mask_of(scene.fragments[0], 0.25, fine.shape)
    far = ~cv2.dilate(tissue.astype(np.uint8), np.ones((41, 41))).astype(bool)
    saturation = cv2.cvtColor(fine, cv2.COLOR_RGB2HSV)[..., 1] / 255

    assert fine[far].min() > 225
    assert np.median(saturation[far]) < 0.05
    assert np.quantile(saturation[tissue], 0.1) > 0.1
    assert np.median(saturation[tissue]) > 0.25


@pytest.mark.long
def test_tumor_is_darker_than_stroma(scene, fine):
    hematoxylin = hematoxylin_of(fine, PALETTES["violet"])

    tumor = hematoxylin[mask_of(scene.tumors[0], 0.25, fine.shape)].mean()
    stroma = hematoxylin[mask_of(scene.stromas[0], 0.25, fine.shape)].mean()

    assert tumor > 3 * stroma
