"""The section of the page of benchmarks about `qc.Focus`."""

from __future__ import annotations

from typing import Any

__all__ = ["focus_section"]


def focus_section(measured: dict[str, Any]) -> str:
    """The mask beside the extraction, slide by slide."""
    rows = "\n".join(
        f"| {name} | {row['focus_ms']:.0f} | {row['extract_ms']:.0f} | {row['share']:.0%} |"
        for name, row in measured.items()
    )
    return f"""
### Blur by a network

From opening the slide to the mask of `qc.Focus`, beside the extraction of the same slide (256 px @ 128 µm, Otsu mask);
CPU ms, one thread.

| slide | `qc.Focus` | extraction | share |
|---|--:|--:|--:|
{rows}
"""
