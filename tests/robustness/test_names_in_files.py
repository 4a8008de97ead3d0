"""Names in files that lead somewhere else: nothing is read or written outside of slidekit's folders."""

from __future__ import annotations

import json
from contextlib import suppress

import numpy as np
import pytest

from slidekit.dataset import Dataset
from slidekit.errors import ROIError, SlidekitError
from slidekit.extraction.resume import read_reports
from slidekit.io.slide_tiff import write_tiff
from slidekit.project import create_project
from slidekit.slide.roi import find_roi_file
from tests.robustness.file_hostile import NAMES
from tests.robustness.file_samples import samples


@pytest.mark.parametrize("name", NAMES)
def test_no_name_of_a_slide_finds_regions_elsewhere(tmp_path, name):
    folder = tmp_path / "a" / "rois"
    folder.mkdir(parents=True)
    for place in (tmp_path / "out.csv", folder.parent / "b.csv", folder.parent / ".csv", tmp_path / "a.csv"):
        place.write_text("roi_name,x_base,y_base\n")

    with suppress(ROIError):
        assert find_roi_file(folder, name) is None


@pytest.mark.parametrize("name", NAMES)
def test_no_name_in_a_report_leads_out_of_its_folder(tmp_path, name):
    content = json.loads(samples()["report"][1])
    for number, change in enumerate(({"slide": name}, {"records": {**content["records"], "name": name}})):
        (tmp_path / f"s{number}.json").write_text(json.dumps({**content, **change}))

    for report in read_reports(tmp_path):
        names = [report.slide, *([report.records.name] if report.records else [])]
        assert all((tmp_path / found).parent == tmp_path for found in names)
        assert not {".", ".."} & set(names)


def test_names_of_regions_make_no_files(tmp_path):
    inside = tmp_path / "a" / "b"
    rois = inside / "rois"
    rois.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(60, 200, (512, 512, 3), dtype=np.uint8)
    slide = write_tiff(tmp_path / "s.tiff", [noise], mpp_x=0.5, mpp_y=0.5)
    names = ["../../out", str(tmp_path / "out"), "a/b", "..", "a\nb", "x" * 5000]
    rows = [
        f'"{name}","{name}",{x},{y}\n'
        for number, name in enumerate(names)
        for x, y in ((80 * number, 0), (80 * number + 79, 0), (80 * number + 79, 512), (80 * number, 512))
    ]
    (rois / "s.csv").write_text(f"roi_name,label,x_base,y_base\n{''.join(rows)}")
    dataset = Dataset(slides=[slide], rois=rois, tfrecords=inside / "t", tiles=inside / "l", tile_px=64, tile_um=32)

    (report,) = dataset.extract_tiles(save_tiles=True, grayspace_fraction=1.0, workers=1).values()

    assert (report.status, report.rois) == ("done", len(names))
    assert report.labels
    outside = [path for path in tmp_path.rglob("*") if not path.is_relative_to(inside) and path.is_file()]
    assert outside == [slide]


def test_a_source_or_slide_that_would_be_another_folder_is_refused(tmp_path):
    (tmp_path / "slides").mkdir()
    project = create_project(tmp_path / "p")
    for name in ("../x", "a/b", "..", "a\0b", "a\nb", "x" * 300, " "):
        with pytest.raises(SlidekitError) as caught:
            project.add_source(name, slides=tmp_path / "slides", tfrecords=tmp_path / "t")
        assert caught.value.mend

    (tmp_path / "slides" / "...svs").write_bytes(b"")
    with pytest.raises(SlidekitError, match=r"cannot be named '\.\.'"):
        Dataset(slides=[tmp_path / "slides" / "...svs"], tiles=tmp_path / "l", tile_px=64, tile_um=64).slides()
