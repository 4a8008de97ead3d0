"""`Load`: masks that were saved, given back as they were."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np

from slidekit.errors import QCError
from slidekit.io.url import RemotePath
from slidekit.pixels.discovery import slide_name
from slidekit.slide.identity import slide_identity
from slidekit.slide.qc.base import QCMethod, SlideView
from slidekit.slide.qc.mask import QCMask, check_share
from slidekit.slide.qc.saving.png import decode_mask
from slidekit.slide.qc.saving.record import MaskRecord, beside, read_record, record_path

__all__ = ["Load"]

_SAVE_AGAIN = "Save the masks again with qc.Save."


class Load(QCMethod):
    """Give back all masks that were saved of a slide, under their own names, reasons and thresholds.

    Parameters
    ----------
    source
        Folder that `Save` wrote into; by default ``qc`` beside the slide. Where there is no ``{slide}.qc.json``,
        Slideflow's ``{slide}_qc.npz`` serves, there or, by default, beside the slide: one mask, named ``slideflow``.
    filter_threshold
        A tile is dropped if more than this share of it is masked, instead of the threshold that each mask was saved
        with.

    Notes
    -----
    The file that is loaded is part of what a slide's tiles are known by: a slide is extracted again when its masks
    have changed.
    """

    name: ClassVar[str] = "load"
    reason: ClassVar[str] = "load"

    def __init__(self, source: str | Path | None = None, *, filter_threshold: float | None = None) -> None:
        if filter_threshold is not None:
            check_share(filter_threshold)
        self.source = None if source is None else str(Path(source).expanduser())
        self.filter_threshold = filter_threshold

    def __call__(self, wsi: SlideView) -> list[QCMask]:
        """Read the masks.

        Raises
        ------
        QCError
            If there are none of this slide, they are damaged, or they are of another slide.
        """
        file = self._file(wsi.path, wsi.name)
        if file is None:
            raise QCError(
                f"There are no saved masks of slide {wsi.name}.",
                mend="Save them with qc.Save, or name the folder: qc.Load(folder).",
                path=beside(wsi.path) if self.source is None else Path(self.source),
            )
        if file.suffix == ".npz":
            return [self._slideflow(file)]
        record = read_record(file)
        if record.identity != slide_identity(wsi.path):
            raise QCError(
                f"holds masks of another slide than {wsi.path} (of that name, or as it was before it changed).",
                mend=_SAVE_AGAIN,
                path=file,
            )
        return [self._mask(one, file.parent) for one in record.masks]

    def content(self, slide: Path) -> str:
        """SHA-256 of the file that is loaded for a slide; empty where there is none."""
        if self.source is None and isinstance(slide, RemotePath):
            return ""
        try:
            file = self._file(slide, slide_name(slide))
            return "" if file is None else hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError:
            # Why it cannot be read is said when it is to be loaded.
            return ""

    def _file(self, slide: Path, name: str) -> Path | None:
        folder = beside(slide) if self.source is None else Path(self.source)
        old = slide.parent if self.source is None else folder
        candidates = (record_path(folder, name), old / f"{name}_qc.npz")
        return next((path for path in candidates if _is_file(path)), None)

    def _mask(self, record: MaskRecord, folder: Path) -> QCMask:
        path = folder / record.file
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != record.sha256:
                raise ValueError("it is not the file that was saved")
            mask = decode_mask(content, record.size)
        except (OSError, ValueError) as error:
            raise QCError(f"Mask {record.name!r} cannot be read ({error}).", mend=_SAVE_AGAIN, path=path) from error
        threshold = record.filter_threshold if self.filter_threshold is None else self.filter_threshold
        return QCMask(mask, record.name, record.reason, threshold, record.parameters)

    def _slideflow(self, path: Path) -> QCMask:
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
                mask = np.asarray(arrays["mask"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise QCError(
                f"is not a mask that Slideflow saved ({error}).", mend="Save the masks again.", path=path
            ) from error
        if mask.dtype != np.bool_ or mask.ndim != 2:
            raise QCError(
                f"holds a mask of {mask.dtype}, shape {mask.shape}.",
                mend="It must be 2-D, of bool, True = discard.",
                path=path,
            )
        threshold = 0.6 if self.filter_threshold is None else self.filter_threshold
        return QCMask(mask, "slideflow", "slideflow", threshold, {"method": "Load", "file": path.name})


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # in a folder that may not be entered
