"""slidekit turns gigapixel pathology slides into machine-learning datasets.

The names below are imported when they are first used, so that ``import slidekit`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slidekit import errors, norm, segment
    from slidekit.dataset import Dataset
    from slidekit.io.record_file import TFRecord
    from slidekit.model_params import ModelParams
    from slidekit.project import Project, create_project, load_project
    from slidekit.slide import qc
    from slidekit.slide.report_model import SlideReport
    from slidekit.slide.spec import ExtractionSpec
    from slidekit.slide.wsi import WSI

__all__ = [
    "WSI",
    "Dataset",
    "ExtractionSpec",
    "ModelParams",
    "Project",
    "SlideReport",
    "TFRecord",
    "__version__",
    "create_project",
    "errors",
    "load_project",
    "norm",
    "qc",
    "segment",
]

__version__ = "0.1.0"

_HOMES = {
    "WSI": "slidekit.slide.wsi",
    "Dataset": "slidekit.dataset",
    "ExtractionSpec": "slidekit.slide.spec",
    "ModelParams": "slidekit.model_params",
    "Project": "slidekit.project",
    "SlideReport": "slidekit.slide.report_model",
    "TFRecord": "slidekit.io.record_file",
    "create_project": "slidekit.project",
    "load_project": "slidekit.project",
}
_MODULES = {
    "errors": "slidekit.errors",
    "norm": "slidekit.norm",
    "qc": "slidekit.slide.qc",
    "segment": "slidekit.segment",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name])
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
