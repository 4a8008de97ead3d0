"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real slides, tiles and annotations; tests that ask for it skip where there is none."""
    folder = os.environ.get("SLIDEKIT_TEST_DATA")
    if not folder:
        pytest.skip("SLIDEKIT_TEST_DATA is not set: no real data")
    return Path(folder)
