"""Tables of coordinates: which columns are read, and what is said about mistakes."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from slidekit.errors import DatasetError, MissingExtraError
from slidekit.slide.coordinate_table import coordinates_of, read_coordinate_table
from slidekit.slide.spec import ExtractionSpec

SPEC = ExtractionSpec.create(tile_px=64, tile_um=32, coordinates="c.csv")


def table(path: Path, text: str, **options: str):
    path.write_text(text, encoding="utf-8")
    return read_coordinate_table(path, **options)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "c.csv"


def test_columns_in_any_case_and_order(file: Path) -> None:
    made = table(file, "Label,extra,Y,Slide,X\ntumor,?,2.5,a,1\n,?,4,b,3e1\n\nx,?,6,a,5\n")
    assert made.names == ("a", "b")
    assert made.codes.tolist() == [0, 1, 0]
    assert made.xy.tolist() == [[1, 2.5], [30, 4], [5, 6]]
    assert made.labels.tolist() == ["tumor", None, "x"]
    assert (made.unit, made.anchor, made.source) == ("px", "center", "c.csv")


@pytest.mark.parametrize(
    ("header", "unit", "taken", "means"),
    [
        ("x,y,x_um,y_um,loc_x,loc_y", "px", [1, 2], "px"),
        ("x,y,x_um,y_um,loc_x,loc_y", "um", [3, 4], "um"),
        ("a,b,x_um,y_um,loc_x,loc_y", "px", [3, 4], "um"),
        ("a,b,c,d,loc_x,loc_y", "px", [5, 6], "px"),
        ("a,b,c,d,loc_x,loc_y", "um", [5, 6], "px"),
        ("x,y,c,d,loc_x,loc_y", "um", [1, 2], "um"),
    ],
)
def test_which_pair_is_read(file: Path, header: str, unit: str, taken: list[int], means: str) -> None:
    made = table(file, f"{header}\n1,2,3,4,5,6\n", unit=unit, anchor="corner")
    # What is called loc is the centre, whatever is said of x and y.
    assert (made.xy.tolist(), made.unit, made.anchor) == ([taken], means, "center" if taken == [5, 6] else "corner")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slide,x,y\na,1,2\na,,2\n", "line 3: x is empty."),
        ("slide,x,y\na,1,two\n", "line 2: y 'two' is no place"),
        ("slide,x,y\na,nan,2\n", "line 2: x 'nan' is no place"),
        ("slide,x,y\na,1,inf\n", "line 2: y 'inf' is no place"),
        ('slide,x,y\na,"1,5",2\n', "line 2: x '1,5' is no place"),
        ("slide,x,y\na,1_000,2\n", "line 2: x '1_000' is no place"),
        ("slide,x,y\na,0x1F,2\n", "line 2: x '0x1F' is no place"),
        ("slide,x,y\na,١٢,2\n", "line 2: x '١٢' is no place"),
        ("slide,x,y\na,1e13,2\n", "line 2: x '1e13' is no place"),
        ("slide,x,y\n,1,2\n", "line 2: names no slide."),
        ("slide,x,y\n", "lists no coordinates."),
        ("slide,x,Y,y\na,1,2,3\n", "line 1: has the columns 'Y' and 'y'."),
        ("slide,x\na,1\n", "line 1: has no columns x and y."),
        ("Image,Centroid X µm,Centroid Y µm\na,1,2\n", "called x_um and y_um"),
        ("slide;x;y\na;1;2\n", "separated by semicolons"),
        ("", "is empty."),
        ('slide,x,y\na,"1,2\n', "not valid CSV"),
    ],
)
def test_mistakes_are_named_with_their_line(file: Path, text: str, said: str) -> None:
    with pytest.raises(DatasetError) as raised:
        table(file, text)
    assert said in str(raised.value)
    assert raised.value.path == file
    assert raised.value.mend


def test_a_data_frame_is_read_alike_and_left_alone(file: Path) -> None:
    # Arrange
    frame = pd.DataFrame({"slide": ["a", "b"], "X": ["1.5", 2], "y": [3, 4.25], "label": [np.nan, 7]})
    before = frame.copy()

    # Act
    made = read_coordinate_table(frame)

    # Assert
    assert made.xy.tolist() == [[1.5, 3], [2, 4.25]]
    assert made.labels.tolist() == [None, "7"]
    assert [made.names[code] for code in made.codes] == ["a", "b"]
    assert made.source == "a DataFrame"
    pd.testing.assert_frame_equal(frame, before)
    assert read_coordinate_table(frame.set_index("slide")).names == ("a", "b")


def test_the_index_of_a_data_frame_stands_in_for_columns(file: Path) -> None:
    frame = pd.DataFrame({"slide": ["a", "b"], "x": [1, 2], "y": [3, 4]})
    several = read_coordinate_table(frame.set_index(["y", "slide"]))
    assert (several.names, several.xy.tolist()) == (("a", "b"), [[1, 3], [2, 4]])
    # In both places it is the column that counts.
    both = read_coordinate_table(frame.set_index(pd.Index(["c", "d"], name="Slide")))
    assert (both.names, both.xy.tolist()) == (("a", "b"), [[1, 3], [2, 4]])
    with pytest.raises(DatasetError, match=r"The table of coordinates, row 8: x is empty\."):
        read_coordinate_table(frame.assign(x=[1, None]).set_index(pd.Index([7, 8])))


@pytest.mark.parametrize(
    "value", [True, 1 + 2j, "1_000", "1,5", "inf", pd.Timestamp("1970-01-01 00:00:01"), pd.Timedelta(5)]
)
def test_what_only_python_takes_for_numbers_is_refused(value: object) -> None:
    for column in ([value, value], [1, value], pd.Categorical([value, value])):
        with pytest.raises(DatasetError, match=r"row [01]: x .* is no place on a slide"):
            read_coordinate_table(pd.DataFrame({"x": column, "y": [1, 2]}))


def test_numbers_of_any_type_are_read() -> None:
    columns = [pd.array([1, 2], "Int64"), ["1", " 2.0"], [Decimal("1"), np.float32(2)], pd.Categorical([1, 2])]
    for column in columns:
        assert read_coordinate_table(pd.DataFrame({"x": column, "y": 0})).xy.tolist() == [[1, 0], [2, 0]]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ({"slide": ["a", "a"], "x": [1, None], "y": [2, 3]}, "row 1: x is empty."),
        ({"slide": ["a", "a"], "x": [1, "?"], "y": [2, 3]}, "row 1: x '?' is no place"),
        ({"slide": ["a", None], "x": [1, 1], "y": [2, 3]}, "row 1: names no slide."),
        ({"slide": ["a"], "x": [1]}, "has no columns x and y"),
    ],
)
def test_mistakes_of_a_data_frame_are_named_with_their_row(frame: dict, said: str) -> None:
    with pytest.raises(DatasetError) as raised:
        read_coordinate_table(pd.DataFrame(frame))
    assert said in str(raised.value)


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Arrange
    path = tmp_path / "c.parquet"
    pd.DataFrame({"other": [0, 0], "Y": [2.0, 4.0], "slide": ["b", "a"], "X": [1, 3]}).to_parquet(path)

    # Act
    made = read_coordinate_table(path)

    # Assert
    assert made.xy.tolist() == [[1, 2], [3, 4]]
    assert [made.names[code] for code in made.codes] == ["b", "a"]
    assert made.source == "c.parquet"
    for name, content in (("bad", b"no parquet"), ("empty", b""), ("cut", path.read_bytes()[:-200])):
        bad = tmp_path / f"{name}.parquet"
        bad.write_bytes(content)
        with pytest.raises(DatasetError, match=rf"{name}\.parquet: cannot be read: [^:]*[^.]\. Save it again"):
            read_coordinate_table(bad)
    with pytest.raises(DatasetError, match=r"away\.parquet: The file cannot be read: No such file"):
        read_coordinate_table(tmp_path / "away.parquet")
    pd.DataFrame({"slide": ["b"], "X": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(DatasetError, match=r"x\.parquet: has no columns x and y\..* There are: 'slide', 'X'"):
        read_coordinate_table(tmp_path / "x.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"slidekit\[export\]"):
        read_coordinate_table(path)


@pytest.mark.parametrize("source", [7, {"x": [1], "y": [2]}, pa.table({"x": [1], "y": [2]})])
def test_what_is_no_table_is_refused(source) -> None:
    with pytest.raises(DatasetError, match="cannot be"):
        read_coordinate_table(source)


def test_one_slide_takes_its_own_rows(file: Path) -> None:
    text = "slide,x,y\nfolder/a.ome.tif,1,2\nb,3,4\na.svs,5,6\na,7,8\nD:\\my slides\\a.SVS,9,9\n"
    file.write_text(text)
    made = coordinates_of(file, Path("/s/a.ome.tif"), SPEC)
    assert (made.xy.tolist(), made.rows.tolist(), made.total) == ([[1, 2], [5, 6], [7, 8], [9, 9]], [0, 2, 3, 4], 5)
    assert coordinates_of(file, Path("/s/a.svs.tif"), SPEC).xy.tolist() == [[5, 6]]
    with pytest.raises(DatasetError, match="no coordinates of the slide z"):
        coordinates_of(file, Path("z.svs"), SPEC)
    assert coordinates_of(pd.DataFrame({"x": [1], "y": [2]}), Path("z.svs"), SPEC).xy.tolist() == [[1, 2]]
