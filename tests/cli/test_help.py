"""What `--help` looks like in a terminal of 80 columns."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.cli.options import flags_of
from slidekit.slide.spec import ExtractionSpec

COMMANDS = [
    *("create", "extract", "export", "convert", "sample", "bench-sampler"),
    *("verify", "report", "info", "preview", "qc", "demo"),
]


def help_of(*command: str) -> str:
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", result.output)


def options_of(text: str) -> dict[str, str]:
    """Long options, and what stands in the column after them."""
    rows = re.findall(r"^│ (?:\* )? *(--[\w-]+)(?:  -\w)?(?: {2,}([^│]*?))?(?: {2,}|│)", text, re.MULTILINE)
    return dict(rows)


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_options_have_uniform_metavars(command: list[str]) -> None:
    text = help_of(*command)
    options = options_of(text)

    assert "--help" in options
    assert not re.search(r"<(bool|float|str|int.*|list.*)>", text)
    assert not re.search(r"^│.* -.*<path>", text, re.MULTILINE)


def test_metavars_say_what_an_option_takes() -> None:
    assert options_of(help_of("info"))["--mpp"] == "X"
    assert options_of(help_of("info"))["--rois"] == "PATH"
    assert options_of(help_of("preview"))["--width"] == "N"
    assert options_of(help_of("preview"))["--output"] == "PATH"
    assert options_of(help_of("create"))["--slides"] == "PATH"
    assert options_of(help_of("extract"))["--tile-px"] == "N"
    assert options_of(help_of("extract"))["--buffer"] == "PATH"
    assert options_of(help_of("extract"))["--buffer-gb"] == "X"
    assert options_of(help_of("extract"))["--dry-run"].startswith("Do everything")


def test_names_of_options_are_whole() -> None:
    options = options_of(help_of("extract"))

    for name, field in ExtractionSpec.model_fields.items():
        if name == "more_um":
            continue  # said by --tile-um, which may be repeated
        for flag in flags_of(name, field):
            assert flag in options


def test_what_is_required_is_said() -> None:
    text = " ".join(help_of("extract").replace("│", " ").split())

    assert "Edge of a tile in pixels. Required." in text
    assert "Required, unless --tile-mpp is given." in text
