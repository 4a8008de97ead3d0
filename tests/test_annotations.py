"""The table of annotations, and matching slides with patients."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.annotations import Annotations, associate_slide_names, manifest_of_slides
from slidekit.collection.names import settle_text
from slidekit.errors import AnnotationsError


def write(folder, text, encoding="utf-8"):
    path = folder / "ann.csv"
    path.write_bytes(text.encode(encoding))
    return path


class TestRead:
    def test_columns_are_text_and_empty_is_empty(self, tmp_path):
        path = write(tmp_path, "patient,slide,age,mpp\np1,s1,07,0.25\np2,s2,,\n")
        table = Annotations.read(path)
        assert table.patients == {"s1": "p1", "s2": "p2"}
        assert table.column("age") == {"s1": "07", "s2": ""}
        assert table.mpp == {"s1": 0.25}
        assert table.columns == ("patient", "slide", "age", "mpp")
        assert table.frame()["age"].tolist() == ["07", ""]

    @pytest.mark.parametrize(
        "text",
        [
            "\ufeffpatient,slide\np,s\n",
            " patient , slide\n p ,s  \n",
            "patient,slide\r\n\r\np,s\r\n,,\r\n",
            '"patient","slide"\n"p","s"',
            "\n\npatient,slide,\np,s,\n",
            "Patient,SLIDE\np,s\n",
            "slide,Slide,patient\ns,other,p\n",
        ],
    )
    def test_harmless_spellings(self, tmp_path, text):
        assert Annotations.read(write(tmp_path, text)).patients == {"s": "p"}

    @pytest.mark.parametrize(
        ("text", "line", "word"),
        [
            ("patient;slide\np;s\n", 1, "semicolons"),
            ("patient\tslide\np\ts\n", 1, "tabs"),
            ("slide\ns\n", 1, "single column"),
            ("patient,slide,slide\np,s,s\n", 1, "two columns named 'slide'"),
            ("patient,Slide,SLIDE\np,s,s\n", 1, "Rename one of Slide, SLIDE"),
            ("patient,age\np,3\n", 1, "associate_slide_names"),
            ("case,slide\np,s\n", 1, "There are: case, slide"),
            ("patient,slide\np,s\n\nq,s\n", 4, "line 2 already"),
            ('patient,slide,note\np,s,"two\nlines"\nq,s,\n', 4, "line 2 already"),
            ("patient,slide\np,s.svs\nq,s\n", 3, "line 2 already"),
            ("patient,slide\n,s\n", 2, "no patient"),
            ("patient,slide\np,s,1,2\n", 2, "4 cells"),
            ('patient,slide\np,"s\n', 2, "quotation mark"),
            ("patient,slide,mpp\np,s,0.25\nq,t,25\n", 3, "0.05 to 20"),
            ("patient,slide,mpp\np,s,nan\n", 2, "'nan'"),
            ("patient,slide,mpp\np,s,0.049\n", 2, "'0.049'"),
            ("patient,slide,mpp\np,s,x\n", 2, "leave the cell empty"),
            ("", None, "empty"),
        ],
    )
    def test_mistakes_are_named_with_line_and_mend(self, tmp_path, text, line, word):
        path = write(tmp_path, text)
        with pytest.raises(AnnotationsError) as error:
            Annotations.read(path)
        assert (error.value.path, error.value.line) == (path, line)
        assert error.value.mend
        assert word in str(error.value)

    def test_other_encodings_and_workbooks(self, tmp_path):
        with pytest.raises(AnnotationsError, match="line 2: is not UTF-8"):
            Annotations.read(write(tmp_path, "patient,slide\n患者,s\n", "cp932"))
        (tmp_path / "ann.csv").write_bytes(b"PK\x03\x04rest")
        with pytest.raises(AnnotationsError, match="workbook"):
            Annotations.read(tmp_path / "ann.csv")

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(AnnotationsError, match="cannot be read"):
            Annotations.read(tmp_path / "none.csv")

    def test_suffixes_are_accepted_and_said(self, tmp_path, caplog):
        path = write(tmp_path, "patient,slide\na,a.svs\nb,b.ome.tif\nc,c.v1\nd,d.ome\ne,\n")
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            table = Annotations.read(path)
        assert table.slides == ("a", "b", "c.v1", "d")
        assert "a.svs, b.ome.tif, d.ome" in caplog.text
        assert "line 6" in caplog.text

    def test_another_case_of_the_columns_is_said_once(self, tmp_path, caplog):
        path = write(tmp_path, "Patient,Slide,Grade\np,s,2\n")
        with caplog.at_level(logging.WARNING, logger="slidekit"):
            table = Annotations.read(path)
        assert table.columns == ("patient", "slide", "Grade")
        assert table.notes == (f"{path}: columns were read: 'Patient' as 'patient' and 'Slide' as 'slide'.",)
        assert [record.getMessage() for record in caplog.records] == list(table.notes)

    @pytest.mark.parametrize("edge", ["0.05", "20"])
    def test_the_range_of_mpp_includes_its_ends(self, tmp_path, edge):
        assert Annotations.read(write(tmp_path, f"patient,slide,mpp\np,s,{edge}\n")).mpp == {"s": float(edge)}


class TestDataFrames:
    def test_is_copied_and_never_changed(self):
        frame = pd.DataFrame({"patient": [1.0, 2.0], "slide": ["a", "b"], "grade": [3.0, None]})
        before = frame.copy()
        table = Annotations.read(frame)
        copy = table.frame()
        copy.loc[0, "slide"] = "changed"
        pd.testing.assert_frame_equal(frame, before)
        assert table.patients == {"a": "1", "b": "2"}
        assert table.column("grade") == {"a": "3", "b": ""}

    def test_slide_may_be_the_index(self):
        frame = pd.DataFrame({"patient": ["p"]}, index=pd.Index(["s"], name="slide"))
        assert Annotations.read(frame).patients == {"s": "p"}
        assert Annotations.read(frame.rename_axis(index="Slide")).patients == {"s": "p"}

    def test_rows_are_named_by_their_label(self):
        frame = pd.DataFrame({"patient": ["p", "q"], "slide": ["s", "s"]}, index=[5, 8])
        with pytest.raises(AnnotationsError, match="row 8: slide 's' stands in row 5 already"):
            Annotations.read(frame)

    def test_two_columns_of_one_name(self):
        with pytest.raises(AnnotationsError, match="two columns named 'slide'"):
            Annotations.read(pd.DataFrame([["p", "s", "s"]], columns=["patient", "slide", "slide"]))

    def test_other_things_are_refused(self):
        with pytest.raises(AnnotationsError, match="list"):
            Annotations.read([])


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="/"), min_size=1),
        min_size=1,
        unique_by=settle_text,
    ),
)
@settings(deadline=None, max_examples=60)
def test_a_data_frame_reads_like_its_csv(tmp_path_factory, names):
    # A suffix on every name keeps names that are suffixes themselves from being shortened.
    frame = pd.DataFrame({"patient": "p", "slide": [f"{name}_" for name in names]})
    path = tmp_path_factory.mktemp("csv") / "ann.csv"
    frame.to_csv(path, index=False)
    assert Annotations.read(path).slides == Annotations.read(frame).slides == tuple(map(settle_text, frame["slide"]))


def test_what_looks_alike_is_one_text():
    frame = pd.DataFrame({"patient": ["Jose\u0301", "Jos\u00e9"], "slide": ["a\u200b", "b"], "x": ["P\u00a01", "P 1"]})
    table = Annotations.read(frame)
    assert set(table.patients.values()) == {"Jos\u00e9"}
    assert table.column("x") == {"a": "P 1", "b": "P 1"}


def test_missing_numbers_of_numpy_are_blank():
    frame = pd.DataFrame({"patient": "p", "slide": ["a", "b"], "x": [np.float32(3), np.float32("nan")]})
    frame["y"] = pd.Series([np.float32("nan"), np.float32(0.1)], dtype=object)
    table = Annotations.read(frame)
    assert (table.column("x"), table.column("y")) == ({"a": "3", "b": ""}, {"a": "", "b": "0.1"})


def test_manifest_warns_that_each_slide_is_a_patient(caplog):
    with caplog.at_level(logging.WARNING, logger="slidekit"):
        table = manifest_of_slides(["b", "a", "b"])
    assert table.patients == {"a": "a", "b": "b"}
    assert "its own patient" in caplog.text


def test_a_manifest_of_nothing_counts_no_slides(caplog):
    with caplog.at_level(logging.WARNING, logger="slidekit"):
        assert len(manifest_of_slides([])) == 0
    assert caplog.text == ""


class TestAssociate:
    def test_exact_and_tcga_names(self):
        slides = ["p1", "TCGA-AA-0001-01Z-00-DX1.6F", "TCGA-AA-00012", "other"]
        found = associate_slide_names(["p1", "TCGA-AA-0001", "p9"], slides)
        assert found.matched == {"p1": "p1", "TCGA-AA-0001": "TCGA-AA-0001-01Z-00-DX1.6F"}
        assert found.patients_without_slides == ("p9",)
        assert found.slides_without_patients == ("TCGA-AA-00012", "other")

    def test_several_slides_of_a_patient_are_left_to_a_person(self):
        found = associate_slide_names(["TCGA-AA-0001"], ["TCGA-AA-0001-DX1", "TCGA-AA-0001-DX2"])
        assert found.matched == {}
        assert found.ambiguous == {"TCGA-AA-0001": ("TCGA-AA-0001-DX1", "TCGA-AA-0001-DX2")}
        assert "TCGA-AA-0001: several slides: TCGA-AA-0001-DX1, TCGA-AA-0001-DX2" in str(found)

    def test_beginnings_do_not_match(self):
        assert associate_slide_names(["p1"], ["p10", "p1_2"]).matched == {}
