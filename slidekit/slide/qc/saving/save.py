"""`Save`: all masks that a slide has by then go into files."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from slidekit.errors import QCError
from slidekit.io.atomic import atomic_write, atomic_write_text
from slidekit.slide.identity import slide_identity
from slidekit.slide.image import SlideImage
from slidekit.slide.qc.base import QCMethod, SlideView
from slidekit.slide.qc.mask import QCMask
from slidekit.slide.qc.saving.outlines import outlines_json
from slidekit.slide.qc.saving.png import encode_mask
from slidekit.slide.qc.saving.record import MaskRecord, SlideMasks, beside, record_path

__all__ = ["Save", "save_masks"]

_LONGEST_NAME = 80


class Save(QCMethod):
    """Save all masks that a slide has by then; put it behind the methods whose masks it is to save.

    It masks nothing: an extraction with it makes the same tiles as one without, and slides that are finished are not
    run again for it.

    Parameters
    ----------
    dest
        Folder, which is made where there is none; by default ``qc`` beside the slide.

    See Also
    --------
    Load : gives the masks back.
    """

    name: ClassVar[str] = "save"
    reason: ClassVar[str] = "save"
    changes_tiles: ClassVar[bool] = False

    def __init__(self, dest: str | Path | None = None) -> None:
        self.dest = None if dest is None else str(Path(dest).expanduser())

    def __call__(self, wsi: SlideView) -> None:
        """Write the files.

        Raises
        ------
        QCError
            If the slide has no mask yet, or they cannot be written.
        """
        masks: Sequence[QCMask] = getattr(wsi, "qc_masks", ())
        if not masks:
            raise QCError(
                f"Slide {wsi.name} has no mask to be saved.", mend="Put qc.Save behind the methods, as the last one."
            )
        save_masks(wsi, masks, beside(wsi.path) if self.dest is None else Path(self.dest))


def save_masks(wsi: SlideView, masks: Sequence[QCMask], folder: Path) -> Path:
    """Write masks of a slide: PNGs, GeoJSON, and the record of them last.

    Parameters
    ----------
    wsi
        The slide.
    masks
        Its masks, in order.
    folder
        Where to; made where there is none. Files of these names are replaced, each in one step; several runs may
        write there at once.

    Returns
    -------
    Path
        The record, ``{slide}.qc.json``.

    Raises
    ------
    QCError
        If the files cannot be written.
    """
    bounds = wsi.reader.metadata.bounds_origin if isinstance(wsi, SlideImage) else (0.0, 0.0)
    path = record_path(folder, wsi.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        record = SlideMasks(
            slide=wsi.name,
            identity=slide_identity(wsi.path),
            dimensions=wsi.dimensions,
            masks=tuple(_write_mask(mask, wsi, folder) for mask in masks),
        )
        outlines = outlines_json(masks, wsi.dimensions, (wsi.mpp_x, wsi.mpp_y), bounds)
        atomic_write_text(folder / f"{wsi.name}.qc.geojson", outlines + "\n", private=True)
        # Last: a record stands for files that are all there.
        atomic_write_text(path, record.model_dump_json(indent=1) + "\n", private=True)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise QCError(
                f"Masks of slide {wsi.name} cannot be saved: names of files would be too long.",
                mend="Give the file of the slide a shorter name.",
                path=folder,
            ) from error
        raise QCError(
            f"Masks of slide {wsi.name} cannot be saved ({error}).",
            mend="Name a folder that can be written: qc.Save(folder).",
            path=folder,
        ) from error
    return path


def _write_mask(mask: QCMask, wsi: SlideView, folder: Path) -> MaskRecord:
    content = encode_mask(mask.mask)
    digest = hashlib.sha256(content).hexdigest()
    # With its hash in the name, a mask of another run does not take the place of one that a record speaks of.
    name = f"{wsi.name}.qc.{_safe(mask.name)}.{digest[:8]}.png"
    with atomic_write(folder / name, private=True) as file:
        file.write(content)
    rows, columns = mask.mask.shape
    width, height = wsi.dimensions
    return MaskRecord(
        name=mask.name,
        reason=str(mask.reason),
        filter_threshold=mask.filter_threshold,
        parameters=_plain(mask),
        mpp=mask.mpp((width * wsi.mpp_x, height * wsi.mpp_y)),
        size=(columns, rows),
        file=name,
        sha256=digest,
    )


def _safe(name: str) -> str:
    """A name as part of a file's, on any system; different ones may become equal, as hashes follow."""
    return quote(name, safe=" ()+,=@")[:_LONGEST_NAME].rstrip()


def _plain(mask: QCMask) -> dict[str, Any]:
    try:
        return dict(json.loads(json.dumps(dict(mask.parameters), allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise QCError(
            f"Parameters of mask {mask.name} are not plain values ({error}), so it cannot be saved.",
            mend="Give numbers, text, lists and dicts of them.",
        ) from error
