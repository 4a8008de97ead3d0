from __future__ import annotations

import numpy as np
import pytest

from slidekit.demo.nuclei import paint_nuclei
from slidekit.demo.nucleus_layout import NUCLEUS_KINDS


def test_the_same_seed_is_the_same_picture() -> None:
    first, again, other = (paint_nuclei((80, 60), seed=seed) for seed in (1, 1, 2))

    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.image, other.image)


def test_the_tissue_is_the_same_at_every_resolution() -> None:
    coarse, fine = (paint_nuclei((80, 60), mpp, seed=1) for mpp in (0.5, 0.25))

    assert coarse.image.shape == (120, 160, 3)
    assert fine.image.shape == (240, 320, 3)
    assert np.allclose(coarse.centers * 0.5, fine.centers * 0.25)
    assert (coarse.labels == fine.labels[::2, ::2]).mean() > 0.9


def test_centres_are_the_middles_of_the_labels() -> None:
    field = paint_nuclei((120, 120), seed=3, per_mm2=1500)

    whole = 0
    for label, center in enumerate(field.centers, 1):
        rows, columns = np.nonzero(field.labels == label)
        if center.min() > 20 and center.max() < 220:
            whole += 1
            # Overlapped by a later one by so much at most.
            assert np.hypot(columns.mean() + 0.5 - center[0], rows.mean() + 0.5 - center[1]) < 1.6
    assert whole > 10


@pytest.mark.parametrize("per_mm2", [1000.0, 4000.0])
def test_there_are_as_many_as_are_wanted_of_all_kinds(per_mm2: float) -> None:
    field = paint_nuclei((200, 200), seed=5, per_mm2=per_mm2)

    assert len(field.centers) == round(0.04 * per_mm2) == len(field.kinds)
    assert set(field.kinds) == set(NUCLEUS_KINDS)


def test_nuclei_are_darker_and_bluer_than_their_surroundings() -> None:
    field = paint_nuclei((120, 120), seed=3, red_cells_per_mm2=0)

    inside, outside = field.image[field.labels > 0].mean(0), field.image[field.labels == 0].mean(0)
    assert (inside < outside).all()
    assert inside[2] > inside[0] > inside[1]
    assert outside[0] > outside[1]
