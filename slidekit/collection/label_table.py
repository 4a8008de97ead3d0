"""Files of labels: parquet and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from slidekit.errors import DatasetError, MissingExtraError
from slidekit.io.user_file import check_regular

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LABEL_SUFFIXES", "read_label_table"]

LABEL_SUFFIXES = (".csv", ".parquet")


def read_label_table(path: str | Path) -> pd.DataFrame:
    """Read labels of slides or tiles.

    Parameters
    ----------
    path
        A parquet file, or a CSV file in UTF-8 whose first column is the index unless it has a column ``slide``.

    Raises
    ------
    DatasetError
        If the file cannot be read, or is of another kind.
    MissingExtraError
        If the package that reads parquet is not installed.
    """
    import pandas as pd

    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if suffix not in LABEL_SUFFIXES:
        raise DatasetError("is no table of labels.", mend=f"Give {' or '.join(LABEL_SUFFIXES)}.", path=path)
    check_regular(path, error=DatasetError)
    try:
        if suffix == ".parquet":
            return pd.read_parquet(path)
        # Names such as 007 and NA stay what they are; only an empty cell is no label.
        frame = pd.read_csv(
            path, encoding="utf-8-sig", dtype={"slide": str}, keep_default_na=False, na_values=["", "nan"]
        )
    except ImportError as error:
        raise MissingExtraError(
            "Parquet files are read by pyarrow, which is not installed.",
            mend="Install pyarrow, or give the labels as CSV or DataFrame.",
            path=path,
        ) from error
    except (OSError, ValueError) as error:
        # pandas' and pyarrow's own errors are ValueErrors.
        raise DatasetError(f"cannot be read: {error}.", mend="Save it again as CSV UTF-8.", path=path) from error
    return frame if "slide" in frame.columns else frame.set_index(frame.columns[0])
