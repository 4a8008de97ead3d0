"""The sections of the page of benchmarks about stain normalisers."""

from __future__ import annotations

from typing import Any

__all__ = ["frameworks_section", "normalizers_section"]


def normalizers_section(normalizers: dict[str, Any]) -> str:
    """Slidekit's numpy beside the formulas as they are written."""
    rows = "\n".join(
        f"| `{name}` | {row['ms']:.2f} | {row['textbook_ms']:.2f} | {row['ratio']:.1f} | {row['apart']} |"
        for name, row in normalizers.items()
    )
    return f"""
## Stain normalisers

CPU ms for a tile of 256 px, fitting included, beside the same formulas as they are usually written in numpy, and the
greatest difference between the two, in grey levels, over all pixels of 40 tissue tiles.

| method | slidekit | as written | ratio | greatest difference |
|---|--:|--:|--:|--:|
{rows}
"""


def frameworks_section(measured: dict[str, Any]) -> str:
    """Every method in every framework, beside torchstain's."""
    frameworks = measured["frameworks"]
    lines = []
    for method, row in measured["rows"].items():
        cells = []
        for framework in frameworks:
            figures = row.get(framework)
            ratio = "" if figures is None or figures["ratio"] is None else f" ({figures['ratio']:.1f} ×)"
            cells.append("" if figures is None else f"{figures['per_second']:.0f}{ratio}")
        name, comma, what = method.partition(",")
        name = name if name.startswith("torchstain") else f"`{name}`"
        lines.append(f"| {name}{comma}{what} | {' | '.join(cells)} |")
    table = "\n".join(lines)
    return f"""
### In each framework, beside torchstain

Images a second, 256 px, one CPU thread; in brackets, how many times less CPU time than torchstain's normaliser of the
same name in the same framework. numpy: one image at a time. torch and TensorFlow: batches of 16 for slidekit, one image
for torchstain, which takes no batches; slidekit's TensorFlow runs in a graph, as in tf.data, torchstain's cannot.
torchstain's Macenko has no brightness step: its like is `macenko_fast`.

| method | {" | ".join(frameworks)} |
|---|{"--:|" * len(frameworks)}
{table}

With the stains of the slide held, `vahadane` takes {measured["vahadane_held"]:.0f} times less than when it learns
those of every tile.
"""
