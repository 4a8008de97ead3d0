"""What the masks of a slide say about its tissue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slidekit.demo.slides import draw_demo_slides
from slidekit.slide.qc import QCMask
from slidekit.slide.tissue import TissueFacts, tissue_facts
from slidekit.slide.wsi import WSI


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = draw_demo_slides(tmp_path_factory.mktemp("demo"), size=0.3)
    return next(slide.path for slide in data.slides if "blur" in slide.name)


def picture(path: Path, glass: int, tissue: tuple[int, int, int]) -> Path:
    """A field of a colour, with a paler or darker half."""
    image = np.full((400, 600, 3), glass, np.uint8)
    image[:, 250:] = tissue
    Image.fromarray(image).save(path)
    return path


def test_no_qc_no_facts(spoiled: Path) -> None:
    with WSI(spoiled, 64, 64) as wsi:
        assert tissue_facts(wsi) == TissueFacts(None, None, None)


def test_the_burden_is_the_same_whether_otsu_was_asked_for_or_not(spoiled: Path) -> None:
    with WSI(spoiled, 64, 64, qc="blur") as alone, WSI(spoiled, 64, 64, qc="both") as both:
        facts = tissue_facts(alone)

        of_both = tissue_facts(both)
        assert facts[:3] == of_both[:3]
        # Background says what is tissue: it has no share of it.
        assert (facts.masked, of_both.masked) == ((facts.blur_burden,), (facts.blur_burden, None))
        assert facts.blur_burden is not None
        assert 0.1 < facts.blur_burden < 0.4
        assert facts.doubt is None
        # Computed for the figure, it dropped nothing.
        assert "background" not in alone.fates().reasons


def test_otsu_alone_measures_no_focus(spoiled: Path) -> None:
    with WSI(spoiled, 64, 64, qc="otsu") as wsi:
        assert tissue_facts(wsi).blur_burden is None


def test_a_slide_that_is_tissue_all_over_is_doubted(tmp_path: Path) -> None:
    path = picture(tmp_path / "all.png", 0, (150, 80, 140))
    image = np.asarray(Image.open(path)).copy()
    image[:, :250] = (220, 170, 210)  # pale tissue, where others have glass
    Image.fromarray(image).save(path)

    with WSI(path, 64, 32, mpp=0.5, qc="otsu") as wsi:
        facts = tissue_facts(wsi)

    assert facts.doubt is not None
    assert "42% of the slide was taken for background, but is coloured" in facts.doubt


def test_a_dark_slide_is_doubted(tmp_path: Path) -> None:
    with WSI(picture(tmp_path / "dark.png", 5, (10, 20, 200)), 64, 32, mpp=0.5, qc="otsu") as wsi:
        facts = tissue_facts(wsi)

    assert facts.doubt is not None
    assert "bright field" in facts.doubt


def test_glass_is_not_doubted(tmp_path: Path) -> None:
    with WSI(picture(tmp_path / "glass.png", 244, (190, 90, 160)), 64, 32, mpp=0.5, qc="otsu") as wsi:
        assert tissue_facts(wsi) == TissueFacts(pytest.approx(350 / 600), None, None, (None,))


def test_burden_and_background_are_of_all_masks_with_that_reason(spoiled: Path) -> None:
    def mask(first: int, last: int, reason: str) -> QCMask:
        pixels = np.zeros((69, 87), np.bool_)
        pixels[:, first:last] = True
        return QCMask(pixels, "mine", reason)

    with WSI(spoiled, 64, 64) as wsi:
        given = [mask(0, 20, "background"), mask(20, 40, "background")]
        given += [mask(40, 50, "out_of_focus"), mask(45, 60, "out_of_focus")]
        facts = tissue_facts(wsi.qc(lambda _: given))

    assert [one.name for one in wsi.qc_masks] == ["mine", "mine_2", "mine_3", "mine_4"]
    assert facts.share == pytest.approx(1 - 40 / 87)
    assert facts.blur_burden == pytest.approx(20 / 47)
