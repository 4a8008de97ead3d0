"""One run of Groovy for all tests of this folder: scenarios in, CSV files and logs out."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.ops import unary_union

STANDINS = Path(__file__).parent / "standins"

Scenario = dict[str, Any]


def _load_harness() -> ModuleType:
    spec = importlib.util.spec_from_file_location("qupath_harness", STANDINS / "harness.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


harness = _load_harness()


drawn, image = harness.drawn, harness.image

SQUARE = Polygon([(1000, 2000), (3000, 2000), (3000, 4000), (1000, 4000)])
HOLED = Polygon(
    [(5000, 5000), (9000, 5000), (9000, 9000), (5000, 9000)],
    [[(6000, 6000), (6000, 7000), (7000, 7000), (7000, 6000)], [(8000, 8000), (8000, 8500), (8500, 8000)]],
)
TWO_PARTS = MultiPolygon(
    [
        Polygon([(10_000, 0), (11_000, 0), (11_000, 1000)]),
        Polygon(
            [(12_000, 500), (15_000, 500), (15_000, 3500), (12_000, 3500)],
            [[(13_000, 1000), (13_000, 2000), (14_000, 2000)]],
        ),
    ]
)
QUARTER = Polygon([(100.25, 200.5), (300.75, 200.5), (300.75, 400.25)])
POINTS = [[5, 5], [6, 6]]

BASIC = [
    drawn("Polygon", SQUARE, "Tumor, high", 'left, the "first"'),
    drawn("Geometry", HOLED, "Stroma", "holed"),
    drawn("Geometry", TWO_PARTS, "Tumor: Positive"),
    drawn("Polygon", QUARTER, None, "  "),
    drawn(
        "Rectangle",
        Polygon([(0, 20_000), (500, 20_000), (500, 20_300), (0, 20_300)]),
        "Unclassified",
        "holed",
    ),
    drawn("Points", POINTS, "Tumor"),
    drawn("Line", POINTS, "Tumor"),
    drawn("Nothing", None, "Tumor"),
]


def _nested_annotations() -> list[dict[str, Any]]:
    outer = Polygon([(0, 0), (1000, 0), (1000, 1000), (0, 1000)], [[(600, 600), (900, 600), (900, 900), (600, 900)]])
    return [
        drawn("Geometry", outer, "Tumor", "outer"),
        drawn("Polygon", Polygon([(100, 100), (300, 100), (300, 300), (100, 300)]), "Tumor", "inner"),
        drawn("Polygon", Polygon([(700, 700), (800, 700), (800, 800), (700, 800)]), "Tumor", "island"),
        drawn("Polygon", Polygon([(400, 100), (500, 100), (500, 200), (400, 200)]), "Necrosis", "other"),
        drawn("Polygon", Polygon([(900, 200), (1500, 200), (1500, 400), (900, 400)]), "Tumor", "beside"),
    ]


def _random_annotations(seed: int) -> list[dict[str, Any]]:
    """Discs with holes on whole pixels, of two classes, in every relation that two areas can have."""
    rng = random.Random(seed)
    shapes = []
    for _ in range(rng.randint(2, 9)):
        disc = Point(rng.randint(0, 2000), rng.randint(0, 2000)).buffer(rng.randint(60, 1200), quad_segs=5)
        for _ in range(rng.randint(0, 3)):
            disc = disc.difference(
                Point(rng.randint(0, 2000), rng.randint(0, 2000)).buffer(rng.randint(40, 500), quad_segs=4)
            )
        whole = [
            Polygon(
                [(round(x), round(y)) for x, y in part.exterior.coords],
                [[(round(x), round(y)) for x, y in hole.coords] for hole in part.interiors],
            )
            for part in getattr(disc, "geoms", [disc])
            if part.area > 500
        ]
        merged = unary_union([part for part in whole if part.is_valid])
        if not merged.is_empty:
            shapes.append(drawn("Geometry", merged, rng.choice(["Tumor", "Stroma"])))
    return shapes


def random_images() -> list[dict[str, Any]]:
    return [image(f"random-{seed}.svs", _random_annotations(seed)) for seed in range(16)]


def _modern_images() -> list[dict[str, Any]]:
    turned = [drawn("Polygon", SQUARE, "Tumor", "turned")]
    return [
        image("CMU-1.svs", BASIC),
        image("胃生検.mrxs", [drawn("Polygon", SQUARE, "癌, 高分化", "腫瘍")], bounds=[271, 86_428]),
        image("b.ome.tif", [drawn("Polygon", QUARTER)], server="bioformats"),
        image("nothing.svs", None, broken=True, detections=None),
        image("cmu-1.SVS", [drawn("Polygon", QUARTER, "second")]),
        image("broken.svs", [drawn("Polygon", SQUARE)], broken=True),
        image("broken.tif", [drawn("Polygon", QUARTER)]),
        image('S12.345: "a"?.svs', [drawn("Polygon", SQUARE)]),
        image("points.svs", [drawn("Points", POINTS)]),
        image("nested.svs", _nested_annotations()),
        image("Case 7", [drawn("Polygon", SQUARE)], file="/slides/S12.345.svs"),
        *(
            image(
                f"rotated{turn}.mrxs",
                turned,
                bounds=[70, 900],
                wrapped=[{"type": "pyramid"}, {"type": "rotated", "rotation": f"ROTATE_{turn}"}],
            )
            for turn in ("NONE", "90", "180", "270")
        ),
        image("cropped.mrxs", turned, bounds=[70, 900], wrapped=[{"type": "cropped", "region": [10, 20]}]),
        image("affine.svs", turned, wrapped=[{"type": "affine", "matrix": [0.5, 0, 0, 0.5, -5, 10]}]),
        image("open.svs", [drawn("Polygon", SQUARE)], unsaved=[drawn("Polygon", QUARTER, "on the screen")]),
        *random_images(),
    ]


class Runs:
    """Folders and logs of all runs."""

    def __init__(self, root: Path) -> None:
        self.modern = root / "modern"
        self.alone = root / "slides"
        self.legacy = root / "legacy"
        self.logs: dict[str, str] = {}

    def rings(self, version: str, name: str) -> dict[str, tuple[str, list[tuple[float, float]]]]:
        """What was written for an image of a run."""
        result: dict[str, tuple[str, list[tuple[float, float]]]] = harness.read_rings(
            getattr(self, version) / "ROI" / f"{name}.csv"
        )
        return result


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    missing = harness.missing_tools()
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    root = tmp_path_factory.mktemp("qupath")
    done = Runs(root)
    images = _modern_images()
    old = [
        image("CMU-1.svs", BASIC),
        image("b.ome.tif", [drawn("Ellipse", SQUARE, "癌", "丸, 円")], server="bioformats"),
        image("CMU-1.tif", [drawn("Polygon", QUARTER)]),
        image("points.svs", [drawn("Points", POINTS)]),
        image("nested.svs", _nested_annotations()),
        *random_images(),
    ]
    scenarios: dict[str, Scenario] = {
        "modern": {"project": True, "folder": str(done.modern), "open": "open.svs", "images": images},
        "alone": {
            "project": False,
            "folder": "",
            "open": "alone.svs",
            "images": [image("alone.svs", BASIC[:1], file=str(done.alone / "alone.svs"))],
        },
        "again": {
            "project": True,
            "folder": str(done.modern),
            "open": None,
            "images": [image("CMU-1.svs", BASIC), image("points.svs", [drawn("Points", POINTS)])],
        },
        "nothing": {"project": False, "folder": "", "open": None, "images": []},
        "legacy": {"project": True, "folder": str(done.legacy), "open": None, "images": old},
    }
    for name, scenario in scenarios.items():
        (root / f"{name}.json").write_text(json.dumps(scenario), encoding="utf-8")
    stale = done.modern / "ROI" / "points.csv"
    stale.parent.mkdir(parents=True)
    stale.write_text("from an earlier run", encoding="utf-8")
    modern = ["modern", "again", "alone", "nothing"]
    listing = [harness.Job("modern", root / f"{name}.json") for name in modern]
    listing += [harness.Job("legacy", root / "nothing.json")]
    listing += [harness.Job("legacy", root / "legacy.json", entry["id"]) for entry in old]
    logs = harness.run_jobs(listing, root)
    names = [*modern, "legacy nothing", *(f"legacy {entry['id']}" for entry in old)]
    done.logs = dict(zip(names, logs, strict=True))
    return done


@pytest.fixture
def square() -> Polygon:
    return SQUARE


@pytest.fixture
def holed() -> Polygon:
    return HOLED


@pytest.fixture
def two_parts() -> MultiPolygon:
    return TWO_PARTS


@pytest.fixture
def quarter() -> Polygon:
    return QUARTER


@pytest.fixture(name="random_images")
def random_images_fixture() -> list[dict[str, Any]]:
    return random_images()


@pytest.fixture
def cover_of_drawn() -> Any:
    """What the annotations of one class cover together."""

    def cover(annotations: list[dict[str, Any]], label: str) -> Any:
        return unary_union(
            [
                Polygon(rings[0], rings[1:])
                for annotation in annotations
                if annotation["label"] == label
                for rings in annotation["parts"]
            ]
        )

    return cover


@pytest.fixture
def cover_of_rings() -> Any:
    """What the rings of a label cover by SEMANTICS: inside a ring a hole, inside a hole inside again."""

    def cover(rings: dict[str, tuple[str, list[tuple[float, float]]]], label: str) -> Any:
        fills = [Polygon(ring).buffer(0) for name, (of, ring) in rings.items() if of == label]
        # Rounding moves vertices by up to 0.01 px, so 'inside' is: all but a sliver of it.
        around = [
            [other for other in fills if other.area > fill.area and fill.difference(other).area < 1e-3 * fill.area]
            for fill in fills
        ]
        outlines = [index for index, others in enumerate(around) if len(others) % 2 == 0]
        holes = [
            (fill, min(others, key=lambda other: other.area))
            for fill, others in zip(fills, around, strict=True)
            if len(others) % 2 == 1
        ]
        return unary_union(
            [
                fills[index].difference(unary_union([hole for hole, parent in holes if parent is fills[index]]))
                for index in outlines
            ]
        )

    return cover
