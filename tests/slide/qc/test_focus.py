"""`Focus`: the contract of QC methods, its features against plain formulas, seams, weights, and real slides."""

from __future__ import annotations

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from slidekit.errors import QCError
from slidekit.slide.qc.focus import Focus
from slidekit.slide.qc.focus_network import CELL_PX, HALO_PX, WINDOW_CELLS, FocusNetwork, edge_features
from slidekit.slide.qc.focus_tissue import tissue_cells
from tests.slide.qc.contract import QCContract, glow, open_wsi

ROOT = Path(__file__).resolve().parents[3]
REAL = ("CMU-1-Small-Region.svs", "gastric-HE-40x.svs")


@pytest.fixture(scope="module")
def blurred_slides():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from focus_training import blurred_slides

        yield blurred_slides
    finally:
        sys.path.remove(str(ROOT / "scripts"))


class TestFocus(QCContract):
    method = Focus()

    def test_glass_is_never_out_of_focus(self, make_slide) -> None:
        glass = np.random.default_rng(0).normal(238, 3, (300, 420, 3)).clip(0, 255).astype(np.uint8)
        with open_wsi(make_slide(glass)) as wsi:
            assert not self.method(wsi, threshold=0.0).any()

    def test_gives_the_map_behind_the_mask(self, tissue_slide: Path) -> None:
        with open_wsi(tissue_slide) as wsi:
            chances = self.method(wsi, threshold=False)
            assert chances.dtype == np.float32
            assert 0 <= chances.min() <= chances.max() <= 1
            assert np.array_equal(self.method(wsi), chances > self.method.threshold)
            assert np.array_equal(self.method(wsi, threshold=0.2), chances > 0.2)
            assert np.array_equal(Focus(0.2)(wsi), chances > 0.2)

    def test_threads_do_not_share_a_network_and_give_the_same(self, tissue_slide: Path) -> None:
        def work(_: int) -> np.ndarray:
            with open_wsi(tissue_slide) as wsi:
                return self.method(wsi, threshold=False)

        with ThreadPoolExecutor(3) as pool:
            maps = list(pool.map(work, range(3)))
        assert all(np.array_equal(maps[0], other) for other in maps[1:])

    def test_opencvs_threads_change_nothing(self, tissue_slide: Path) -> None:
        before, maps = cv2.getNumThreads(), []
        try:
            for number in (1, 3):
                cv2.setNumThreads(number)
                with open_wsi(tissue_slide) as wsi:
                    maps.append(self.method(wsi, threshold=False))
        finally:
            cv2.setNumThreads(before)
        assert np.abs(maps[0] - maps[1]).max() <= 1e-5

    def test_travels_to_another_process(self, tissue_slide: Path) -> None:
        again = pickle.loads(pickle.dumps(self.method))
        with open_wsi(tissue_slide) as wsi:
            assert np.array_equal(again(wsi), self.method(wsi))


class TestWeights:
    def test_their_checksum_is_a_parameter(self) -> None:
        method = Focus()
        assert method.parameters()["sha256"] == FocusNetwork.checksum(None)
        with pytest.raises(QCError, match="was to use weights"):
            Focus(sha256="0" * 64)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(QCError, match="cannot be read"):
            Focus(weights=tmp_path / "none.onnx")

    def test_a_file_that_is_no_network(self, tmp_path: Path, tissue_slide: Path) -> None:
        path = tmp_path / "bad.onnx"
        path.write_bytes(b"not a network")
        with open_wsi(tissue_slide) as wsi, pytest.raises(QCError, match="not a network that OpenCV can run"):
            Focus(weights=path)(wsi)

    def test_the_file_is_small(self) -> None:
        assert (ROOT / "slidekit/slide/qc/focus.onnx").stat().st_size < 250_000


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_is_a_probability(threshold: float) -> None:
    with pytest.raises(QCError, match="threshold"):
        Focus(threshold)


@pytest.mark.parametrize("smooth_um", [-1.0, float("inf"), float("nan")])
def test_smoothing_is_a_length(smooth_um: float) -> None:
    with pytest.raises(QCError, match="smooth_um"):
        Focus(smooth_um=smooth_um)


def test_a_slide_that_is_too_coarse_is_refused(make_slide, tissue: np.ndarray) -> None:
    with open_wsi(make_slide(tissue, (2.0, 2.0))) as wsi, pytest.raises(QCError, match=r"1\.1 µm/px or finer"):
        Focus()(wsi)


def test_fluorescence_is_refused_and_an_empty_black_slide_is_not(make_slide, tissue: np.ndarray) -> None:
    with open_wsi(make_slide(glow(tissue))) as wsi, pytest.raises(QCError, match="is dark, as fluorescence is"):
        Focus()(wsi)
    with open_wsi(make_slide(np.zeros_like(tissue))) as wsi:
        assert not Focus()(wsi).any()


def test_features_are_what_the_formulas_say() -> None:
    # Arrange
    image = np.random.default_rng(1).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64)

    def blocks(values: np.ndarray, edge: int = 4) -> np.ndarray:
        return values.reshape(16, edge, 20, edge)

    first = {axis: np.diff(gray, axis=axis, append=gray.take([-1], axis)) for axis in (0, 1)}
    second = {axis: np.diff(first[axis], axis=axis, append=first[axis].take([-1], axis)) for axis in (0, 1)}

    # Act
    features = edge_features(image)

    # Assert
    for place, values in enumerate((first[1], first[0], second[1], second[0])):
        assert np.allclose(features[place], np.log1p(blocks(np.abs(values)).mean((1, 3))), atol=0.02)
    largest = np.maximum(*(np.abs(values) for values in second.values()))
    assert np.allclose(features[4], np.log1p(blocks(largest).max((1, 3))), atol=1e-5)
    colours = image.reshape(16, 4, 20, 4, 3).mean((1, 3)).transpose(2, 0, 1) / 255
    assert np.allclose(features[8:], colours, atol=1.1 / 255)


def test_blur_lowers_every_edge() -> None:
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert (
        edge_features(cv2.GaussianBlur(image, (0, 0), 2))[:8].mean((1, 2)) < edge_features(image)[:8].mean((1, 2))
    ).all()


def test_windows_meet_without_a_seam() -> None:
    """The same tissue seen from two windows is judged alike: the halo is as wide as what the network sees."""
    network = FocusNetwork.load(None)
    edge, shift = WINDOW_CELLS * CELL_PX + 2 * HALO_PX, 9
    image = np.random.default_rng(2).integers(0, 256, (edge, edge + shift * CELL_PX, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 1.5)
    here = network(np.ascontiguousarray(image[:, :edge]))
    there = network(np.ascontiguousarray(image[:, shift * CELL_PX :]))
    assert np.ptp(here) > 1e-6
    assert np.abs(here[:, shift:] - there[:, :-shift]).max() <= 1e-5


def test_tissue_is_neither_glass_nor_void() -> None:
    cells = np.array([[[245, 243, 244], [0, 0, 0], [235, 200, 215], [60, 60, 60]]], np.uint8)
    image = cells.repeat(CELL_PX, 0).repeat(CELL_PX, 1)
    assert tissue_cells(image).tolist() == [[False, False, True, True]]


def test_what_is_blurred_is_found_where_it_is(make_slide, tissue: np.ndarray) -> None:
    """The right half of a slide is blurred: the map says so on the right, whatever the slide's size."""
    image = np.tile(tissue[200:560, 250:750], (1, 3, 1))[:, :1410]
    blurred = cv2.GaussianBlur(image, (0, 0), 8)
    image = np.concatenate([image[:, :705], blurred[:, 705:]], axis=1)
    with open_wsi(make_slide(image)) as wsi:
        chances = Focus()(wsi, threshold=False)
    columns = chances.shape[1]
    assert columns == round(1410 * 0.5 / 16)
    middle = columns // 2
    assert chances[:, middle + 4 :].mean() > 0.8
    assert chances[:, middle + 4 :].mean() > chances[:, : middle - 4].mean() + 0.2


@pytest.mark.realdata
def test_finds_blur_of_a_real_slide_that_it_never_saw(blurred_slides, real_data: Path) -> None:
    image = blurred_slides.densest_regions(real_data / "slides" / REAL[0], 1, 4096)[0]
    scores = blurred_slides.score_region(image, 0.499, [("halo", 1.5)])
    sharp, blurred = scores["sharp", 0.0], scores["halo", 1.5]
    mine, edges = (blurred_slides.auc(sharp[name], blurred[name]) for name in ("Focus", "GaussianV2"))
    assert mine >= 0.97
    assert mine > edges


@pytest.mark.realdata
@pytest.mark.long
@pytest.mark.parametrize(("name", "mpp"), [(REAL[0], 0.499), (REAL[1], 0.2528)])
def test_auc_on_real_slides_and_kernels_that_it_never_saw(
    blurred_slides, real_data: Path, name: str, mpp: float
) -> None:
    image = blurred_slides.densest_regions(real_data / "slides" / name, 1, 4096)[0]
    blurs = [(kernel, radius) for kernel in blurred_slides.UNSEEN_KERNELS for radius in (1.5, 3.0, 8.0)]
    scores = blurred_slides.score_region(image, mpp, blurs)
    sharp = scores["sharp", 0.0]
    for method, least in (("Focus", 0.97), ("GaussianV2", 0.0)):
        found = {blur: blurred_slides.auc(sharp[method], scores[blur][method]) for blur in blurs}
        assert np.mean(list(found.values())) >= least, found
        if method == "Focus":
            mine = found
    assert np.mean(list(mine.values())) > np.mean(list(found.values()))
