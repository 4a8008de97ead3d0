"""Files that nobody makes by accident, kind by kind: bombs, depths, names that lead elsewhere, rings beyond sense."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator

import numpy as np

__all__ = ["NAMES", "Hostile", "hostile"]

Hostile = tuple[str, str, Callable[[], bytes], bool]
"""Kind, damage, content, and whether it takes seconds."""

NAMES = ("../../out", "/tmp/out", "a\0b", "a\nb", "a/b", "..", "x" * 5000, "\x1b[31mred", "a\\..\\b", "~nobody/x")
"""Names that lead out of a folder, or that no folder can hold."""

MILLION = 1_000_000


def hostile() -> Iterator[Hostile]:
    """All of them."""
    yield from _tables()
    yield from _geojson()
    yield from _xml()


def _ring(count: int, radius: float = 1000.0) -> list[tuple[float, float]]:
    angles = np.linspace(0, 2 * math.pi, count, endpoint=False)
    ring = 5000 + radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return [(float(x), float(y)) for x, y in ring]


def _scribble(count: int) -> list[tuple[float, float]]:
    points = np.random.default_rng(1).uniform(0, 10_000, (count, 2))
    return [(float(x), float(y)) for x, y in points]


def _rows(name: str, ring: list[tuple[float, float]], label: str = "") -> str:
    return "".join(f"{name},{label},{x},{y}\n" for x, y in ring)


def _box(size: float, at: float = 0.0) -> list[tuple[float, float]]:
    return [(at, at), (at + size, at), (at + size, at + size), (at, at + size)]


def _nest() -> bytes:
    rows = (_rows(f"r{n}", _box(40_000 - 2 * n, n)) for n in range(10_000))
    return f"roi_name,label,x_base,y_base\n{''.join(rows)}".encode()


def _tables() -> Iterator[Hostile]:
    head = "roi_name,label,x_base,y_base\n"
    square, far = _box(10), _box(10, 50)
    bow = [(0, 0), (10, 10), (10, 0), (0, 10)]
    for damage, text in {
        "no rows": head,
        "one point": head + "a,,1,1\n",
        "two points": head + _rows("a", square[:2]),
        "one point thrice": head + _rows("a", square[:1] * 3),
        "points in a line": head + _rows("a", [(1, 1), (2, 2), (3, 3)]),
        "a bow tie": head + _rows("a", bow),
        "no area at all": head + _rows("a", [(0, 0), (1e-200, 0), (0, 1e-200)]),
        "at the end of numbers": head + _rows("a", [(0, 0), (1e308, 0), (0, 1e308)]),
        "columns twice": head.replace("label", "x_base") + _rows("a", square),
        "columns swapped": "x_base,roi_name,label,y_base\n" + _rows("a", square),
        "a column is missing": head.replace(",y_base", "") + _rows("a", square),
        "an open quote": head + '"' + _rows("a", square),
        "names again": head + _rows("a", square, "t") + _rows("b", far, "t") + _rows("a", far, "s"),
        "the same outline twice": head + _rows("a", square) + _rows("b", square),
        "a cell of a million letters": head + "x" * MILLION + ",,1,1\n",
        "rows of a thousand cells": head + ("a" + "," * 1000 + "\n") * 50,
    }.items():
        yield "roi csv", damage, text.encode, False
    for name in NAMES:
        quoted = '"' + name.replace('"', '""') + '"'
        yield "roi csv", f"named {name[:12]!r}", (head + _rows(quoted, square)).encode, False
        row = f'p,{quoted},0.25,g\n"p2",s2,,\n'
        yield "annotations", f"a slide named {name[:12]!r}", f"patient,slide,mpp,grade\n{row}".encode, False
        yield "review", f"a slide named {name[:12]!r}", f"slide,decision\n{quoted},drop\n".encode, False
    for damage, text in {
        "only commas": ",,,\n" * 20,
        "an odd decision column": "slide,decision,decision\na,keep,drop\n",
        "no header": "a,keep\n",
    }.items():
        yield "review", damage, text.encode, False
        yield "annotations", damage, text.encode, False
    yield "roi csv", "ten thousand outlines inside each other", _nest, False
    yield (
        "roi csv",
        "one outline ten thousand times",
        lambda: (head + "".join(_rows(f"r{n}", square) for n in range(10_000))).encode(),
        False,
    )
    yield "roi csv", "a scribble of 20 000 points", lambda: (head + _rows("a", _scribble(20_000))).encode(), False
    yield "roi csv", "a ring of 10⁶ points", lambda: (head + _rows("a", _ring(MILLION))).encode(), True
    yield "roi csv", "a scribble of 10⁶ points", lambda: (head + _rows("a", _scribble(MILLION))).encode(), True


def _polygon(*rings: object, **properties: object) -> dict[str, object]:
    geometry = {"type": "Polygon", "coordinates": list(rings)}
    return {"type": "Feature", "geometry": geometry, "properties": {"objectType": "annotation", **properties}}


def _geojson() -> Iterator[Hostile]:
    ring = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
    inner = [[2, 2], [4, 2], [4, 4], [2, 2]]
    features: dict[str, object] = {
        "an empty ring": [_polygon([])],
        "no ring": [_polygon()],
        "two points": [_polygon(ring[:2])],
        "a bow tie": [_polygon([[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]])],
        "a hole outside": [_polygon(ring, [[50, 50], [60, 50], [60, 60], [50, 50]])],
        "a hole over the edge": [_polygon(ring, [[5, 5], [15, 5], [15, 8], [5, 5]])],
        "a hole twice": [_polygon(ring, inner, inner)],
        "texts for numbers": [_polygon([["0", "0"], ["10", "0"], ["10", "10"], ["0", "0"]])],
        "texts for points": [_polygon(["00", "90", "99", "00"])],
        "truths for numbers": [_polygon([[True, False], [10, 0], [10, 10], [0, 0]])],
        "wrong types": [_polygon(7), _polygon({"x": 1}), _polygon("abc"), 5, None, [[]], "x"],
        "types of types": [{"type": 5, "geometry": {"type": {"a": []}, "coordinates": [ring]}, "properties": 9}],
        "names of types": [_polygon(ring, name={"a": 1}, classification={"names": [[["x"]], 5, "t"]})],
        "features in features": {"features": {"features": [_polygon(ring)]}},
        "a null": [{"type": "Feature", "geometry": None, "properties": None}],
        "repeated names": [_polygon(ring, name="a"), _polygon(inner, name="a"), _polygon(ring, name="a_2")],
        "half a character": [_polygon(ring, name="\ud800x", classification={"name": "t\udfff"})],
        "shapes of nothing": {
            "shapes": [
                {"points": ring, "shape_type": ["x"]},
                {"points": [[1e308, 1], [-1e308, 9]], "shape_type": "circle"},
            ]
        },
    }
    for damage, content in features.items():
        yield "geojson", damage, json.dumps(content).encode, False
    for name in NAMES:
        yield (
            "geojson",
            f"named {name[:12]!r}",
            json.dumps([_polygon(ring, name=name, classification=name)]).encode,
            False,
        )
    one = json.dumps(_polygon(ring))
    for damage, text in {
        "a key twice": one.replace('"properties"', '"geometry": null, "properties"'),
        "NaN and Infinity": one.replace("[10, 10]", "[NaN, 1], [Infinity, 2], [-Infinity, 3]"),
        "ten thousand levels": "[" * 10_000 + "]" * 10_000,
        "coordinates of ten thousand levels": one.replace("[0, 0]", "[" * 10_000 + "]" * 10_000),
        "names of 500 levels": one.replace('"annotation"', "[" * 500 + "]" * 500),
        "collections of 300 levels": '{"type": "GeometryCollection", "geometries": [' * 300 + "]}" * 300,
        "a million levels": '{"a":' * MILLION,
        "a number of 5000 digits": one.replace("10,", "9" * 5000 + ","),
        "a number of 400 digits": one.replace("10,", "9" * 400 + ","),
        "1e400": one.replace("10,", "1e400,"),
    }.items():
        yield "geojson", damage, text.encode, False
    yield "geojson", "a ring of 10⁶ points", lambda: json.dumps([_polygon(_ring(MILLION))]).encode(), True
    yield "geojson", "10⁵ empty features", lambda: json.dumps([_polygon([])] * 100_000).encode(), True


def _xml() -> Iterator[Hostile]:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 20))
    many = f'a CDATA "{"a" * 9999}"'
    inside = {"imagescope": "Annotations", "asap": "ASAP_Annotations"}
    for kind, root in inside.items():
        for damage, text in {
            "a billion laughs": f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><{root}>&l19;</{root}>',
            "one long entity": f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]><{root}>{"&a;" * 50_000}</{root}>',
            "an entity from outside": f'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><{root}>&a;</{root}>',
            "an entity from the network": f'<!DOCTYPE x [<!ENTITY a SYSTEM "http://127.0.0.1:9/">]><{root}>&a;</{root}>',
            "a parameter entity": f'<!DOCTYPE x [<!ENTITY % a SYSTEM "file:///etc/passwd">%a;]><{root}/>',
            "a document type from outside": f'<!DOCTYPE x SYSTEM "file:///etc/passwd"><{root}/>',
            "attributes by default": f"<!DOCTYPE x [<!ATTLIST V {many}>]><{root}>{'<V/>' * 9999}</{root}>",
            "an unknown encoding": f'<?xml version="1.0" encoding="nonsense"?><{root}/>',
            "ten thousand levels": f"<{root}>" + "<a>" * 10_000 + "</a>" * 10_000 + f"</{root}>",
            "annotations inside each other": f"<{root}>"
            + "<Annotation>" * 20_000
            + "</Annotation>" * 20_000
            + f"</{root}>",
            "nothing in it": f"<{root}/>",
            "points inside each other": f"<{root}>{'<V>' * 500}{'</V>' * 500}</{root}>",
            "a point alone": "<V/>",
            "another root": "<kml/>",
            "two roots": f"<{root}/><{root}/>",
        }.items():
            yield kind, damage, text.encode, False
    points = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in _box(10))
    for damage, attributes in {
        "a negative region alone": 'NegativeROA="1"',
        "an unknown type": 'Type="99"',
        "an odd number": 'Id="../../x"',
    }.items():
        text = f"<Annotations><Annotation><Region {attributes}>{points}</Region></Annotation></Annotations>"
        yield "imagescope", damage, text.encode, False
    yield "imagescope", "a ring of 500 000 points", lambda: _long_xml("Annotations", "Region", "Vertex"), True
    yield "asap", "a ring of 500 000 points", lambda: _long_xml("ASAP_Annotations", "Coordinates", "Coordinate"), True


def _long_xml(root: str, holder: str, point: str) -> bytes:
    points = "".join(f'<{point} Order="{n}" X="{x}" Y="{y}"/>\n' for n, (x, y) in enumerate(_ring(MILLION // 2)))
    return f'<{root}><Annotation Name="a" Type="Polygon"><{holder}>{points}</{holder}></Annotation></{root}>'.encode()
