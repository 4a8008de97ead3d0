"""Slides that are blurred all over, written as scanners write them, and how each tile of tissue scores."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from focus_training.unseen_kernels import UNSEEN_KERNELS
from slidekit.io.slide_tiff import make_pyramid, write_svs
from slidekit.slide.qc import GaussianV2, Otsu
from slidekit.slide.qc.base import SlideView
from slidekit.slide.qc.focus import Focus
from slidekit.slide.wsi import WSI

__all__ = ["SCORES", "Scores", "Tiles", "auc", "densest_regions", "score_region", "tissue_tiles"]

RGBImage = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float64]

_TILE_PX, _TILE_UM = 256, 128.0
_MOST_EMPTY = 0.5
_QUALITY = 85


def _focus_map(wsi: SlideView) -> npt.NDArray[np.float32]:
    return Focus()(wsi, threshold=False)


def _softness(wsi: SlideView) -> npt.NDArray[np.float32]:
    """What `GaussianV2` compares with its threshold, negated: more is more blurred."""
    method = GaussianV2()
    return -method._edges(wsi.overview(*method._size(wsi)))


SCORES: dict[str, Callable[[SlideView], npt.NDArray[np.float32]]] = {"Focus": _focus_map, "GaussianV2": _softness}


@dataclass(frozen=True)
class Tiles:
    """Tiles of tissue of a slide: corners in µm, and the background that is not counted.

    Attributes
    ----------
    corners
        (n, 2), x and y, µm.
    background
        (rows, columns) bool, over the slide.
    """

    corners: npt.NDArray[np.float64]
    background: npt.NDArray[np.bool_]

    def means(self, scores: npt.NDArray[np.float32], size_um: tuple[float, float]) -> Scores:
        """Mean score of the tissue of each tile; `scores` covers a slide of `size_um`."""
        rows, columns = scores.shape
        background = cv2.resize(
            self.background.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST
        ).astype(bool)
        means = []
        for box in _boxes(self.corners, (rows, columns), size_um):
            tissue = ~background[box]
            means.append(scores[box][tissue].mean() if tissue.any() else scores[box].mean())
        return np.array(means, np.float64)


def _boxes(
    corners: npt.NDArray[np.float64], shape: tuple[int, int], size_um: tuple[float, float]
) -> Iterator[tuple[slice, slice]]:
    per_um = np.array([shape[1] / size_um[0], shape[0] / size_um[1]])
    for start, stop in zip(corners * per_um, (corners + _TILE_UM) * per_um, strict=True):
        (x0, y0), (x1, y1) = np.rint(start).astype(int), np.rint(stop).astype(int)
        yield slice(y0, y1), slice(x0, x1)


def tissue_tiles(wsi: WSI) -> Tiles:
    """The tiles of 128 µm of which at least half is tissue, by Otsu's threshold."""
    background = Otsu()(wsi)
    across, down = (int(length // _TILE_UM) for length in wsi.size_um)
    corners = np.array([(i, j) for j in range(down) for i in range(across)], float).reshape(-1, 2) * _TILE_UM
    shares = [background[box].mean() for box in _boxes(corners, background.shape, wsi.size_um)]
    return Tiles(corners[np.array(shares) <= _MOST_EMPTY], background)


def densest_regions(path: Path, count: int, edge_px: int) -> list[RGBImage]:
    """The `count` squares of level 0 with most tissue, apart from each other."""
    with WSI(path, _TILE_PX, _TILE_UM) as wsi:
        width, height = wsi.dimensions
        background = Otsu()(wsi)
        rows, columns = background.shape
        edge = np.array([min(edge_px, height) * rows // height, min(edge_px, width) * columns // width])
        integral = cv2.integral((~background).astype(np.uint8))
        sums = integral[edge[0] :, edge[1] :] - integral[: -edge[0], edge[1] :]
        sums = (sums - integral[edge[0] :, : -edge[1]] + integral[: -edge[0], : -edge[1]]).astype(np.int64)
        regions = []
        for _ in range(count):
            y, x = np.unravel_index(np.argmax(sums), sums.shape)
            corner = (
                min(int(x * width / columns), max(0, width - edge_px)),
                min(int(y * height / rows), max(0, height - edge_px)),
            )
            size = (min(edge_px, width), min(edge_px, height))
            regions.append(wsi.overview_window(width, height, corner=corner, size=size))
            sums[max(0, y - edge[0]) : y + edge[0], max(0, x - edge[1]) : x + edge[1]] = -1
        return regions


@contextmanager
def _slide_of(image: RGBImage, mpp: float) -> Iterator[WSI]:
    with tempfile.TemporaryDirectory() as folder:
        path = write_svs(Path(folder, "slide.svs"), make_pyramid(image), mpp=mpp, quality=_QUALITY)
        with WSI(path, _TILE_PX, _TILE_UM) as wsi:
            yield wsi


def score_region(
    image: RGBImage, mpp: float, blurs: Sequence[tuple[str, float]], methods: Sequence[str] = tuple(SCORES)
) -> dict[tuple[str, float], dict[str, Scores]]:
    """Score the same tiles of an image, sharp and blurred, read from slides that are written for it.

    Parameters
    ----------
    image
        (h, w, 3), uint8, RGB; in focus.
    mpp
        Its µm/px.
    blurs
        Names of `UNSEEN_KERNELS` with radii, µm.
    methods
        Names of `SCORES`.

    Returns
    -------
    dict
        For ``("sharp", 0)`` and each blur: by method, the score of each tile; more is more blurred.
    """
    found = {}
    tiles = None
    for name, radius in (("sharp", 0.0), *blurs):
        seen = image
        if radius:
            kernel = UNSEEN_KERNELS[name](radius, mpp)
            seen = np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT), np.uint8)
        with _slide_of(seen, mpp) as wsi:
            tiles = tiles or tissue_tiles(wsi)
            found[name, radius] = {method: tiles.means(SCORES[method](wsi), wsi.size_um) for method in methods}
    return found


def auc(sharp: Scores, blurred: Scores) -> float:
    """Area under the ROC curve: how often a blurred tile scores above a sharp one; ties count half."""
    order = np.searchsorted(np.sort(sharp), blurred, "left"), np.searchsorted(np.sort(sharp), blurred, "right")
    return float((order[0] + order[1]).mean() / 2 / len(sharp))
