"""What the library says of its parameters, in the spelling of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from slidekit.errors import SlidekitError

__all__ = ["EXPORT_OPTIONS", "ROI_OPTIONS", "TRAIN_OPTIONS", "spell", "spelled"]

_SAME = ("mpp", "mode", "size", "epochs", "patience", "filters", "depth", "lr", "loss", "seed", "overwrite", "dest")

EXPORT_OPTIONS: Mapping[str, str] = {
    **{name: f"--{name}" for name in ("mpp", "mode", "overwrite", "dest")},
    "labels": "--label",
    "include_generated": "--include-generated",
}
"""Parameter of `export_thumbs_and_masks` to option of ``slidekit segment export``."""

TRAIN_OPTIONS: Mapping[str, str] = {
    **{name: f"--{name}" for name in _SAME},
    "labels": "--label",
    "train_batch_size": "--batch-size",
    "steps_per_epoch": "--steps",
    "val_fraction": "--val-fraction",
    "val_dataset": "--validate",
    "include_generated": "--include-generated",
}
"""Parameter of `SegmentConfig` or `train` to option of ``slidekit segment train``."""

ROI_OPTIONS: Mapping[str, str] = {
    "dest": "--dest",
    "min_area_mm2": "--min-area",
    "mpp": "--slide-mpp",
    "overwrite": "--overwrite",
    "threshold": "--threshold",
}
"""Parameter of `Dataset.generate_rois` to option of ``slidekit segment rois``."""

_HELP = ("See the documentation of SegmentConfig.", "See slidekit segment train --help.")

# Written for `slidekit extract`; --mpp is the network's here.
_SLIDE_MPP = ", or for all slides by mpp= (--mpp)"


def spell(text: str, options: Mapping[str, str]) -> str:
    """Put options in place of parameters: ``overwrite=True`` becomes ``--overwrite``, and ``mpp=10`` ``--mpp 10``.

    Parameters
    ----------
    text
        A message of the library.
    options
        Parameter to option; other parameters stay as they are.
    """

    def replace(found: re.Match[str]) -> str:
        option, value = options[found["name"]], found["value"]
        return option if value is None or value == "True" else f"{option} {value}"

    slide_mpp = ", or for all slides by --slide-mpp" if "--slide-mpp" in options.values() else ""
    text = text.replace(*_HELP).replace(_SLIDE_MPP, slide_mpp)
    names = "|".join(sorted(options, key=len, reverse=True))
    # The value of a parameter, if it has one, ends before a blank or a mark that ends a part of a sentence.
    return re.sub(rf"\b(?<!-)(?P<name>{names})=(?P<value>[^\s,;:]*[^\s,;:.])?", replace, text)


@contextmanager
def spelled(options: Mapping[str, str]) -> Iterator[None]:
    """Raise the library's errors in the spelling of the command line.

    Raises
    ------
    SlidekitError
        Of the same kind.
    """
    try:
        yield
    except SlidekitError as error:
        mend = None if error.mend is None else spell(error.mend, options)
        raise type(error)(spell(error.message, options), mend=mend, path=error.path, line=error.line) from error
