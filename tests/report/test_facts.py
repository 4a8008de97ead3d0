"""What is said about one slide."""

from __future__ import annotations

from slidekit.report.facts import facts_of


def test_given_coordinates_are_counted(report) -> None:
    assert ("given coordinates", "1,234") in facts_of(report(coordinates=1234))
    assert "given coordinates" not in dict(facts_of(report()))
