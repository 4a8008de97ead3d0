"""Labels of tiles by the regions of interest that they lay in when they were extracted: strong supervision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from slidekit.errors import DatasetError, RecordError
from slidekit.io.example import decode_example
from slidekit.io.record_index import index_path, read_index
from slidekit.io.tfrecord import iter_records
from slidekit.slide.fate import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["roi_labels"]

_COLUMNS = ("slide", "loc_x", "loc_y", "label")
_KINDS: dict[str, Any] = {"loc_x": "int64", "loc_y": "int64", "label": str, "reason": str}


def roi_labels(records: Mapping[str, Path]) -> pd.DataFrame:
    """Labels of the tiles that are in TFRecords.

    A slide's labels stand in ``{slide}.tiles.csv`` beside its TFRecord; where there is none, in the records, all
    of which are read then.

    Parameters
    ----------
    records
        Slide to TFRecord file.

    Returns
    -------
    DataFrame
        Index ``{slide}-{loc_x}-{loc_y}``, columns slide, loc_x, loc_y and label; tiles without a label are not in
        it.

    Raises
    ------
    DatasetError
        If a table of tiles cannot be read.
    RecordError
        If a TFRecord is damaged.
    """
    import pandas as pd

    frames = []
    for slide, path in records.items():
        table = path.with_name(f"{slide}.tiles.csv")
        frame = _of_table(table, path) if table.is_file() else _of_records(path)
        frames.append(frame.assign(slide=slide))
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return pd.DataFrame({name: pd.Series(dtype=object if name in ("slide", "label") else int) for name in _COLUMNS})
    labels = pd.concat(filled, ignore_index=True)[list(_COLUMNS)]
    index = labels["slide"] + "-" + labels["loc_x"].astype(str) + "-" + labels["loc_y"].astype(str)
    return labels.set_index(index.rename(None))


def _of_table(table: Path, records: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        frame = pd.read_csv(
            table,
            usecols=list(_KINDS),
            dtype=_KINDS,
            keep_default_na=False,
            encoding="utf-8",
        )
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"is not a table of tiles: {error}.", mend="Remove it to read labels from the records.", path=table
        ) from error
    kept = frame[(frame["reason"] == str(Fate.KEPT)) & (frame["label"] != "")]
    kept = kept[["loc_x", "loc_y", "label"]]
    places = _places(records)
    if places is None:
        return kept
    # The table may be of another extraction than the records.
    return kept.merge(places, on=["loc_x", "loc_y"])


def _places(records: Path) -> pd.DataFrame | None:
    """Centres of the tiles in a TFRecord, by its index; None if that does not say."""
    import pandas as pd

    try:
        index = read_index(index_path(records))
    except RecordError:
        return None
    return None if index.locations is None else pd.DataFrame(index.locations, columns=["loc_x", "loc_y"])


def _of_records(path: Path) -> pd.DataFrame:
    import pandas as pd

    rows: list[tuple[Any, Any, str]] = []
    for _, payload in iter_records(path):
        features = decode_example(payload, path=path)
        label = features.get("label")
        if isinstance(label, bytes) and label:
            rows.append((features.get("loc_x", 0), features.get("loc_y", 0), label.decode("utf-8", "replace")))
    frame = pd.DataFrame(rows, columns=["loc_x", "loc_y", "label"])
    return frame.astype({"loc_x": "int64", "loc_y": "int64"})
