from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from slidekit.report.jpeg import read_jpeg
from slidekit.report.pdf_output import writing_to
from slidekit.report.pen import Pen


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    chance, paths = np.random.default_rng(0), [tmp_path / f"{number}.jpg" for number in range(3)]
    for path in paths:
        cv2.imwrite(str(path), chance.integers(0, 256, (40, 60, 3), dtype=np.uint8))
    return paths


def draw(file, pictures: list[Path], after_page) -> None:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(file, invariant=1, pageCompression=1)
    for path in pictures:
        Pen(canvas, {}, frozenset()).picture(read_jpeg(path), 10, 10, 60, 40)
        canvas.showPage()
        after_page(canvas)
    canvas.save()


def test_the_bytes_are_those_that_reportlab_makes_in_memory(pictures, tmp_path, monkeypatch) -> None:
    # Arrange
    from reportlab import rl_config
    from reportlab.pdfbase import pdfdoc

    expected = io.BytesIO()
    with monkeypatch.context() as patched:
        patched.setattr(rl_config, "useA85", 0)
        draw(expected, pictures, lambda canvas: None)
    before = pdfdoc.PDFFile, rl_config.useA85

    # Act
    with (tmp_path / "report.pdf").open("wb") as file, writing_to(file) as store:
        draw(file, pictures, store.take)

    # Assert
    assert (tmp_path / "report.pdf").read_bytes() == expected.getvalue()
    assert (pdfdoc.PDFFile, rl_config.useA85) == before


def test_no_picture_stays_in_memory(pictures, tmp_path) -> None:
    from reportlab.pdfbase.pdfdoc import PDFImageXObject

    seen = []

    def look(canvas) -> None:
        store.take(canvas)
        images = [thing for thing in canvas._doc.idToObject.values() if isinstance(thing, PDFImageXObject)]
        seen.append(len(images))
        assert not any("streamContent" in vars(image) for image in images)

    with (tmp_path / "report.pdf").open("wb") as file, writing_to(file) as store:
        draw(file, pictures, look)

    assert seen == [1, 2, 3]
