"""The section of the page of benchmarks about cells."""

from __future__ import annotations

from typing import Any

__all__ = ["cells_section"]


def cells_section(measured: dict[str, Any]) -> str:
    """Nuclei and pixels a second, and memory."""
    rows = "\n".join(
        f"| {workers} | {row['nuclei']:,.0f} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} "
        f"| {row['nuclei_per_second']:,.0f} | {row['mb']:.0f} |"
        for workers, row in measured["slide"].items()
    ).replace(",", " ")
    method = measured["method"]
    return f"""
### Cells

`segment_slide` by the classical method on a slide of 13 000 × 12 000 px that is tissue all over, from the file to
`.cells.zarr`, each run in a process of its own; memory is the whole process's.

| threads | nuclei | s | CPU s | nuclei/s | peak, MB |
|--:|--:|--:|--:|--:|--:|
{rows}

The method alone, on a window of 1024 px and its margin at 0.5 µm/px: {method["mpx_per_second"]:.1f} Mpx and
{method["nuclei_per_second"]:.0f} nuclei a CPU second.
"""
