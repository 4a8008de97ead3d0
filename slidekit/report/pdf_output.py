"""reportlab, made to write a PDF to the disk as it is made: it would gather the file, and every picture, in memory."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

__all__ = ["PictureStore", "writing_to"]

# What is changed below is reportlab's for the whole process.
_REPORTLAB = threading.Lock()


@contextmanager
def writing_to(file: BinaryIO) -> Iterator[PictureStore]:
    """Have the canvas that is saved in the block write straight into a file, and pictures as they are.

    Parameters
    ----------
    file
        Open for writing, at its begin.

    Yields
    ------
    PictureStore
        Takes pictures off the canvas's hands.
    """
    from reportlab import rl_config
    from reportlab.pdfbase import pdfdoc

    gathering = pdfdoc.PDFFile

    class Writing(gathering):  # type: ignore[misc, valid-type]
        """Hands on what it is given; offsets are counted by the class above."""

        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            file.write(b"".join(self.strings))
            self.strings.clear()
            self.write = file.write

        def format(self, *_: Any) -> bytes:
            return b""  # it stands in the file

    with _REPORTLAB, tempfile.TemporaryFile() as kept:
        # Pictures as ASCII-85 text would be a quarter larger.
        before, rl_config.useA85 = rl_config.useA85, 0
        pdfdoc.PDFFile = Writing
        try:
            yield PictureStore(kept)
        finally:
            pdfdoc.PDFFile, rl_config.useA85 = gathering, before


class PictureStore:
    """Keeps the bytes of pictures in a temporary file until reportlab writes them.

    Parameters
    ----------
    file
        The temporary file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._seen = 0
        self._end = 0

    def take(self, canvas: Any) -> None:
        """Take over the pictures that were drawn since the last time."""
        from reportlab.pdfbase.pdfdoc import PDFImageXObject

        objects = list(canvas._doc.idToObject.values())
        new, self._seen = objects[self._seen :], len(objects)
        for image in new:
            if type(image) is PDFImageXObject and isinstance(image.streamContent, bytes):
                content = image.__dict__.pop("streamContent")
                image.__class__ = _stored_image()
                image.place = (self._file, self._end, len(content))
                self._file.seek(self._end)
                self._file.write(content)
                self._end += len(content)
        self._file.flush()


def _stored_image() -> Any:
    global _Stored
    if _Stored is None:
        from reportlab.pdfbase.pdfdoc import PDFImageXObject

        class Stored(PDFImageXObject):  # type: ignore[misc]
            """An image whose bytes are read when they are asked for."""

            place: tuple[BinaryIO, int, int]

            @property
            def streamContent(self) -> bytes:  # noqa: N802 - reportlab's name
                file, offset, size = self.place
                return os.pread(file.fileno(), size, offset)

        _Stored = Stored
    return _Stored


_Stored: Any = None
