from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from slidekit.extraction.buffer.companions import NotCopiedError, copy_files, slide_files


def always() -> bool:
    return True


def write(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def dicom(uid: str) -> bytes:
    """A DICOM file (explicit VR, little endian) that says no more than its series."""
    value = uid.encode() + b"\0" * (len(uid) % 2)
    return b"\0" * 128 + b"DICM" + struct.pack("<HH2sH", 0x0020, 0x000E, b"UI", len(value)) + value


def places(path: Path) -> list[str]:
    return [file.place.as_posix() for file in slide_files(path)]


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if not path.is_dir()}


def test_most_slides_are_one_file(tmp_path) -> None:
    write(tmp_path / "a.svs", b"abc")
    write(tmp_path / "a" / "notes.txt")
    write(tmp_path / "a.csv")

    (only,) = slide_files(tmp_path / "a.svs")

    assert (only.source, only.place, only.size) == (tmp_path / "a.svs", Path("a.svs"), 3)


# Real MIRAX, VMS and DICOM slides were not at hand: these have the files' names and lists, and no pixels.
def test_mirax_goes_with_its_folder(tmp_path) -> None:
    for name in ("a.mrxs", "a/Slidedat.ini", "a/Data0000.dat", "a/deep/er.dat", "b.mrxs", "b/Slidedat.ini"):
        write(tmp_path / name, name.encode())

    copy_files(slide_files(tmp_path / "a.mrxs"), tmp_path / "copy", going=always)

    copied = tree(tmp_path / "copy")
    assert sorted(copied) == ["a.mrxs", "a/Data0000.dat", "a/Slidedat.ini", "a/deep/er.dat"]
    assert all(data == name.encode() for name, data in copied.items())


def test_mirax_without_its_folder_is_copied_as_it_is(tmp_path) -> None:
    assert places(write(tmp_path / "a.mrxs")) == ["a.mrxs"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_mirax_folder_that_cannot_be_listed_is_not_left_out(tmp_path) -> None:
    write(tmp_path / "a.mrxs")
    write(tmp_path / "a" / "Slidedat.ini")
    (tmp_path / "a").chmod(0)
    try:
        with pytest.raises(PermissionError):
            slide_files(tmp_path / "a.mrxs")
    finally:
        (tmp_path / "a").chmod(0o700)


@pytest.mark.parametrize("suffix", ["vms", "VMS", "vmu"])
def test_files_that_a_vms_lists_go_with_it(tmp_path, suffix: str) -> None:
    listing = ("NoLayers=1", "ImageFile=a 1.jpg", "MapFile= grüß.jpg ", "MacroImage=gone.jpg")
    slide = write(tmp_path / f"a.{suffix}", "\n".join(("[Virtual Microscope Specimen]", *listing)).encode())
    for name in ("a 1.jpg", "grüß.jpg", "other.jpg", "1"):
        write(tmp_path / name)

    # A file called 1 is there as well, and copying it does no harm.
    assert places(slide) == [slide.name, "1", "a 1.jpg", "grüß.jpg"]


@pytest.mark.parametrize("value", ["../a.jpg", "/data/a.jpg", "deeper/a.jpg"])
def test_a_vms_with_files_elsewhere_is_not_copied(tmp_path, value: str) -> None:
    slide = write(tmp_path / "a.vms", f"[Virtual Microscope Specimen]\nImageFile={value}\n".encode())

    with pytest.raises(NotCopiedError, match="other folders"):
        slide_files(slide)


def test_a_dicom_series_goes_together(tmp_path) -> None:
    for name, uid in (("a.dcm", "1.2"), ("b.dcm", "1.2"), ("without suffix", "1.2"), ("c.dcm", "1.23")):
        write(tmp_path / name, dicom(uid))
    write(tmp_path / "notes.txt")
    os.mkfifo(tmp_path / "pipe")

    assert places(tmp_path / "a.dcm") == ["a.dcm", "b.dcm", "without suffix"]


def test_a_dicom_file_without_a_series_is_not_copied(tmp_path) -> None:
    with pytest.raises(NotCopiedError, match="series"):
        slide_files(write(tmp_path / "a.dcm", b"no header"))


def test_a_pipe_is_not_read(tmp_path) -> None:
    os.mkfifo(tmp_path / "a.svs")

    with pytest.raises(NotCopiedError, match="not a plain file"):
        slide_files(tmp_path / "a.svs")


@pytest.mark.parametrize("now", [b"another one", b"short", b"", b"old slide"])
def test_a_slide_that_changes_is_not_copied(tmp_path, now: bytes) -> None:
    # Arrange
    slide = write(tmp_path / "a.svs", b"old slide")
    os.utime(slide, ns=(0, 0))
    files = slide_files(slide)
    slide.write_bytes(now)

    # Act / Assert
    with pytest.raises(NotCopiedError, match="changed"):
        copy_files(files, tmp_path / "copy", going=always)
    assert list(tmp_path.iterdir()) == [slide]


def test_copying_ends_between_pieces_and_leaves_nothing(tmp_path) -> None:
    asked = []
    slide = write(tmp_path / "a.svs", bytes(9 << 20))

    def going() -> bool:
        copy = tmp_path / "copy.part" / "a.svs"
        asked.append(copy.stat().st_size if copy.exists() else None)
        return len(asked) < 3

    with pytest.raises(NotCopiedError, match="ended"):
        copy_files(slide_files(slide), tmp_path / "copy", going=going)

    assert asked == [None, 0, 4 << 20]
    assert list(tmp_path.iterdir()) == [slide]


def test_a_copy_that_is_late_does_not_bring_the_removed_folder_back(tmp_path) -> None:
    slide = write(tmp_path / "a.svs", b"pixels")
    with pytest.raises(FileNotFoundError):
        copy_files(slide_files(slide), tmp_path / "removed" / "copy", going=lambda: True)
    assert list(tmp_path.iterdir()) == [slide]
