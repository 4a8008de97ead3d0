from __future__ import annotations

import csv

import cv2
import numpy as np
import openslide
import pytest
import shapely

from slidekit.demo.slides import draw_demo_slides
from slidekit.errors import SpecError


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    calls = []
    data = draw_demo_slides(
        tmp_path_factory.mktemp("demo"), seed=3, size=0.3, on_progress=lambda *call: calls.append(call)
    )
    return data, calls


def pixels(slide, level=0):
    opened = openslide.OpenSlide(slide.path)
    return np.asarray(opened.read_region((0, 0), level, opened.level_dimensions[level]).convert("RGB"))


def test_the_list_is_complete(drawn):
    data, calls = drawn
    names = [slide.name for slide in data.slides]

    assert len(names) == len(set(names)) == 5
    assert {path.stem for path in data.slides_dir.iterdir()} == set(names)
    assert all(slide.shows for slide in data.slides)
    assert len({slide.mpp for slide in data.slides}) == 5
    assert calls == [*((name, i, 5) for i, name in enumerate(names)), ("", 5, 5)]


def test_every_slide_is_an_aperio_pyramid_of_its_mpp(drawn):
    for slide in drawn[0].slides:
        opened = openslide.OpenSlide(slide.path)

        assert openslide.OpenSlide.detect_format(slide.path) == "aperio"
        assert opened.level_count == 3
        assert float(opened.properties["openslide.mpp-x"]) == pytest.approx(slide.mpp)
        assert set(opened.associated_images) == {"thumbnail"}


def test_annotations_have_a_row_for_every_slide(drawn):
    data = drawn[0]

    with data.annotations.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert list(rows[0]) == ["patient", "slide", "category", "site"]
    assert [row["slide"] for row in rows] == [slide.name for slide in data.slides]
    assert len({row["patient"] for row in rows}) < len(rows)
    assert {len({row[column] for row in rows}) for column in ("category", "site")} == {2}


def test_rois_lie_in_what_they_name(drawn):
    data = drawn[0]
    files = sorted(data.rois_dir.iterdir())
    slide = next(slide for slide in data.slides if slide.name == files[0].stem)
    image = pixels(slide)

    with files[0].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rings: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for row in rows:
        rings.setdefault((row["label"], row["roi_name"]), []).append((int(row["x_base"]), int(row["y_base"])))

    assert len(files) == 1
    assert list(rows[0]) == ["roi_name", "label", "x_base", "y_base"]
    assert {label for label, _ in rings} == {"tumor", "stroma"}
    redness = {}
    for (label, _), ring in rings.items():
        assert shapely.Polygon(ring).is_valid
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.array(ring, np.int32)], 1)
        assert np.count_nonzero(mask) > 1000
        redness.setdefault(label, []).append(image[mask > 0, 0].mean())
    # Hematoxylin takes red light, eosin hardly any: tumour is darker in red.
    assert max(redness["tumor"]) < min(redness["stroma"]) - 15


def test_one_slide_has_blur_and_ink_and_one_is_almost_empty(drawn):
    slides = {slide.name: slide for slide in drawn[0].slides}
    stained = {}
    for name, slide in slides.items():
        stained[name] = (cv2.cvtColor(pixels(slide, 1), cv2.COLOR_RGB2HSV)[..., 1] > 45).mean()

    spoiled = pixels(slides["demo-2-blur-and-pen"]).astype(int)
    ink = (spoiled[..., 0] < spoiled[..., 1] - 40).mean()

    assert 0.01 < ink < 0.2
    assert 0 < stained["demo-5-almost-empty"] < 0.02
    assert min(share for name, share in stained.items() if "empty" not in name) > 0.15


def test_more_than_a_twentieth_of_the_tissue_is_out_of_focus(drawn):
    shares = {}
    for slide in drawn[0].slides[:3]:
        image = pixels(slide)
        scale = slide.mpp / 2.0  # Slideflow's blur rule looks at 4 times a tile's 0.5 µm/px
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        blurred = cv2.GaussianBlur(np.abs(cv2.Laplacian(gray, cv2.CV_32F)), (0, 0), 3) <= 0.02
        tissue = cv2.medianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2HSV)[..., 1], 7) > 45
        shares[slide.name] = np.count_nonzero(blurred & tissue) / np.count_nonzero(tissue)

    assert shares["demo-2-blur-and-pen"] > 0.05
    assert shares["demo-1-regions"] < 0.02
    assert shares["demo-3-rescan"] < 0.02


def test_a_second_run_keeps_every_file_and_the_same_seed_gives_the_same_bytes(drawn, tmp_path):
    data = drawn[0]
    root = data.annotations.parent
    data.annotations.write_text("mine\n", encoding="utf-8")
    times = {path: path.stat().st_mtime_ns for path in root.rglob("*")}

    draw_demo_slides(root, seed=3, size=0.3)
    again = draw_demo_slides(tmp_path, seed=3, size=0.3)

    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == times
    assert data.annotations.read_text(encoding="utf-8") == "mine\n"
    for one, two in zip(data.slides, again.slides, strict=True):
        assert one.path.read_bytes() == two.path.read_bytes()


@pytest.mark.parametrize("size", [0, -1, 1.5, float("nan")])
def test_a_size_that_is_no_share_is_refused(tmp_path, size):
    with pytest.raises(SpecError, match="share"):
        draw_demo_slides(tmp_path, size=size)
