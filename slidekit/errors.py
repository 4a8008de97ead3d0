"""Every error that slidekit raises on purpose, as one tree.

Each message names the slide or file, the place in it, and what to do about it; the parts are kept as attributes so
that a report or a program can use them without parsing text.
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "AnnotationsError",
    "CellError",
    "ClusterError",
    "DatasetError",
    "MissingExtraError",
    "MissingMPPError",
    "MissingROIError",
    "NormalizerError",
    "ProjectError",
    "QCError",
    "ROIError",
    "RecordError",
    "ReportError",
    "SlideError",
    "SlideOpenError",
    "SlideReadError",
    "SlidekitError",
    "SpecError",
]


class SlidekitError(Exception):
    """Root of all errors that slidekit raises on purpose.

    Parameters
    ----------
    message
        What is wrong, naming the thing that is wrong.
    mend
        What the user can do about it; appended to the text of the error.
    path
        The file concerned, if there is one; put in front of the text of the error.
    line
        Line (from 1) in `path`, for text files.
    """

    def __init__(
        self,
        message: str,
        *,
        mend: str | None = None,
        path: str | Path | None = None,
        line: int | None = None,
    ) -> None:
        self.message = message
        self.mend = mend
        # A path stays what it is: one of a remote store is more than its text.
        self.path = path if path is None or isinstance(path, Path) else Path(path)
        self.line = line
        place = "" if path is None else f"{path}: " if line is None else f"{path}, line {line}: "
        super().__init__(f"{place}{message}" + (f" {mend}" if mend else ""))

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders: rebuild from keywords, which Exception's own pickling would lose.
        return (_rebuild, (type(self), self.message, self.mend, self.path, self.line))


def _rebuild(
    kind: type[SlidekitError], message: str, mend: str | None, path: Path | None, line: int | None
) -> SlidekitError:
    return kind(message, mend=mend, path=path, line=line)


class MissingExtraError(SlidekitError):
    """What was asked for needs a package that is not installed with slidekit itself."""


class SpecError(SlidekitError):
    """Parameters that make no sense, alone or together; raised before any work is done."""


class SlideError(SlidekitError):
    """A slide cannot be used."""


class SlideOpenError(SlideError):
    """A file is missing, not a slide, or not of a format that any reader opens."""


class MissingMPPError(SlideError):
    """A slide does not say its µm/px, or says one that cannot be true."""


class SlideReadError(SlideError):
    """Pixels of an open slide cannot be decoded."""


class ROIError(SlidekitError):
    """A file of regions of interest cannot be used."""


class MissingROIError(ROIError):
    """`roi_method` is ``inside`` or ``outside`` and the slide has no regions of interest."""


class QCError(SlidekitError):
    """A quality-control method is unknown or returned something that is not a mask."""


class NormalizerError(SlidekitError):
    """A stain normaliser is unknown or was given something that it cannot use."""


class RecordError(SlidekitError):
    """A TFRecord or its index is damaged."""


class ReportError(SlidekitError):
    """A report cannot be made from what was given."""


class AnnotationsError(SlidekitError):
    """The table of annotations is not usable."""


class DatasetError(SlidekitError):
    """A dataset is configured in a way that cannot work."""


class ProjectError(SlidekitError):
    """A project folder is missing, not a project, or damaged."""


class ClusterError(SlidekitError):
    """Other machines cannot be used for the work."""


class CellError(SlidekitError):
    """Cells cannot be found, or what was saved of them cannot be used."""
