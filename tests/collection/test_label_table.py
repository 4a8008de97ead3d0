"""Files of labels as people and programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from slidekit.collection.label_table import read_label_table
from slidekit.collection.label_values import encode_series
from slidekit.errors import DatasetError


def read(folder: Path, text: str) -> pd.DataFrame:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return read_label_table(path)


@pytest.mark.parametrize(
    "text",
    [
        "slide,label\na,1\nb,\nc,0\n",
        "\ufeffSlide, Label \na ,1\nb\nc,0\n",
        ",slide,label\n0,a,1\n1,b,\n2,c,0\n",
        "slide,label,\na,1,\nb,,\nc,0,\n",
        "\n\nslide,label\n\na,1,\nb,,\nc,0,\n",
    ],
)
def test_harmless_spellings(tmp_path: Path, text: str) -> None:
    frame = read(tmp_path, text)

    assert list(frame.columns) == ["slide", "label"]
    assert frame["slide"].str.strip().tolist() == ["a", "b", "c"]
    found = encode_series(frame["label"])
    assert (found.values.dtype, found.values.tolist(), found.known.tolist()) == (np.int64, [1, -1, 0], [1, 0, 1])


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("slide;label\na;1\n", 1, "semicolons"),
        ("slide\tlabel\na\t1\n", 1, "tabs"),
        ("slide\na\n", 1, "less than two columns"),
        ("", 0, "less than two columns"),
        ("slide,label\na,1,2\n", 2, "3 cells where the header has 2"),
        ("slide,label\na,1\nb,1,2\n", None, "line 3"),
        ("slide,label,label\na,1,2\n", 1, "two columns named 'label'"),
        ("slide,Slide,x, x\na,1,2,3\n", None, "two columns named 'x'"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, line: int | None, words: str) -> None:
    with pytest.raises(DatasetError, match=words) as error:
        read(tmp_path, text)
    assert (error.value.path, error.value.line) == (tmp_path / "labels.csv", line)
    assert error.value.mend


def test_whole_numbers_of_parquet_stay_whole(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pd.DataFrame({"slide": ["a", "b"], "label": pd.array([1, None], "Int64")}).to_parquet(tmp_path / "x.parquet")

    found = encode_series(read_label_table(tmp_path / "x.parquet")["label"])

    assert (found.values.dtype, found.values.tolist()) == (np.int64, [1, -1])


def test_classes_are_compared_without_space() -> None:
    found = encode_series(pd.Series(["x", " x", " ", "Jose\u0301", "Jos\u00e9"], dtype=object))

    assert (found.classes, found.values.tolist()) == (("Jos\u00e9", "x"), [1, 1, -1, 0, 0])
