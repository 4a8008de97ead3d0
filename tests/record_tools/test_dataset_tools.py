"""What `Dataset` offers: Slideflow's names, over files of two sources."""

from __future__ import annotations

import json
import logging
import struct
from pathlib import Path

import numpy as np
import pytest
from tool_records import LABEL, encoded, example, pixels, read_file

from slidekit.dataset import Dataset
from slidekit.errors import DatasetError, RecordError, SpecError
from slidekit.extraction.verify.folder import verify_folder
from slidekit.io.slide_tiff import write_svs
from slidekit.io.tfrecord import index_path, iter_records

PX, UM = 16, 8


@pytest.fixture
def study(tmp_path: Path, write, folder: Path) -> Path:
    """Slides a and b with TFRecords and annotations; a has regions."""
    (tmp_path / "slides").mkdir()
    for seed, name in enumerate("ab"):
        noise = np.random.default_rng(seed).integers(0, 256, (100, 100, 3), dtype=np.uint8)
        write_svs(tmp_path / "slides" / f"{name}.svs", [noise], mpp=0.5, tile_size=128)
        write(name, seed=10 * seed)
    (tmp_path / "rois").mkdir()
    (tmp_path / "rois" / "a.csv").write_text("roi_name,x_base,y_base\nr,0,0\nr,10,0\nr,10,100\nr,0,100\n")
    (tmp_path / "ann.csv").write_text("patient,slide,site\np1,a,x\np2,b,y\n")
    return tmp_path


def dataset(study: Path, **options: object) -> Dataset:
    given = {
        "slides": study / "slides",
        "rois": study / "rois",
        "tfrecords": study / "tfrecords",
        "tiles": study / "tiles",
        "annotations": study / "ann.csv",
        "tile_px": PX,
        "tile_um": UM,
    }
    return Dataset(**{**given, **options})


# --- finding ----------------------------------------------------------------------------------------------------


def test_files_are_found_by_slide_and_by_patient(study: Path, folder: Path) -> None:
    data = dataset(study)

    assert data.find_tfrecord(slide="b") == data.find_tfrecord(patient="p2") == folder / "b.tfrecords"
    assert data.find_tfrecord(slide="zz") is None
    # Slideflow gives a slide outside of the split.
    assert data.filter({"site": "x"}).find_tfrecord(slide="b") is None
    with pytest.raises(DatasetError, match="either"):
        data.find_tfrecord()


def test_a_patient_of_two_files(study: Path) -> None:
    (study / "ann.csv").write_text("patient,slide\np1,a\np1,b\n")

    with pytest.raises(DatasetError, match="has 2 TFRecord files"):
        dataset(study).find_tfrecord(patient="p1")


def test_folders(study: Path, folder: Path) -> None:
    data = dataset(study)
    other = folder.parent / "32px_8um"
    other.mkdir()
    (other / "b.tfrecords").touch()
    (other / "zz.tfrecords").touch()

    assert data.tfrecords_folders() == [folder]
    assert data.tfrecords_by_subfolder("32px_8um") == [other / "b.tfrecords"]
    assert data.filter({"site": "x"}).tfrecords_by_subfolder("32px_8um") == []
    with pytest.raises(DatasetError, match="no size of tile"):
        Dataset(tfrecords=folder.parent).tfrecords_folders()


def test_tiles_by_their_place(study: Path, write) -> None:
    data = dataset(study)

    name, image = data.read_tfrecord_by_location("a", (15, 7))
    _, raw = data.read_tfrecord_by_location("a", (15, 7), decode=False)

    assert data.get_tfrecord_locations("a").tolist() == [[5, 7], [15, 7], [25, 7]]
    assert name == "a"
    assert np.array_equal(image, pixels(1))
    assert raw == encoded(pixels(1))
    assert data.tfrecords_have_locations()
    write("b", [example("b", encoded(pixels(1)), None, None)])
    assert not data.tfrecords_have_locations()
    with pytest.raises(DatasetError, match="There are: a, b"):
        data.get_tfrecord_locations("zz")
    with pytest.raises(RecordError, match="no tile at"):
        data.read_tfrecord_by_location("a", (1, 1))


def test_index_and_manifest(study: Path, folder: Path) -> None:
    data = dataset(study)

    assert data.build_index(num_workers=0) == [index_path(path) for path in data.tfrecords()]
    assert data.build_index(force=False) == []
    assert data.filter({"site": "x"}).rebuild_index() == [index_path(folder / "a.tfrecords")]
    assert data.update_manifest() == {folder: {"a.tfrecords": 3, "b.tfrecords": 3}}
    assert json.loads((folder / "manifest.json").read_text()) == {f"{n}.tfrecords": {"total": 3} for n in "ab"}


# --- checks -----------------------------------------------------------------------------------------------------


def test_checks_of_what_is_right(study: Path) -> None:
    data = dataset(study)

    assert data.verify_annotations_slides().slides_without_rows == ()
    assert data.verify_slide_names()
    assert data.verify_img_format() == data.img_format == "png"
    assert data.check_duplicates(px=16) == []


def test_slides_and_annotations_that_do_not_belong_together(study: Path) -> None:
    (study / "ann.csv").write_text("patient,slide\np1,a\np3,c\n")
    unmatched = dataset(study).verify_annotations_slides()
    assert (unmatched.slides_without_rows, unmatched.rows_without_slides) == (("b",), ("c",))
    (study / "ann.csv").write_text("patient,slide\np3,c\n")

    with pytest.raises(DatasetError, match=r"name c; slides and TFRecords are named a, b"):
        dataset(study).verify_annotations_slides()


def test_names_and_formats_that_do_not_fit(study: Path, write, caplog) -> None:
    data = dataset(study)
    write("a", [example("A", encoded(pixels(1), "JPEG"), 1, 2)])

    with pytest.raises(DatasetError, match=r"1 TFRecord files are not named .* a\.tfrecords holds 'A'"):
        data.verify_slide_names()
    with caplog.at_level(logging.WARNING):
        assert not data.verify_slide_names(allow_errors=True)
    assert "holds 'A'" in caplog.text
    with pytest.raises(DatasetError, match=r"1 of 2 TFRecord files hold PNG, the others JPEG: b\.tfrecords"):
        data.verify_img_format()
    assert data.filter({"slide": "a"}).img_format == "jpeg"


def test_no_records_have_no_format(study: Path) -> None:
    assert dataset(study, tfrecords=study / "none").img_format is None


def test_duplicates_in_another_dataset(study: Path) -> None:
    (study / "more").mkdir()
    (study / "more" / "c.svs").write_bytes((study / "slides" / "b.svs").read_bytes())

    (pair,) = dataset(study).check_duplicates(Dataset(slides=study / "more"), px=16)

    assert (pair.first.name, pair.second.name, pair.mse, pair.same_file) == ("b.svs", "c.svs", 0, True)


def test_thumbnails(study: Path, caplog) -> None:
    (study / "slides" / "b.svs").write_bytes(b"no slide")

    with caplog.at_level(logging.WARNING):
        made = dataset(study).thumbnails(study / "thumbs", size=20, roi=True)

    assert made == {"a": study / "thumbs" / "a.png"}
    assert "no thumbnail of b" in caplog.text


def test_the_histogram(study: Path) -> None:
    data = dataset(study)

    assert [axis.get_title() for axis in data.manifest_histogram().axes] == ["2 slides"]
    assert [axis.get_title() for axis in data.manifest_histogram(by="site").axes] == [
        "site = x (1 slides)",
        "site = y (1 slides)",
    ]
    with pytest.raises(DatasetError, match="no column 'sex'"):
        data.manifest_histogram(by="sex")
    with pytest.raises(DatasetError, match="no TFRecords"):
        dataset(study, tfrecords=study / "none").manifest_histogram()


def test_xml_regions_become_csv(study: Path) -> None:
    (study / "rois" / "b.xml").write_text(
        '<Annotations><Annotation><Region Id="1"><Vertices><Vertex X="0" Y="0"/><Vertex X="9" Y="0"/>'
        '<Vertex X="9" Y="9"/></Vertices></Region></Annotation></Annotations>'
    )

    made = dataset(study).convert_xml_rois()

    assert made == [study / "rois" / "b.csv"]
    assert dataset(study).rois() == [study / "rois" / "a.csv", study / "rois" / "b.csv"]
    assert dataset(study).convert_xml_rois() == []


# --- making -----------------------------------------------------------------------------------------------------


def test_resized_records_are_those_of_a_dataset_of_that_size(study: Path) -> None:
    made = dataset(study).resize_tfrecords(8)

    assert made == [study / "tfrecords" / "8px_8um" / f"{name}.tfrecords" for name in "ab"]
    small = dataset(study, tile_px=8)
    assert small.num_tiles == 6
    assert {image.shape for image in small.iter_tiles()} == {(8, 8, 3)}
    assert verify_folder(study / "tfrecords" / "8px_8um").faults == ()
    with pytest.raises(RecordError, match="exists already"):
        dataset(study).resize_tfrecords(8)
    assert dataset(study).resize_tfrecords(8, study / "else", overwrite=True)[0].parent == study / "else" / "8px_8um"


def test_a_magnification_changes_with_the_size(study: Path, folder: Path) -> None:
    folder.rename(folder.with_name("16px_10x"))

    (made, _) = dataset(study, tile_um="10x").resize_tfrecords(8)

    assert made == dataset(study, tile_px=8, tile_um="5x").tfrecords()[0]
    assert made.parent.name == "8px_5x"


def test_a_folder_of_an_extraction_is_not_written_into(study: Path, folder: Path) -> None:
    folder.with_name("8px_8um").mkdir()
    (folder.with_name("8px_8um") / "extraction.json").write_text("{}")

    with pytest.raises(RecordError, match="folder of slidekit extract"):
        dataset(study).resize_tfrecords(8, overwrite=True)


def test_transformed_records(study: Path) -> None:
    made = dataset(study).transform_tfrecords(
        study / "new", normalizer="reinhard", normalizer_source="v1", function=lambda image: image[::-1], resize=8
    )

    from PIL import Image

    from slidekit.norm import autoselect

    turned = autoselect("reinhard", "v1").transform(pixels(0))[::-1]
    expected = np.asarray(Image.fromarray(turned).resize((8, 8), Image.Resampling.LANCZOS))
    assert made == [study / "new" / "8px_8um" / f"{name}.tfrecords" for name in "ab"]
    assert np.array_equal(read_file(made[0])[0].image, expected)
    assert dataset(study).transform_tfrecords(study / "hue", hue_shift=0.1)[1] == study / "hue" / LABEL / "b.tfrecords"


def test_records_split_by_regions(study: Path, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        counts = dataset(study).split_tfrecords_by_roi(study / "split")

    # The region reaches to x = 10, and the tiles' centres are at 5, 15 and 25.
    assert counts == {"a": (1, 2)}
    assert "1 slides have no regions and are left out: b" in caplog.text
    assert dataset(study, tfrecords=study / "split" / "outside").num_tiles == 2
    # The first tile reaches from (-2.5, -0.5) to (13.5, 15.5), for its centre is in the middle of pixel (5, 7): of its
    # 16 × 16 level-0 px, 10 × 15.5 are in the region.
    assert dataset(study).split_tfrecords_by_roi(study / "shares", 0.61) == {"a": (0, 3)}
    assert dataset(study).split_tfrecords_by_roi(study / "less", 0.60) == {"a": (1, 2)}
    with pytest.raises(SpecError):
        dataset(study).split_tfrecords_by_roi(study / "bad", 1.5)
    with pytest.raises(DatasetError, match="No slide"):
        dataset(study, filters={"slide": "b"}).split_tfrecords_by_roi(study / "none")


def test_merged_records(study: Path) -> None:
    dest = dataset(study).merge_tfrecords(study / "merged" / "all.tfrecords", seed=3)

    assert {record.slide for record in read_file(dest)} == {"a", "b"}
    only = dataset(study).merge_tfrecords(study / "merged" / "a.tfrecords", ["a"], shuffle=False)
    assert [payload for _, payload in iter_records(only)] == [p for _, p in iter_records(dataset(study).tfrecords()[0])]
    with pytest.raises(DatasetError, match="no TFRecords of slide 'zz'"):
        dataset(study).merge_tfrecords(study / "merged" / "x.tfrecords", ["zz"])


def test_loose_tiles_and_back(study: Path) -> None:
    files = dataset(study).extract_tiles_from_tfrecords()

    assert files["a"][0] == study / "tiles" / LABEL / "a" / "a-5-7.png"
    assert sum(map(len, files.values())) == len(list((study / "tiles").rglob("*.png"))) == 6
    packed = dataset(study).tfrecords_from_tiles(dest=study / "packed", shuffle=False)
    again = dataset(study, tfrecords=study / "packed")
    assert packed == again.tfrecords()
    assert again.get_tfrecord_locations("b").tolist() == [[5, 7], [15, 7], [25, 7]]
    assert verify_folder(study / "packed").faults == ()
    assert dataset(study, filters={"slide": "a"}).tfrecords_from_tiles(dest=study / "one") == [
        study / "one" / LABEL / "a.tfrecords"
    ]


def test_loose_tiles_alone_are_enough(study: Path) -> None:
    dataset(study).extract_tiles_from_tfrecords()
    alone = Dataset(tiles=study / "tiles", tfrecords=study / "new", tile_px=PX, tile_um=UM)

    made = alone.tfrecords_from_tiles(delete_tiles=True)

    assert [path.name for path in made] == ["a.tfrecords", "b.tfrecords"]
    assert not list((study / "tiles").rglob("*.png"))


def test_what_has_no_place_to_go_or_come_from(study: Path) -> None:
    with pytest.raises(DatasetError, match="no folder for loose tiles"):
        Dataset(tfrecords=study / "tfrecords", tile_px=PX, tile_um=UM).extract_tiles_from_tfrecords()
    with pytest.raises(DatasetError, match="no folders of loose tiles"):
        dataset(study).tfrecords_from_tiles()
    for work in ("resize_tfrecords", "transform_tfrecords", "split_tfrecords_by_roi", "merge_tfrecords"):
        with pytest.raises(DatasetError, match="no TFRecords"):
            getattr(dataset(study, tfrecords=study / "none"), work)(*([8] if work[:6] == "resize" else [study / "x"]))


def test_slideflows_bytes_are_read(study: Path, folder: Path) -> None:
    """A record as Slideflow writes it, its framing and its message by hand; Slideflow checks no CRC, we do."""
    import google_crc32c

    def varint(n: int) -> bytes:
        return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)

    def field(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2]) + varint(len(data)) + data

    def entry(name: bytes, kind: int, data: bytes) -> bytes:
        value = field(1, data)  # a list of bytes, or of packed whole numbers
        return field(1, field(1, name) + field(2, field(kind, value)))

    def crc(data: bytes) -> bytes:
        value = google_crc32c.value(data)
        return struct.pack("<I", ((value >> 15 | value << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF)

    image = encoded(pixels(7), "JPEG", quality=95)
    entries = entry(b"slide", 1, b"a") + entry(b"image_raw", 1, image)
    entries += entry(b"loc_x", 3, varint(1000)) + entry(b"loc_y", 3, varint(50))
    payload = field(1, entries)
    length = struct.pack("<Q", len(payload))
    (folder / "a.tfrecords").write_bytes(length + crc(length) + payload + crc(payload))
    data = dataset(study, filters={"slide": "a"})

    (made,) = data.transform_tfrecords(study / "new", resize=8)

    assert data.get_tfrecord_locations("a").tolist() == [[1000, 50]]
    assert data.img_format == "jpeg"
    assert read_file(made)[0].without_image() == {"slide": [b"a"], "loc_x": [1000], "loc_y": [50]}
