"""The command line: arguments in, library calls, progress and tables out."""

from __future__ import annotations

from slidekit.cli.app import app, main

__all__ = ["app", "main"]
