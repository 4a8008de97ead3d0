from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.cells import Segmentation, segment_slide
from slidekit.errors import CellError, SlideReadError, SpecError
from slidekit.slide.roi import ROI
from slidekit.slide.wsi import WSI
from tests.cells.drawn_slides import ArraySlide, ByColour, colour, draw_labels, same_cells

WIDTH, HEIGHT = 90, 70

PLACES = st.one_of(
    st.floats(-3, WIDTH + 3),
    # Borders of windows of many sizes, and the slide's own edges.
    st.sampled_from([0.0, WIDTH / 2, WIDTH / 3, 2 * WIDTH / 3, WIDTH / 4, HEIGHT / 2, float(WIDTH)]),
)
CELLS = st.lists(
    st.tuples(PLACES, PLACES, st.floats(0.6, 6), st.floats(0.6, 6), st.floats(0, 3.2)), min_size=0, max_size=25
)


def rows_of(cells: Segmentation) -> set[tuple[float, ...]]:
    return {tuple(row) for row in cells.table.drop(columns="id").to_numpy().tolist()}


@settings(deadline=None, max_examples=6)
@given(cells=CELLS, window_px=st.integers(16, 100), margin_px=st.integers(26, 60), workers=st.integers(1, 3))
def test_windows_of_any_size_find_every_cell_once(
    cells: list[tuple[float, float, float, float, float]], window_px: int, margin_px: int, workers: int
) -> None:
    truth = draw_labels((HEIGHT, WIDTH), cells)
    slide = ArraySlide(colour(truth))
    method = ByColour(margin_um=margin_px * 0.5)

    found = segment_slide(slide, method, window_px=window_px, workers=workers)
    whole = segment_slide(slide, method, window_px=1000, workers=1)

    assert same_cells(found.masks[:], truth)
    assert found.problems == ()
    assert len(found) == len(np.unique(truth)) - 1
    assert rows_of(found) == rows_of(whole)
    outlines = [{tuple(map(tuple, one.tolist())) for one in made.outlines} for made in (found, whole)]
    assert outlines[0] == outlines[1]


def test_ids_are_rows_of_the_table(drawn: tuple[ArraySlide, np.ndarray]) -> None:
    slide, _ = drawn

    found = segment_slide(slide, ByColour(), window_px=40)

    masks = found.masks[:]
    area = np.bincount(masks.reshape(-1))[1:] * 0.25
    np.testing.assert_allclose(found.table["area_um2"], area)
    y, x = np.nonzero(masks == 7)
    np.testing.assert_allclose(found.centroids()[6], [x.mean() + 0.5, y.mean() + 0.5])


def test_bytes_do_not_depend_on_workers(drawn: tuple[ArraySlide, np.ndarray], tmp_path: Path) -> None:
    slide, _ = drawn

    for workers in (1, 2, 5):
        segment_slide(slide, ByColour(), window_px=32, workers=workers, dest=tmp_path / f"{workers}.zarr")

    def content(folder: Path) -> dict[str, bytes]:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    first = content(tmp_path / "1.zarr")
    assert any(name.startswith("masks/c") for name in first)
    assert content(tmp_path / "2.zarr") == first
    assert content(tmp_path / "5.zarr") == first


def test_pixels_that_are_not_square_and_a_scale_that_is_not_whole() -> None:
    truth = draw_labels((90, 130), [(20, 30, 9, 6, 0.3), (80, 50, 12, 8, 1.0)])
    slide = ArraySlide(colour(truth), mpp=(0.3, 0.4))

    found = segment_slide(slide, ByColour(mpp=0.5), window_px=30)

    assert found.shape == (72, 78)
    assert found.mpp == pytest.approx(0.3 * 130 / 78)
    np.testing.assert_allclose(sorted(found.centroids().tolist()), [[20, 30], [80, 50]], atol=1.2)
    expected = [np.count_nonzero(truth == cell) * 0.12 for cell in (1, 2)]
    np.testing.assert_allclose(sorted(found.table["area_um2"]), expected, rtol=0.1)


def test_a_resampled_slide_has_no_seams(tissue_like: Path) -> None:
    def dark(image: np.ndarray) -> np.ndarray:
        from scipy import ndimage

        return ndimage.label(image[..., 0] < 140, np.ones((3, 3)))[0]

    one = segment_slide(tissue_like, dark, mpp=0.6, margin_um=40, window_px=2000)
    many = segment_slide(tissue_like, dark, mpp=0.6, margin_um=40, window_px=150)

    assert len(one) > 100
    assert rows_of(many) == rows_of(one)
    assert same_cells(many.masks[:], one.masks[:])


@pytest.fixture(scope="module")
def tissue_like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from slidekit.io.slide_tiff import make_pyramid, write_svs

    rng = np.random.default_rng(0)
    image = np.clip(rng.normal(225, 6, (800, 900, 3)), 0, 255).astype(np.uint8)
    for _ in range(260):
        centre, axes = rng.integers(0, 900, 2).tolist(), rng.integers(6, 13, 2).tolist()
        cv2.ellipse(image, centre, axes, rng.uniform(0, 180), 0, 360, (90, 60, 140), -1)
    folder = tmp_path_factory.mktemp("slides")
    return write_svs(folder / "nuclei.svs", make_pyramid(image), mpp=0.2528)


# --- what goes wrong -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "says"),
    [
        (lambda image: np.zeros((3, 3), np.int32), "shape"),
        (lambda image: np.zeros(image.shape[:2]), "float64"),
        (lambda image: np.zeros(image.shape[:2], np.bool_), "bool"),
        (lambda image: np.full(image.shape[:2], -2), "negative label -2"),
        (lambda image: None, "NoneType"),
        (lambda image: [[1], [1, 2]], "list"),
        (
            lambda image: np.pad([[5, 0, 5]], ((9, image.shape[0] - 10), (9, image.shape[1] - 12))),
            "1 labels in several",
        ),
        (lambda image: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_nonsense_is_told_with_slide_and_window(method: object, says: str) -> None:
    slide = ArraySlide(np.full((60, 80, 3), 255, np.uint8))

    with pytest.raises(CellError, match=says) as caught:
        segment_slide(slide, method, mpp=0.5, window_px=40, margin_um=2)

    assert "slide drawn, window at (0, 0), 40 × 30 px of level 0" in str(caught.value)


def test_a_method_that_cannot_prepare_is_told_with_the_slide() -> None:
    class Unready(ByColour):
        def prepare(self, slide: object) -> str:
            raise ValueError("no stain")

    with pytest.raises(CellError, match="slide drawn: method by colour failed to prepare: ValueError: no stain"):
        segment_slide(ArraySlide(np.full((40, 40, 3), 255, np.uint8)), Unready())


def test_two_runs_at_one_place_exclude_each_other(drawn: tuple[ArraySlide, np.ndarray], tmp_path: Path) -> None:
    def again(done: int, total: int) -> None:
        with pytest.raises(CellError, match="by another run"):
            segment_slide(drawn[0], ByColour(), dest=tmp_path)

    found = segment_slide(drawn[0], ByColour(), dest=tmp_path, on_progress=again)

    assert len(found) > 20


def test_cells_larger_than_the_margin_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    truth = draw_labels((60, 80), [(40, 30, 30, 10, 0), (8, 8, 3, 3, 0)])
    slide = ArraySlide(colour(truth))

    found = segment_slide(slide, ByColour(margin_um=2), window_px=40)

    masks = found.masks[:]
    assert any("cells reach beyond the margin of 2 µm" in problem for problem in found.problems)
    assert "beyond the margin" in caplog.text
    # Two windows claim the one cell; no pixel is lost or counted twice.
    assert found.table["area_um2"].sum() == pytest.approx(np.count_nonzero(masks) * 0.25)
    assert len(found) == len(np.unique(masks)) - 1


def test_a_cell_that_windows_see_otherwise_is_found_once() -> None:
    # The method shifts what it sees by where the window begins, as a network may: both, or none, would claim it.
    truth = np.zeros((64, 128), np.int64)
    truth[28:36, 60:68] = 1
    slide = ArraySlide(colour(truth))

    for shifts in ((-1, 1), (1, -1)):

        class Unsteady(ByColour):
            def __call__(self, image: np.ndarray, facts: object, shifts: tuple[int, int] = shifts) -> np.ndarray:
                labels = super().__call__(image, facts)
                return np.roll(labels, shifts[0] if labels[:, :60].sum() > labels[:, -60:].sum() else shifts[1], 1)

        found = segment_slide(slide, Unsteady(margin_um=16), window_px=64)

        assert len(found) == 1
        assert found.table["area_um2"][0] >= 14


def test_pixels_that_cannot_be_decoded_are_white_and_named(drawn: tuple[ArraySlide, np.ndarray]) -> None:
    slide, truth = drawn
    slide.holes = [(100, 20, 8, 8)]

    found = segment_slide(slide, ByColour(), window_px=64)

    (problem,) = found.problems
    assert problem.startswith("Pixels of ")
    assert "window at (100, 0)" in problem
    far = truth.copy()
    far[:, 60:] = 0
    assert same_cells(np.where(far > 0, found.masks[:], 0), far)


def test_more_than_a_twentieth_lost_is_an_error(drawn: tuple[ArraySlide, np.ndarray], tmp_path: Path) -> None:
    slide, _ = drawn
    slide.holes = [(0, 0, 40, 40)]

    with pytest.raises(SlideReadError, match="more than 5 %"):
        segment_slide(slide, ByColour(), dest=tmp_path / "x.zarr")

    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_replaced_only_when_asked_for(drawn: tuple[ArraySlide, np.ndarray], tmp_path: Path) -> None:
    slide, truth = drawn
    segment_slide(slide, ByColour(), dest=tmp_path)
    store = tmp_path / "drawn.cells.zarr"

    with pytest.raises(CellError, match="exists already"):
        segment_slide(slide, ByColour(), dest=tmp_path)
    (store / "mine.txt").write_text("notes")
    with pytest.raises(CellError, match=r"mine\.txt"):
        segment_slide(slide, ByColour(), dest=tmp_path, overwrite=True)
    (store / "mine.txt").unlink()
    again = segment_slide(slide, ByColour(), dest=tmp_path, overwrite=True)

    assert again.path == store
    assert same_cells(Segmentation.open(store).masks[:], truth)
    assert [path.name for path in tmp_path.iterdir()] == ["drawn.cells.zarr"]


KILLED = """
import os, signal, sys
from drawn_slides import ArraySlide, ByColour
from slidekit.cells import segment_slide
import numpy as np
def progress(done, total):
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)
slide = ArraySlide(np.full((90, 90, 3), 255, np.uint8))
segment_slide(slide, ByColour(), window_px=30, dest=sys.argv[1], on_progress=progress)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_run_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}

    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=environment, check=False)
    again = segment_slide(ArraySlide(np.full((90, 90, 3), 255, np.uint8)), ByColour(), dest=tmp_path)

    assert done.returncode == -signal.SIGKILL
    assert len(again) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["drawn.cells.zarr"]


def test_an_interrupt_leaves_nothing(drawn: tuple[ArraySlide, np.ndarray], tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_slide(drawn[0], ByColour(), window_px=50, dest=tmp_path, on_progress=stop)

    assert list(tmp_path.iterdir()) == []


# --- where and how ---------------------------------------------------------------------------------------------


def test_a_mask_leaves_out_by_centroid_whatever_the_windows(drawn: tuple[ArraySlide, np.ndarray]) -> None:
    slide, _ = drawn
    discard = np.zeros((11, 15), np.bool_)
    discard[:, 8:] = True

    few = segment_slide(slide, ByColour(), mask=discard, window_px=500)
    calls: list[tuple[int, int]] = []
    many = segment_slide(
        slide, ByColour(), mask=discard, window_px=30, workers=1, on_progress=lambda *now: calls.append(now)
    )

    whole = segment_slide(slide, ByColour())
    expected = whole.centroids()[whole.centroids()[:, 0] < 80]
    assert sorted(few.centroids().tolist()) == sorted(expected.tolist())
    assert rows_of(many) == rows_of(few)
    # Windows that are discarded altogether are not worked on: 3 of 5 columns of windows are.
    assert calls == [(done, 12) for done in range(1, 13)]


def test_regions_and_qc_of_a_wsi_count(tissue_like: Path) -> None:
    import shapely

    from slidekit.slide.roi import ROISet

    def dark(image: np.ndarray) -> np.ndarray:
        from scipy import ndimage

        return ndimage.label(image[..., 0] < 140, np.ones((3, 3)))[0]

    roi = ROI("a", None, shapely.box(100, 100, 500, 600))
    whole = segment_slide(tissue_like, dark, mpp=0.5, margin_um=40)
    for method, keeps in (("inside", True), ("outside", False)):
        with WSI(tissue_like, 64, 32, rois=ROISet((roi,)), roi_method=method) as wsi:
            wsi.qc(lambda wsi: np.array([[False, True]]))
            found = segment_slide(wsi, dark, mpp=0.5, margin_um=40, window_px=100)

        places = whole.centroids()
        inside = ((places > [100, 100]) & (places < [500, 600])).all(axis=1)
        expected = places[(inside == keeps) & (places[:, 0] < 450)]
        assert sorted(found.centroids().tolist()) == sorted(expected.tolist())


def test_a_slide_without_tissue_has_no_cells(drawn: tuple[ArraySlide, np.ndarray], tmp_path: Path) -> None:
    found = segment_slide(drawn[0], ByColour(), mask=np.ones((2, 3), np.bool_), dest=tmp_path)

    assert len(found) == len(found.table) == len(found.outlines) == 0
    assert not found.masks[:].any()


def test_slideflows_names(drawn: tuple[ArraySlide, np.ndarray]) -> None:
    def by_colour(image: np.ndarray) -> np.ndarray:
        return ByColour()(image, None)

    found = segment_slide(drawn[0], model=by_colour, diam_um=10, diam_mean=20, window_size=64)

    assert found.mpp == pytest.approx(0.5)
    assert len(found) == len(np.unique(drawn[1])) - 1


@pytest.mark.parametrize(
    "options", [{"window_px": 3}, {"window_px": 64.5}, {"workers": 0}, {"diam_mean": 20, "mpp": 0.5}]
)
def test_parameters_that_make_no_sense(drawn: tuple[ArraySlide, np.ndarray], options: dict[str, object]) -> None:
    with pytest.raises(SpecError):
        segment_slide(drawn[0], ByColour(), **options)


def test_attributes_say_where_cells_come_from(tissue_like: Path, tmp_path: Path) -> None:
    from slidekit.slide.identity import slide_identity

    segment_slide(tissue_like, lambda image: np.zeros(image.shape[:2], int), mpp=1.0, dest=tmp_path)

    attributes = json.loads((tmp_path / "nuclei.cells.zarr" / "zarr.json").read_text())["attributes"]
    assert attributes["slide"] == "nuclei"
    assert attributes["identity"] == slide_identity(tissue_like)
    assert attributes["dimensions"] == [900, 800]
    assert attributes["method"]["mpp"] == 1.0
