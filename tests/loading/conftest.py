"""A small folder in Slideflow's layout, of tiles that tell which they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "io")]

from tile_folder import TileFolder, make_folder  # noqa: E402


@pytest.fixture(scope="session")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileFolder:
    return make_folder(tmp_path_factory.mktemp("records"))
