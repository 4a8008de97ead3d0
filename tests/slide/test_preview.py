"""What is drawn over the picture of a slide."""

from __future__ import annotations

import numpy as np
import pytest

from slidekit.slide.preview import BACKGROUND, LEGEND, OTHER_QC, OUT_OF_FOCUS, draw_preview
from slidekit.slide.qc.mask import QCMask


@pytest.mark.parametrize(
    ("reason", "entry", "share"),
    [("background", BACKGROUND, 0.3), ("out_of_focus", OUT_OF_FOCUS, 0.5), ("mine", OTHER_QC, 0.5)],
)
def test_what_is_dropped_is_paled_below_its_tint(reason, entry, share) -> None:
    # Arrange: no tile is kept, so that all is paled.
    image = np.full((40, 60, 3), (180, 90, 150), np.uint8)
    mask = np.zeros((4, 6), np.bool_)
    mask[:, :3] = True

    # Act
    picture = draw_preview(image, (1, 1), masks=[QCMask(mask, "m", reason, 0.6)], tiles=np.empty((0, 4)))

    # Assert
    pale = image[0, 0] * 0.55 + 255 * 0.45
    assert np.abs(picture[20, 50] - pale).max() <= 1
    # The colour of what is below would make another tint of it; under gray it must be seen.
    below = pale if reason == "background" else pale @ (0.299, 0.587, 0.114)
    assert np.abs(picture[20, 10] - (below * (1 - share) + np.array(entry.rgb) * share)).max() <= 2
    assert (image == (180, 90, 150)).all()


def test_ink_is_seen_where_it_is_out_of_focus_too() -> None:
    image, every = np.full((40, 60, 3), 128, np.uint8), np.ones((4, 6), np.bool_)
    blur, pen = QCMask(every, "blur", "out_of_focus", 0.6), QCMask(every, "pen", "pen", 0.6)

    assert (draw_preview(image, (1, 1), masks=[blur, pen]) == draw_preview(image, (1, 1), masks=[pen])).all()


def test_colours_of_the_legend_differ() -> None:
    colours = [entry.rgb for entry in LEGEND]

    assert len({entry.label for entry in LEGEND}) == len(LEGEND)
    assert min(np.abs(np.subtract(a, b)).sum() for k, a in enumerate(colours) for b in colours[:k]) > 60
