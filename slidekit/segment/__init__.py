"""Tissue segmentation: networks that are trained on regions of interest, and draw such regions on other slides.

Examples
--------
>>> from slidekit import segment
>>> config = segment.SegmentConfig(mpp=10, mode="binary")
>>> model = segment.train(config, dataset, dest="tissue_model")
>>> dataset.generate_rois("tissue_model")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slidekit.segment.exporting import export_thumbs_and_masks
    from slidekit.segment.rois import generate_rois
    from slidekit.segment.training import train
    from slidekit.slide.qc.segment import Segment
    from slidekit.slide.segmentation.config import SegmentConfig
    from slidekit.slide.segmentation.predict import load_model_and_config

__all__ = [
    "Segment",
    "SegmentConfig",
    "export_thumbs_and_masks",
    "generate_rois",
    "load_model_and_config",
    "train",
]

_HOMES = {
    "Segment": "slidekit.slide.qc.segment",
    "SegmentConfig": "slidekit.slide.segmentation.config",
    "export_thumbs_and_masks": "slidekit.segment.exporting",
    "generate_rois": "slidekit.segment.rois",
    "load_model_and_config": "slidekit.slide.segmentation.predict",
    "train": "slidekit.segment.training",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
