"""qupath_import_geojson.groovy run on stand-ins, with files that slidekit wrote."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely.affinity import affine_transform, translate
from shapely.geometry import Polygon, box
from shapely.ops import unary_union

from slidekit.slide.qc.mask import QCMask
from slidekit.slide.qc.saving.outlines import outlines_json

SIZE = (40_000, 30_000)
HOLED = box(8000, 3000, 24_000, 15_000).difference(box(12_000, 6000, 16_000, 9000))
TWO = unary_union([box(0, 0, 4000, 3000), box(36_000, 27_000, 40_000, 30_000)])


def masks() -> list[QCMask]:
    """A rectangle with a hole, and two corners; pixels of 100 × 100."""
    holed, corners = np.zeros((300, 400), np.bool_), np.zeros((300, 400), np.bool_)
    holed[30:150, 80:240] = True
    holed[60:90, 120:160] = False
    corners[:30, :40] = corners[270:, 360:] = True
    return [QCMask(holed, "pen", "pen"), QCMask(corners, "otsu", "background")]


class Imports:
    """Logs and annotations of all runs, by the name of the image."""

    def __init__(self) -> None:
        self.logs: dict[str, str] = {}
        self.annotations: dict[str, list[dict[str, Any]]] = {}

    def area(self, image: str, name: str) -> Any:
        """What the one annotation of that name covers."""
        (found,) = [one for one in self.annotations[image] if one["name"] == name]
        return unary_union([Polygon(rings[0], rings[1:]) for rings in found["parts"]])


@pytest.fixture(scope="module")
def imports(tmp_path_factory: pytest.TempPathFactory) -> Imports:
    harness = sys.modules["qupath_harness"]  # loaded by conftest.py
    missing = harness.missing_tools()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    root = tmp_path_factory.mktemp("import")
    slides, project = root / "slides", root / "project"
    (slides / "qc").mkdir(parents=True)
    (project / "qc").mkdir(parents=True)

    def write(folder: Path, name: str, bounds: tuple[float, float] = (0.0, 0.0)) -> None:
        text = outlines_json(masks(), SIZE, (0.25, 0.25), bounds)
        (folder / f"{name}.qc.geojson").write_text(text, encoding="utf-8")

    def image(name: str, annotations: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
        shown = harness.image(name, annotations or [], **{"file": str(slides / name), **more})
        return dict(shown)

    own = harness.drawn("Polygon", box(0, 0, 10, 10), "Tumor", "mine")
    edited = harness.drawn("Polygon", box(5, 5, 10, 10), "pen", "pen (slidekit)")
    stale = {**harness.drawn("Polygon", box(5, 5, 10, 10), "blur", "blur (slidekit)"), "locked": True}
    images = [
        image("plain.svs", [own]),
        image("mirax.mrxs", bounds=[700, 900]),
        image("uncropped.mrxs", server="bioformats"),
        image("turned.svs", wrapped=[{"type": "rotated", "rotation": "ROTATE_90"}]),
        image("edited.svs", [edited, stale]),
        image("in-project.svs", file=str(root / "far" / "in-project.svs")),
        image("renamed", file=str(slides / "plain.svs")),
        image("胃.svs"),
        image("without.svs"),
        image("damaged.svs", [stale]),
    ]
    for name in ("plain", "turned", "edited", "胃"):
        write(slides / "qc", name)
    write(slides, "mirax", (700, 900))
    write(slides / "qc", "uncropped", (700, 900))
    write(project / "qc", "in-project")
    (slides / "qc" / "damaged.qc.geojson").write_text('{"features": [{"geometry"', encoding="utf-8")
    scenario = root / "scenario.json"
    content = {"project": True, "folder": str(project), "open": None, "images": images}
    scenario.write_text(json.dumps(content), encoding="utf-8")
    jobs = [
        harness.Job("import", scenario, entry["name"], root / f"{number}.result.json", times=2)
        for number, entry in enumerate(images)
    ]
    jobs.append(harness.Job("import", scenario, "nobody"))
    done = Imports()
    logs = harness.run_jobs(jobs, root)
    done.logs = dict(zip([*(entry["name"] for entry in images), "nothing open"], logs, strict=True))
    for job, entry in zip(jobs, images, strict=False):
        done.annotations[entry["name"]] = json.loads(job.result.read_text(encoding="utf-8"))
    return done


def same(area: Any, expected: Any) -> bool:
    # QuPath keeps two decimals; corners of outlines are cut by at most half a pixel of the mask.
    return bool(area.symmetric_difference(expected).area < 0.002 * expected.area)


def test_masks_become_locked_annotations_with_classes(imports: Imports) -> None:
    mine, *added = imports.annotations["plain.svs"]
    assert mine["name"] == "mine"
    assert [(one["name"], one["label"], one["locked"]) for one in added] == [
        ("pen (slidekit)", "pen", True),
        ("otsu (slidekit)", "otsu", True),
    ]


def test_holes_and_parts_are_kept(imports: Imports) -> None:
    assert same(imports.area("plain.svs", "pen (slidekit)"), HOLED)
    assert same(imports.area("plain.svs", "otsu (slidekit)"), TWO)


def test_a_second_run_replaces(imports: Imports) -> None:
    first, second = imports.logs["plain.svs"].splitlines()
    assert first == "plain.svs: 2 mask(s) from plain.qc.geojson: pen (slidekit), otsu (slidekit)"
    assert second == f"{first}; 2 of an earlier run replaced"


def test_places_are_those_of_the_image_as_qupath_shows_it(imports: Imports) -> None:
    assert same(imports.area("mirax.mrxs", "pen (slidekit)"), translate(HOLED, -700, -900))
    assert same(imports.area("uncropped.mrxs", "pen (slidekit)"), HOLED)


def test_a_rotation_in_the_project_is_followed(imports: Imports) -> None:
    # A clockwise turn of a picture that is 30 000 high: (x, y) goes to (30 000 - y, x).
    expected = affine_transform(HOLED, [0, -1, 1, 0, 30_000, 0])
    assert same(imports.area("turned.svs", "pen (slidekit)"), expected)


def test_what_the_user_unlocked_stays_and_what_is_stale_goes(imports: Imports) -> None:
    names = [one["name"] for one in imports.annotations["edited.svs"]]
    assert names == ["pen (slidekit)", "otsu (slidekit)"]
    assert imports.area("edited.svs", "pen (slidekit)").area == 25
    assert "unlocked, so left as they are: pen (slidekit)" in imports.logs["edited.svs"]


@pytest.mark.parametrize("image", ["in-project.svs", "renamed", "胃.svs"])
def test_files_are_found_by_image_and_file_in_project_and_slides(imports: Imports, image: str) -> None:
    assert same(imports.area(image, "pen (slidekit)"), HOLED)


def test_what_cannot_be_done_is_said(imports: Imports) -> None:
    assert "without.svs: there is no without.qc.geojson. Save the masks with qc.Save" in imports.logs["without.svs"]
    assert imports.annotations["without.svs"] == []
    assert "damaged.svs: ERROR: nothing was changed" in imports.logs["damaged.svs"]
    assert [one["name"] for one in imports.annotations["damaged.svs"]] == ["blur (slidekit)"]
    assert imports.logs["nothing open"].startswith("ERROR: no image is open.")


def test_geometry_is_that_of_the_script_which_writes_regions() -> None:
    """The two scripts stand alone, as QuPath runs files; what they share is the same, letter for letter."""
    folder = Path(__file__).resolve().parents[2] / "qupath"
    writes, reads = (
        (folder / name).read_text(encoding="utf-8") for name in ("qupath_roi.groovy", "qupath_import_geojson.groovy")
    )
    for start, end in (("AffineTransform toSlidePixels(", "\nString offsetText("), ("String baseName(", "\n}\n")):
        begin = writes.index(start)
        assert writes[begin : writes.index(end, begin)].strip() in reads
