from __future__ import annotations

import numpy as np
import pytest
import shapely

from slidekit.demo.layout import lay_out
from slidekit.demo.scene import FragmentPlan

PLANS = (FragmentPlan((0.5, 0.5), (0.42, 0.42), 2.7),)


def nuclei_in(scene, outline):
    """(per mm², amount of hematoxylin per mm²) of nuclei whose middle lies in an outline."""
    area = shapely.Polygon(outline)
    centers = np.concatenate([kind.outlines.mean(1) for kind in scene.nuclei])
    areas = np.concatenate([shapely.area(shapely.polygons(kind.outlines)) for kind in scene.nuclei])
    tones = np.concatenate([kind.tones for kind in scene.nuclei])
    held = shapely.contains_xy(area, centers[:, 0], centers[:, 1])
    return held.sum() / area.area * 1e6, (areas * tones)[held].sum() / area.area


@pytest.fixture(scope="module", params=range(6))
def scene(request):
    return lay_out(1000.0, 800.0, PLANS, seed=request.param)


def test_regions_lie_in_the_tissue_and_apart(scene):
    fragment = shapely.Polygon(scene.fragments[0])
    tumor, stroma = shapely.Polygon(scene.tumors[0]), shapely.Polygon(scene.stromas[0])

    assert tumor.is_valid
    assert stroma.is_valid
    assert fragment.contains(tumor)
    assert fragment.contains(stroma)
    assert tumor.distance(stroma) > 80
    assert tumor.area > 0.15 * fragment.area
    assert stroma.area > 0.03 * fragment.area


def test_tumor_is_crowded_and_stroma_is_sparse(scene):
    tumor_count, tumor_stain = nuclei_in(scene, scene.tumors[0])
    stroma_count, stroma_stain = nuclei_in(scene, scene.stromas[0])

    assert tumor_count > 3 * stroma_count
    assert tumor_stain > 5 * stroma_stain


def test_glands_lie_in_the_tumor_with_their_lumina_inside_them(scene):
    tumor = shapely.Polygon(scene.tumors[0]).buffer(25)

    assert len(scene.glands) > 10
    for outer, lumen in scene.glands:
        assert tumor.contains(shapely.Polygon(outer))
        if lumen is not None:
            assert shapely.Polygon(outer).contains(shapely.Polygon(lumen))


def test_nuclei_are_of_the_size_of_nuclei(scene):
    areas = np.concatenate([shapely.area(shapely.polygons(kind.outlines)) for kind in scene.nuclei])

    diameters = 2 * np.sqrt(areas / np.pi)

    assert 6.0 < np.median(diameters) < 8.0
    assert np.quantile(diameters, 0.01) > 4
    assert np.quantile(diameters, 0.99) < 11


def test_the_seed_decides():
    first, again, other = (lay_out(600.0, 500.0, PLANS, seed=seed) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first.fibres[0], again.fibres[0])
    np.testing.assert_array_equal(first.nuclei[0].outlines, again.nuclei[0].outlines)
    assert not np.array_equal(first.fragments[0], other.fragments[0])


@pytest.mark.parametrize("edge", [8.0, 25.0, 60.0, 150.0])
def test_a_tiny_slide_is_laid_out_too(edge):
    scene = lay_out(edge, edge, PLANS, seed=0)

    assert len(scene.fragments) == 1
    assert all(len(outline) >= 3 for outline in [*scene.tumors, *scene.stromas])
