"""Several sizes of tile on the command line: every command takes what `extract` takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from slidekit.cli import app
from slidekit.errors import SpecError
from slidekit.io.slide_tiff import make_pyramid, write_tiff


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide of 0.5 µm/px, on which sizes of tile make grids that look different."""
    image = np.full((900, 1200, 3), (190, 105, 160), np.uint8)
    folder = tmp_path_factory.mktemp("slides")
    return write_tiff(folder / "a.tiff", make_pyramid(image, ()), mpp_x=0.5, mpp_y=0.5, compression="deflate")


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def preview(slide: Path, picture: Path, *sizes: str) -> bytes:
    words = [word for size in sizes for word in ("--tile-um", size)]
    result = run("preview", slide, "-o", picture, "--tile-px", 64, *words, "--width", 300)
    assert result.exit_code == 0, result.output
    return picture.read_bytes()


def test_a_preview_of_several_sizes_has_the_grid_of_the_first(slide: Path, tmp_path: Path) -> None:
    several = preview(slide, tmp_path / "several.png", "256", "64")

    assert several == preview(slide, tmp_path / "first.png", "256")
    assert several != preview(slide, tmp_path / "other.png", "64")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--tile-um", "128,512"], r"--tile-um 128 --tile-um 512"),
        (["--tile-um", "128", "--tile-um", "128"], "twice"),
        (["--tile-um", "128", "--tile-um", "big"], "'big' is not a tile size"),
        (["--tile-um", "128", "--tile-mpp", "2"], "say the same"),
        (["--tile-mpp", "0.5", "--tile-mpp", "0.5"], "twice"),
    ],
)
@pytest.mark.parametrize("command", ["extract", "preview"])
def test_what_is_no_size_is_named_before_anything_is_read(tmp_path: Path, command: str, words: list[str], what) -> None:
    place = ["nowhere"] if command == "extract" else [tmp_path / "no.svs", "-o", tmp_path / "a.png"]

    result = run(command, *place, "--tile-px", 128, *words)

    assert isinstance(result.exception, SpecError)
    assert what in str(result.exception)
