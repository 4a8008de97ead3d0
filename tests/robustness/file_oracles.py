"""What a damaged file says when others read the same bytes: shapely, pandas, NumPy, and plain `json` and `xml`."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import shapely
from shapely import Polygon
from shapely.geometry import shape

from slidekit.slide.roi import ROISet

__all__ = ["assert_same_regions", "json_of", "table_of"]

Outline = tuple[str, Polygon]
"""Label (empty for none) and polygon."""


def json_of(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(_text_of(path))


def table_of(path: Path, separator: str = ",") -> pd.DataFrame:
    """A table of text, white space around cells removed, with the columns of its first row that holds something."""
    options: dict[str, Any] = {"sep": separator, "dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
    frame = pd.read_csv(path, header=None, names=range(50), **options).fillna("").map(str.strip)
    frame = frame[(frame != "").any(axis=1)]
    head = frame.iloc[0]
    return frame.iloc[1:].set_axis([name or f"unnamed {place}" for place, name in enumerate(head)], axis=1)


def _text_of(path: Path) -> str:
    data = path.read_bytes()
    return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")


def assert_same_regions(found: ROISet, path: Path, kind: str) -> None:
    """Compare regions that were accepted without a word with shapely's view of the file, label by label."""
    if kind == "geojson":
        expected = _of_geojson(path)
    elif kind == "asap":
        expected = _of_asap(path)
    else:
        outlines = {"imagescope": _of_imagescope, "shapes": _of_shapes}.get(kind, _of_csv)(path)
        expected = [(label, region) for label, region in _nested(outlines)]
    labels = {label for label, _ in expected} | {roi.label or "" for roi in found}
    for label in labels:
        ours = shapely.union_all([roi.polygon for roi in found if (roi.label or "") == label])
        theirs = shapely.union_all([polygon for name, polygon in expected if name == label])
        assert ours.symmetric_difference(theirs).area <= 1e-9 * max(1.0, theirs.area), label


def _nested(outlines: list[Outline]) -> list[Outline]:
    """Holes by the rule of CSV, tried on each pair: in the smallest outline of equal label around, alternately."""
    order = sorted(outlines, key=lambda outline: -outline[1].area)
    depth: list[int] = []
    parent: list[int] = []
    for place, (label, polygon) in enumerate(order):
        around = [n for n in range(place) if order[n][0] == label and order[n][1].covers(polygon)]
        parent.append(max(around, default=-1))
        depth.append(depth[parent[-1]] + 1 if around else 0)
    regions = []
    for place, (label, polygon) in enumerate(order):
        holes = [
            hole
            for n, (other, hole) in enumerate(order)
            if depth[place] % 2 == 0
            and depth[n] % 2 == 1
            and other == label
            and polygon.covers(hole)
            and (parent[n] == place or not polygon.covers(order[parent[n]][1]))
        ]
        if depth[place] % 2 == 0:
            regions.append((label, polygon.difference(shapely.union_all(holes))))
    return regions


def _of_csv(path: Path) -> list[Outline]:
    frame = pd.read_csv(io.StringIO(_text_of(path)), dtype=str, keep_default_na=False, index_col=False)
    frame = frame.rename(columns=lambda name: name.strip().lower()).map(str.strip)
    frame = frame[(frame != "").any(axis=1)]
    labels = frame["label"] if "label" in frame else pd.Series("", index=frame.index)
    # A region has one label, which may stand in some of its rows only: two labels would have been said.
    label_of = {name: max(labels[frame["roi_name"] == name]) for name in frame["roi_name"].unique()}
    xy = frame[["x_base", "y_base"]].astype(float)
    return [(label, Polygon(xy[frame["roi_name"] == name].to_numpy())) for name, label in label_of.items()]


def _of_shapes(path: Path) -> list[Outline]:
    return [((item.get("label") or "").strip(), Polygon(item["points"])) for item in json_of(path)["shapes"]]


def _of_geojson(path: Path) -> list[Outline]:
    content = json_of(path)
    features = content if isinstance(content, list) else content.get("features", [content])
    found = []
    for feature in features:
        properties = feature.get("properties") or {}
        label = properties.get("classification") or {}
        label = label if isinstance(label, str) else label.get("name") or _joined(label.get("names", []))
        found.append((label.strip(), shape(feature.get("geometry", feature))))
    return found


def _joined(names: list[Any]) -> str:
    return ": ".join(name for name in names if isinstance(name, str))


def _of_imagescope(path: Path) -> list[Outline]:
    found = []
    for layer in ElementTree.fromstring(path.read_bytes()).iter("Annotation"):
        for region in layer.iter("Region"):
            points = [(float(node.attrib["X"]), float(node.attrib["Y"])) for node in region.iter("Vertex")]
            found.append((layer.attrib.get("Name", "").strip() or region.attrib.get("Text", ""), Polygon(points)))
    return found


def _of_asap(path: Path) -> list[Outline]:
    found = []
    for annotation in ElementTree.fromstring(path.read_bytes()).iter("Annotation"):
        nodes = list(annotation.iter("Coordinate"))
        order = np.argsort([float(node.attrib["Order"]) for node in nodes], kind="stable")
        points = [(float(nodes[n].attrib["X"]), float(nodes[n].attrib["Y"])) for n in order]
        group = annotation.attrib.get("PartOfGroup", "").strip()
        found.append(("" if group == "None" else group, Polygon(points)))
    return found
