"""What is said about one slide."""

from __future__ import annotations

import pypdfium2

from slidekit.report.facts import facts_of


def test_given_coordinates_are_counted(report) -> None:
    assert ("given coordinates", "1,234") in facts_of(report(coordinates=1234))
    assert "given coordinates" not in dict(facts_of(report()))


def test_a_fact_that_is_too_long_for_its_column_is_printed_whole(make_pdf, report) -> None:
    # Arrange: how concentric tiles of three sizes are read.
    read = "; ".join(
        f"{um}um: reduced 3.906× from level {k}, JPEG decoded at 1/2" for k, um in enumerate((64, 128, 256))
    )

    # Act
    with pypdfium2.PdfDocument(make_pdf([report("one", resampling=read)])[0]) as pdf:
        text = " ".join(" ".join(page.get_textpage().get_text_range() for page in pdf).split())

    # Assert
    assert read in text
