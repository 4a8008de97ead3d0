"""The page for pathologists: its links lead somewhere, and the log that it shows is the script's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "qupath"
README = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_links_lead_to_files() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]

    assert len(links) >= 5
    assert [link for link in links if not (FOLDER / link).is_file()] == []


def test_pictures_are_small() -> None:
    sizes = {file.name: file.stat().st_size for file in (FOLDER / "images").glob("*.png")}

    assert sizes
    assert [name for name, size in sizes.items() if size > 200_000] == []


@pytest.mark.parametrize(
    "words",
    [
        r"\d+ ROI\(s\) from \d+ annotation\(s\) -> [\w-]+\.csv; read by OpenSlide, offset \(\d+, \d+\)",
        r"Done: \d+ image\(s\) written with \d+ ROI\(s\); \d+ object\(s\) without an area skipped; "
        r"\d+ image\(s\) without annotations; \d+ image\(s\) failed\.",
        r"The files are in /",
    ],
)
def test_the_log_that_is_shown_is_the_script_s(runs: Any, words: str) -> None:
    assert re.search(words, runs.logs["modern"])
    assert re.search(words, README)
