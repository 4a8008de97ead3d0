"""Cellpose (version 4 or later) with weights by path."""

from __future__ import annotations

import importlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slidekit.cells.methods.base import DEFAULT_MPP, MARGIN_DIAMETERS, OverviewSlide, check_lengths, check_scale
from slidekit.cells.methods.sampling import tissue_samples
from slidekit.errors import CellError, MissingExtraError, SpecError
from slidekit.pixels.image import RGBImage

__all__ = ["Cellpose"]

_WEIGHTS = (
    'Give weights="path/to/file". Those of Cellpose-SAM are the files cpsam and cpsam_v2 of'
    " https://huggingface.co/mouseland/cellpose-sam (1.2 GB each); slidekit downloads nothing."
)

_PERCENTILES = (1.0, 99.0)
"""Cellpose's own: these percentiles of each channel become 0 and 1."""

_PATCH_PX = 256
"""Edge of the patches that the network sees at once."""

_NETWORK_DIAM_PX = 30.0
"""Diameter to which Cellpose scales cells."""

Bounds = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""Values of R, G and B that become 0 and 1."""


class Cellpose:
    """Cells by Cellpose-SAM or a network trained from it (Pachitariu, Rariden, Stringer, bioRxiv 2025).

    Cellpose brings each image's own percentiles to 0 and 1; here they are the slide's, so that neighbouring windows
    are seen alike. A network sees patches whose places go with the window, so that windows agree only nearly.

    Parameters
    ----------
    diam_um
        Usual diameter of a cell, µm; images are scaled until it is 30 px, as Cellpose wants it.
    weights
        File of the weights. Nothing is ever downloaded.
    mpp
        µm/px to work at.
    flow_threshold, cellprob_threshold
        Cellpose's: the largest error of a cell's flows, and the smallest value of a cell's pixels.
    min_area_um2
        Smaller cells are dropped; by default a twentieth of a disk of `diam_um`.
    batch_size
        Patches of 256 px at once.
    gpu
        Whether to use a GPU where there is one.

    Raises
    ------
    CellError
        If there are no weights.
    MissingExtraError
        If Cellpose is not installed.
    SpecError
        If a parameter makes no sense, or Cellpose is older than version 4.
    """

    name = "cellpose"

    def __init__(
        self,
        diam_um: float = 8.0,
        *,
        weights: str | Path | None = None,
        mpp: float = DEFAULT_MPP,
        flow_threshold: float = 0.4,
        cellprob_threshold: float = 0.0,
        min_area_um2: float | None = None,
        batch_size: int = 8,
        gpu: bool = True,
    ) -> None:
        check_scale(diam_um, mpp, least_px=1)
        self.weights = _existing(weights)
        self.diam_um, self.mpp = float(diam_um), float(mpp)
        self.flow_threshold, self.cellprob_threshold = float(flow_threshold), float(cellprob_threshold)
        self.min_area_um2 = np.pi / 80 * self.diam_um**2 if min_area_um2 is None else min_area_um2
        self.batch_size, self.gpu = batch_size, gpu
        check_lengths(min_area_um2=self.min_area_um2, batch_size=batch_size)
        _require_cellpose()
        # What half of a patch shows, where that is more.
        self.margin_um = float(max(MARGIN_DIAMETERS, _PATCH_PX / 2 / _NETWORK_DIAM_PX) * diam_um)
        self._lock = threading.Lock()
        self._model: Any = None

    def parameters(self) -> dict[str, Any]:
        """Everything that the labels depend on, besides the slide; weights by name and size."""
        return {
            "cellprob_threshold": self.cellprob_threshold,
            "diam_um": self.diam_um,
            "flow_threshold": self.flow_threshold,
            "min_area_um2": self.min_area_um2,
            "mpp": self.mpp,
            "version": _version(),
            "weights": self.weights.name,
            "weights_bytes": self.weights.stat().st_size,
        }

    def prepare(self, slide: OverviewSlide) -> Bounds:
        """Find the values of the slide's tissue that become 0 and 1."""
        samples, _ = tissue_samples(slide, self.mpp)
        return self.facts_of(np.concatenate([sample.reshape(1, -1, 3) for sample in samples], axis=1))

    def facts_of(self, image: RGBImage) -> Bounds:
        """As `prepare`, of an image that is no slide."""
        low, high = np.percentile(image.reshape(-1, 3), _PERCENTILES, axis=0)
        # A channel without any contrast must not become a division by 0.
        high = np.maximum(high, low + 1)
        red, green, blue = ((float(a), float(b)) for a, b in zip(low, high, strict=True))
        return red, green, blue

    def __call__(self, image: RGBImage, facts: Bounds) -> npt.NDArray[np.int32]:
        """Label the cells of an image.

        Parameters
        ----------
        image
            uint8 (rows, columns, 3), RGB, at `mpp`.
        facts
            Of the slide.

        Returns
        -------
        ndarray of int32 (rows, columns)
            0 is background, 1 … n are cells.
        """
        # One network for all threads of a process: two would not fit into a GPU.
        with self._lock:
            masks = self._loaded().eval(
                image,
                batch_size=self.batch_size,
                channel_axis=-1,
                normalize={"lowhigh": [list(bounds) for bounds in facts]},
                diameter=self.diam_um / self.mpp,
                flow_threshold=self.flow_threshold,
                cellprob_threshold=self.cellprob_threshold,
                min_size=max(1, round(self.min_area_um2 / self.mpp**2)),
            )[0]
        # It squeezes: a window of one row or column would lose an axis.
        return np.asarray(masks).astype(np.int32).reshape(image.shape[:2])

    def _loaded(self) -> Any:
        if self._model is None:
            models = importlib.import_module("cellpose.models")
            self._model = models.CellposeModel(gpu=self.gpu, pretrained_model=str(self.weights))
        return self._model

    def __getstate__(self) -> dict[str, Any]:
        # Processes load the network themselves: it would be 1.2 GB of pickle, and locks have none.
        return {name: value for name, value in vars(self).items() if name not in ("_model", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _model=None, _lock=threading.Lock())


def _existing(weights: str | Path | None) -> Path:
    """Refuse what is no file: Cellpose would take it for the name of a network, and download one."""
    if weights is None:
        raise CellError("Cellpose needs the weights of a network.", mend=_WEIGHTS)
    path = Path(weights).expanduser()
    if not path.is_file():
        raise CellError("There is no file of weights.", mend=_WEIGHTS, path=path)
    return path.resolve()


def _require_cellpose() -> None:
    # Not imported yet: it takes seconds, and brings PyTorch.
    version = _version()
    if version is None:
        raise MissingExtraError(
            "Cellpose is not installed.", mend='Install it: pip install "slidekit[cellpose]" (with PyTorch, large).'
        )
    if version.split(".")[0].isdigit() and int(version.split(".")[0]) < 4:
        raise SpecError(
            f"Cellpose {version} is installed, whose networks and parameters are others.",
            mend='Install version 4 or later: pip install "slidekit[cellpose]".',
        )


def _version() -> str | None:
    """Version of the Cellpose that is installed."""
    from importlib import metadata

    try:
        return metadata.version("cellpose")
    except metadata.PackageNotFoundError:
        return None
