"""A dataset at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from slidekit.collection.selection import Selection

__all__ = ["summary_table"]


def summary_table(selection: Selection) -> Table:
    """Table counts, sources and filters of a selection, two columns.

    Parameters
    ----------
    selection
        A `Selection` or `Dataset`.
    """
    from rich.table import Table

    table = Table(title="Dataset", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    patients = selection.patients()
    has_size = selection.label is not None
    rows = [
        ("Tile size", selection.label or "not set"),
        ("Slides", f"{len(patients):,}"),
        ("Patients", f"{len(set(patients.values())):,}"),
        ("Slides with ROIs", f"{len(selection.rois()):,}"),
        ("TFRecords", f"{len(selection.tfrecords()):,}" if has_size else "–"),
        ("Tiles", _tiles(selection) if has_size else "–"),
        ("Columns", ", ".join(selection.annotations.columns)),
    ]
    rows += [(f"Filter: {column}", ", ".join(values)) for column, values in selection.filters.items()]
    if selection.filter_blank:
        rows.append(("Filter: not blank", ", ".join(selection.filter_blank)))
    if selection.min_tiles:
        rows.append(("Filter: tiles", f"at least {selection.min_tiles:,} in a slide"))
    if selection.num_excluded:
        rows.append(("Excluded in review", f"{selection.num_excluded:,}"))
    for source in selection.sources:
        places = [*source.slides, source.rois, source.tfrecords, source.tiles]
        rows.append((f"Source: {source.name}", "\n".join(str(place) for place in places[:20] if place is not None)))
    lost = selection.unmatched
    for word, names in (
        ("Slides without rows", lost.slides_without_rows),
        ("Rows without slides", lost.rows_without_slides),
        ("ROI files without slides", lost.rois_without_slides),
    ):
        if names:
            rows.append((word, f"{len(names):,}"))
    for name, value in rows:
        table.add_row(_plain(name), _plain(value))
    return table


def _tiles(selection: Selection) -> str:
    entries = selection.manifest().values()
    total, used = (sum(entry[key] for entry in entries) for key in ("total", "clipped"))
    clipped = "" if used == total else f" after clipping, of {total:,}"
    return f"{used:,}{clipped}{'' if selection.prob_weights is None else ', balanced'}"


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
