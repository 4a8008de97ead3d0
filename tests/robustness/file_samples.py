"""Whole files of every kind that slidekit reads and a person, a program or a disk may damage."""

from __future__ import annotations

import csv
import io
import json
from functools import cache

import numpy as np

from slidekit.io.tfrecord import TileRecord, frame
from slidekit.slide.report_model import RecordFile, SlideReport
from slidekit.slide.spec import ExtractionSpec

SPEC = ExtractionSpec.create(tile_px=64, tile_um=64, qc="both")

REGIONS = [
    ("Tumour 1", "tumor", [(100.5, 100), (900, 120.25), (950, 700), (500, 880), (110, 800)]),
    ("Tumour 1 hole", "tumor", [(300, 300), (500, 310), (480.75, 520), (290, 500)]),
    ("island", "tumor", [(360, 360), (440, 370), (400, 450)]),
    ("Ärea 2", "stroma", [(1200, 200), (1800, 260), (1700, 900), (1250, 870)]),
    ("ROI_3", "", [(2000, 1500), (2400, 1500), (2400, 1900), (2000, 1900)]),
]
"""Name, label and vertices; by the rule of CSV the second is a hole and the third an island in it."""


def _csv_ours() -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["roi_name", "label", "x_base", "y_base"])
    writer.writerows([name, label, x, y] for name, label, ring in REGIONS for x, y in ring)
    return text.getvalue()


def _csv_slideflow() -> str:
    rows = [f"{number},{x},{y}" for number, (_, _, ring) in enumerate(REGIONS) for x, y in ring]
    return "\r\n".join(["ROI_name,X_base,Y_base", *rows]) + "\r\n"


def _closed(ring: list[tuple[float, float]]) -> list[list[float]]:
    return [[x, y] for x, y in (*ring, ring[0])]


def _feature(name: str, label: str, kind: str, coordinates: object) -> dict[str, object]:
    properties: dict[str, object] = {"objectType": "annotation", "name": name}
    if label:
        properties["classification"] = {"name": label, "color": [200, 0, 0]}
    return {
        "type": "Feature",
        "id": f"id-{name}",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": properties,
    }


def _geojson() -> str:
    outer, hole, island, other, plain = (_closed(ring) for _, _, ring in REGIONS)
    features = [
        _feature("Tumour 1", "tumor", "Polygon", [outer, hole]),
        _feature("Both", "stroma", "MultiPolygon", [[island], [other]]),
        _feature("ROI_3", "", "Polygon", [plain]),
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, indent=1, ensure_ascii=False)


def _shapes() -> str:
    shapes = [
        {"label": label, "points": [list(xy) for xy in ring], "shape_type": "polygon"} for _, label, ring in REGIONS
    ]
    return json.dumps({"shapes": shapes}, indent=1)


def _imagescope() -> str:
    layers = []
    for number, (label, rings) in enumerate((("tumor", REGIONS[:3]), ("stroma", REGIONS[3:4]), ("", REGIONS[4:]))):
        regions = [
            f'<Region Id="{number}{place}" Type="0" NegativeROA="0"><Vertices>\n'
            + "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>\n' for x, y in ring)
            + "</Vertices></Region>\n"
            for place, (_, _, ring) in enumerate(rings)
        ]
        layers.append(
            f'<Annotation Id="{number}" Name="{label}"><Regions>\n{"".join(regions)}</Regions></Annotation>\n'
        )
    return f'<?xml version="1.0"?>\n<Annotations MicronsPerPixel="0.25">\n{"".join(layers)}</Annotations>\n'


def _asap() -> str:
    annotations = [
        f'<Annotation Name="{name}" Type="Polygon" PartOfGroup="{label or "None"}" Color="#F4FA58"><Coordinates>\n'
        + "".join(f'<Coordinate Order="{n}" X="{x}" Y="{y}" />\n' for n, (x, y) in enumerate(ring))
        + "</Coordinates></Annotation>\n"
        for name, label, ring in REGIONS
        if name != "Tumour 1 hole"
    ]
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<ASAP_Annotations><Annotations>\n'
        + "".join(annotations)
        + '</Annotations><AnnotationGroups><Group Name="tumor" PartOfGroup="None"/></AnnotationGroups>'
        + "</ASAP_Annotations>\n"
    )


def _annotations() -> str:
    rows = [f"patient {number},slide-{number},{0.2 + number / 20:.3f},grade {number % 3}" for number in range(8)]
    return "\n".join(["patient,slide,mpp,grade", *rows]) + "\n"


def _settings() -> str:
    content = {
        "name": "Project Ä",
        "annotations": "./annotations.csv",
        "sources": ["one"],
        "tile_px": [299],
        "note": None,
    }
    return json.dumps({**content, "dataset_config": "./datasets.json", "models_dir": "./models"}, indent=2)


def _datasets() -> str:
    folders = {"slides": "./slides", "roi": "./roi", "tiles": "./tiles", "tfrecords": "./tfrecords"}
    return json.dumps({"one": folders, "two": {**folders, "label": "x"}}, indent=2)


def _report() -> str:
    report = SlideReport(
        slide="s",
        status="done",
        width=4000,
        height=3000,
        mpp_x=0.25,
        mpp_y=0.25,
        tile_px=64,
        candidates=5,
        counts={"kept": 3, "background": 2},
        labels={"tumor": 2},
        roi_problems=("s.csv, line 3: odd.",),
        blur_burden=0.01,
        records=RecordFile(name="s.tfrecords", records=3, size=600, sha256="00" * 32),
        job_hash="ab" * 32,
    )
    return report.model_dump_json(indent=1)


def _extraction() -> str:
    content = {"spec": SPEC.canonical(), "spec_hash": SPEC.digest(), "versions": {"slidekit": "0.1"}}
    return json.dumps(content, indent=1)


def _review() -> str:
    return (
        '\ufeffslide,flag,decision,comment\ns-1,mpp,exclude,"pen, and\nfold"\ns-2,,keep,\ns-3,blur; empty,,größer\n'
        "s-4,,drop,ok\n"
    )


PAYLOADS = [
    TileRecord("s", bytes([255, 216, number]) * (10 + number), number * 64, 32, number, 0, "Tumour 1", "tumor").encode()
    for number in range(5)
]


def _tfrecord() -> bytes:
    return b"".join(map(frame, PAYLOADS))


def _index() -> bytes:
    sizes = [len(payload) + 16 for payload in PAYLOADS]
    offsets = np.cumsum([0, *sizes[:-1]])
    file = io.BytesIO()
    np.savez(file, arr_0=np.column_stack([offsets, sizes]), locations=np.arange(10).reshape(5, 2))
    return file.getvalue()


@cache
def samples() -> dict[str, tuple[str, bytes]]:
    """Kind to the name and the content of a whole file of it."""
    texts = {
        "roi csv": ("s.csv", _csv_ours()),
        "slideflow csv": ("s.csv", _csv_slideflow()),
        "geojson": ("s.geojson", _geojson()),
        "shapes": ("s.json", _shapes()),
        "imagescope": ("s.xml", _imagescope()),
        "asap": ("s.xml", _asap()),
        "annotations": ("annotations.csv", _annotations()),
        "settings": ("settings.json", _settings()),
        "datasets": ("datasets.json", _datasets()),
        "report": ("s.json", _report()),
        "extraction": ("extraction.json", _extraction()),
        "manifest": (
            "manifest.json",
            '{\n "s.tfrecords": {\n  "total": 5\n },\n "t.tfrecords": {\n  "total": 7\n }\n}\n',
        ),
        "review": ("review.csv", _review()),
    }
    return {kind: (name, text.encode()) for kind, (name, text) in texts.items()} | {
        "tfrecord": ("s.tfrecords", _tfrecord()),
        "index": ("s.index.npz", _index()),
    }
