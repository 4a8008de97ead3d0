"""DeepFocus: out-of-focus patches, by the network of Senaras et al."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from slidekit.errors import QCError
from slidekit.slide.fate import Fate
from slidekit.slide.qc.scorers.base import Images
from slidekit.slide.qc.scorers.files import FileScorer
from slidekit.slide.qc.strided import StridedDL
from slidekit.units import Magnification

__all__ = ["DeepFocus"]

_TILE_PX = 64
_OUT_OF_FOCUS = 1

_WEIGHTS = (
    "slidekit ships no weights and downloads none. The published ones are the files ver5.index and"
    " ver5.data-00000-of-00001 of the model jamesdolezal/deepfocus at Hugging Face; put them into one folder and give"
    ' DeepFocus(ckpt="folder/ver5"). qc.Focus() works without.'
)


class DeepFocus(StridedDL):
    """Out of focus, by DeepFocus (Senaras et al., PLOS ONE 13(10), 2018, e0205387).

    Its network (`slidekit.slide.qc.networks.keras.build_deepfocus`) looks at patches of 64 px at 40x.

    Parameters
    ----------
    ckpt
        Weights: the prefix of a checkpoint of TensorFlow (``…/ver5``), or one of its files; a
        ``.weights.h5``, or a whole model (``.keras``, ``.h5``).
    buffer, pred_threshold
        As in `StridedDL`.
    tile_um
        As in `StridedDL`; the network was trained at 40x.
    **options
        `overlap`, `batch_size` and `name` of `StridedDL`.

    Raises
    ------
    QCError
        If there is no `ckpt`; the message says where weights are to be had.
    MissingExtraError
        If Keras is not installed.

    Notes
    -----
    Class 1 is "out of focus", as Slideflow uses it (``pred_idx=1``). Sources disagree on how images are centred:
    TFLearn, with which the weights were trained, subtracts from each sample its means over the rows
    (``add_samplewise_zero_center``); Slideflow's port subtracts one mean of all that is read at once. Here it is one
    mean of each patch, over all pixels and channels, so that a score does not depend on which patches are read with it;
    override `preprocess` for another.
    """

    name = "deepfocus"
    reason = Fate.OUT_OF_FOCUS

    def __init__(
        self,
        ckpt: str | Path | None = None,
        buffer: int = 16,
        tile_um: float | str | Magnification = "40x",
        pred_threshold: float = 0.5,
        **options: Any,
    ) -> None:
        if ckpt is None:
            raise QCError("DeepFocus needs the weights of its network.", mend=_WEIGHTS)
        # Whoever sees two files gives one of them.
        prefix = re.sub(r"\.(index|data-\d+-of-\d+)$", "", str(ckpt))
        scorer = FileScorer(prefix, "deepfocus")
        super().__init__(scorer, _OUT_OF_FOCUS, _TILE_PX, tile_um, buffer, pred_threshold, **options)
        self.ckpt = str(ckpt)

    def preprocess(self, images: npt.NDArray[np.uint8]) -> Images:
        """Patches as 0–1, less the mean of each."""
        values = images.astype(np.float32) / np.float32(255)
        centred: npt.NDArray[np.float32] = values - values.mean(axis=(1, 2, 3), keepdims=True)
        return centred

    def parameters(self) -> dict[str, Any]:
        """Everything that the mask depends on, as plain JSON values; of the weights their name and digest."""
        return {key: value for key, value in super().parameters().items() if key != "ckpt"}
