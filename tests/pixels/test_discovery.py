"""Which files are slides."""

from __future__ import annotations

import logging
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slidekit.errors import DatasetError
from slidekit.pixels.dicom_header import read_series_uid
from slidekit.pixels.discovery import SLIDE_SUFFIXES, check_unique_names, find_slides, slide_name

EXPLICIT, IMPLICIT, BIG, DEFLATED = (
    f"1.2.840.10008.1.2{end}" for end in (".1", "", ".2", ".1.99")
)  # transfer syntaxes
SERIES = (0x0020, 0x000E)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def found(folder: Path, **options: bool) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_slides(folder, **options)]


def element(tag, kind, value, *, syntax=EXPLICIT, length=None):
    order = ">" if syntax == BIG else "<"
    length = len(value) if length is None else length
    head = struct.pack(f"{order}HH", *tag)
    if syntax == IMPLICIT or tag[0] == 0xFFFE:
        return head + struct.pack(f"{order}I", length) + value
    if kind in {b"SQ", b"OB", b"UN"}:
        return head + kind + b"\0\0" + struct.pack(f"{order}I", length) + value
    return head + kind + struct.pack(f"{order}H", length) + value


def nested(syntax, *, undefined):
    """A sequence that holds a SeriesInstanceUID which is not the file's own."""
    inner = element(SERIES, b"UI", b"9.9.9\0", syntax=syntax)
    if not undefined:
        item = element((0xFFFE, 0xE000), b"", inner, syntax=syntax)
        return element((0x0008, 0x1115), b"SQ", item, syntax=syntax)
    item = element((0xFFFE, 0xE000), b"", inner, syntax=syntax, length=0xFFFFFFFF)
    item += element((0xFFFE, 0xE00D), b"", b"", syntax=syntax)
    end = element((0xFFFE, 0xE0DD), b"", b"", syntax=syntax)
    return element((0x0008, 0x1115), b"SQ", item + end, syntax=syntax, length=0xFFFFFFFF)


def dicom(uid: bytes | None, *, syntax=EXPLICIT, sequence=b"", after=b"") -> bytes:
    meta = element((0x0002, 0x0010), b"UI", syntax.encode() + b"\0" * (len(syntax) % 2))
    body = element((0x0008, 0x0060), b"CS", b"SM", syntax=syntax) + sequence
    if uid is not None:
        body += element(SERIES, b"UI", uid + b"\0" * (len(uid) % 2), syntax=syntax)
    return b"\0" * 128 + b"DICM" + meta + body + after


class TestNames:
    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("a/b.svs", "b"),
            ("b.ome.tiff", "b"),
            ("b.OME.TIF", "b"),
            ("b.v1.svs", "b.v1"),
            ("日本 語.ndpi", "日本 語"),
            (".ome.tif", ".ome"),
        ],
    )
    def test_is_the_stem_without_ome(self, path, name):
        assert slide_name(path) == name

    def test_two_of_one_name_are_an_error_that_names_both(self):
        with pytest.raises(DatasetError) as error:
            check_unique_names(["a/x.svs", "a/y.svs", "b/x.ome.tif"])
        assert "a/x.svs" in str(error.value)
        assert "b/x.ome.tif" in str(error.value)

    def test_different_names_are_fine(self):
        assert check_unique_names(["a/x.svs", "a/X.svs"]) is None


class TestFindSlides:
    def test_every_format_at_every_depth_sorted(self, tmp_path):
        names = [f"{'d/' * depth}s{depth}{suffix}" for depth, suffix in enumerate(SLIDE_SUFFIXES)]
        touch(tmp_path, *names, "upper.SVS", "notes.txt", "x.ome.tif", "x.tfrecords")
        assert found(tmp_path) == sorted([*names, "upper.SVS", "x.ome.tif"], key=lambda name: Path(name))

    def test_images_only_when_asked_for(self, tmp_path):
        touch(tmp_path, "a.png", "b.jpg", "c.JPEG", "d.svs")
        assert found(tmp_path) == ["d.svs"]
        assert found(tmp_path, images=True) == ["a.png", "b.jpg", "c.JPEG", "d.svs"]

    @pytest.mark.parametrize(
        "name",
        [
            "x_label.tif",
            "x-macro.tiff",
            "x_mask.tif",
            "x.mask.tiff",
            "label.tif",
            "X_MASK.ome.tif",
            "x_thumbnail.tif",
            ".x.svs",
            "._x.svs",
            "__MACOSX/x.svs",
            "@eaDir/x.svs",
            ".hidden/x.svs",
        ],
    )
    def test_what_is_not_a_slide(self, tmp_path, name):
        touch(tmp_path, name, "good.svs")
        assert found(tmp_path) == ["good.svs"]

    @pytest.mark.parametrize("name", ["unmasked.tif", "x_mask_study.tif", "x_mask.svs", "labelled.tif"])
    def test_names_that_only_look_like_it(self, tmp_path, name):
        touch(tmp_path, name)
        assert found(tmp_path) == [name]

    def test_mirax_companion_folders(self, tmp_path):
        touch(tmp_path, "a.mrxs", "a/Slidedat.ini", "a/preview.tif", "orphan/SLIDEDAT.INI", "orphan/b.tif", "c/d.svs")
        assert found(tmp_path) == ["a.mrxs", "c/d.svs"]

    def test_vms_companion_images(self, tmp_path):
        touch(tmp_path, "a.vms", "a.jpg", "a(1,0).jpg", "a_map2.jpg", "other.jpg", "ab.jpg")
        (tmp_path / "a.vms").write_text("[Virtual Microscope Specimen]\nMacroImage=other.jpg\n")
        assert found(tmp_path, images=True) == ["a.vms", "ab.jpg"]

    def test_says_how_many_were_passed_over(self, tmp_path, caplog):
        touch(tmp_path, "x_label.tif", "y_macro.tif", "._x.svs", "x.svs")
        with caplog.at_level(logging.INFO, logger="slidekit"):
            find_slides(tmp_path)
        assert "1 hidden files" in caplog.text
        assert "2 label, macro, thumbnail or mask images" in caplog.text

    def test_links_in_a_circle(self, tmp_path):
        touch(tmp_path, "a/x.svs")
        (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
        assert found(tmp_path) == ["a/x.svs"]

    def test_a_link_to_nowhere_stays_to_fail_by_name(self, tmp_path):
        (tmp_path / "x.svs").symlink_to(tmp_path / "gone.svs")
        assert found(tmp_path) == ["x.svs"]

    def test_a_pipe_is_not_opened(self, tmp_path):
        os.mkfifo(tmp_path / "x.svs")
        os.mkfifo(tmp_path / "x.dcm")
        assert found(tmp_path) == []

    def test_no_folder(self, tmp_path):
        with pytest.raises(DatasetError, match="is not a folder"):
            find_slides(tmp_path / "none")


class TestDicom:
    @pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG])
    @pytest.mark.parametrize("undefined", [True, False])
    def test_reads_the_series_past_sequences(self, tmp_path, syntax, undefined):
        path = tmp_path / "x.dcm"
        path.write_bytes(dicom(b"1.2.34", syntax=syntax, sequence=nested(syntax, undefined=undefined)))
        assert read_series_uid(path) == "1.2.34"

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"not dicom" * 100,
            dicom(b"1.2", syntax=DEFLATED),
            dicom(None),
            dicom(None, after=element((0x0020, 0x0010), b"SH", b"1 ")),
            dicom(b"1.2.3.4")[:-3],
            dicom(None, after=element((0x0009, 0x0001), b"UN", b"", length=0xFFFFFFFF)),
        ],
    )
    def test_unreadable_headers_have_no_series(self, tmp_path, data):
        path = tmp_path / "x.dcm"
        path.write_bytes(data)
        assert read_series_uid(path) is None

    def test_a_missing_file_has_no_series(self, tmp_path):
        assert read_series_uid(tmp_path / "x.dcm") is None

    @given(data=st.binary(max_size=400))
    @settings(deadline=None, max_examples=100)
    def test_any_bytes_end_without_an_exception(self, tmp_path_factory, data):
        path = tmp_path_factory.mktemp("dicom") / "x.dcm"
        path.write_bytes(dicom(None) + data)
        uid = read_series_uid(path)
        assert uid is None or isinstance(uid, str)

    def test_a_series_is_one_slide_and_unreadable_files_stay(self, tmp_path):
        for name, uid in (("a.dcm", b"1.1"), ("b.dcm", b"1.1"), ("c.dcm", b"1.2"), ("sub/d.dcm", b"1.2")):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(dicom(uid))
        touch(tmp_path, "e.dcm", "f.dcm")
        assert found(tmp_path) == ["a.dcm", "c.dcm", "e.dcm", "f.dcm"]


@pytest.mark.realdata
def test_real_folder():
    data = os.environ.get("SLIDEKIT_TEST_DATA")
    if not data:
        pytest.skip("SLIDEKIT_TEST_DATA is not set")
    names = {slide_name(path) for path in find_slides(Path(data) / "slides")}
    assert {"gastric-HE-40x", "CMU-1-Small-Region", "OS-1-detail", "fluorescence-DAPI"} <= names
