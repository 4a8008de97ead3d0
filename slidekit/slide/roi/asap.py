"""Regions as XML of ASAP, the viewer of CAMELYON: ``Annotation``s in groups, with an exclusion group."""

from __future__ import annotations

from collections import Counter

import numpy as np

from slidekit.slide.roi.drawing import Drawing, ProblemLog
from slidekit.slide.roi.xml_tree import Node, vertices

__all__ = ["EXCLUSION_GROUPS", "read_asap"]

EXCLUSION_GROUPS = frozenset({"exclusion", "exclusions", "exclude", "excluded", "_2"})
"""Groups (in lower case) whose area is taken away; ``_2`` is the exclusion group of the CAMELYON16 files."""

AREAS = frozenset({"", "polygon", "rectangle", "spline"})


def read_asap(root: Node, log: ProblemLog) -> list[Drawing]:
    """Read the annotations of ASAP's XML.

    Name: the annotation's ``Name``. Label: its group (``PartOfGroup``), none for the group ``None``.
    Annotations in an exclusion group, or in a group inside of one, take their area away from all others. A
    spline is read as the polygon of its points, and that is said.

    Parameters
    ----------
    root
        The element ``ASAP_Annotations``.
    log
        Takes shapes that are no areas, splines, and what the group ``_2`` was taken for.

    Returns
    -------
    list of Drawing
    """
    drawings: list[Drawing] = []
    others: Counter[str] = Counter()
    parents = {group.get("Name"): group.get("PartOfGroup") for group in root.below("Group")}
    numbered = 0
    for number, annotation in enumerate(root.below("Annotation")):
        name, kind = annotation.get("Name") or f"ROI_{number}", annotation.get("Type")
        if kind.lower() not in AREAS:
            others[kind[:40]] += 1
            continue
        if kind.lower() == "spline":
            log.add("A spline, read as the polygon of its points.", "warning", name=name, line=annotation.line)
        group = annotation.get("PartOfGroup")
        negative = _excluded(group, parents)
        numbered += negative and group == "_2"
        label = None if group in ("", "None") else group
        ring = vertices(_in_order(list(annotation.below("Coordinate"))))
        drawings.append(Drawing(name, label, ((ring,),), annotation.line, negative=negative))
    if numbered:
        log.add(f"{numbered} regions of the group '_2' are cut out, as in the CAMELYON16 files.", "warning")
    for kind, count in sorted(others.items()):
        log.add(f"{count} x {kind}: not an area.", "skipped")
    return drawings


def _excluded(group: str, parents: dict[str, str]) -> bool:
    """Whether a group, or one that it is part of, is an exclusion group."""
    seen: set[str] = set()
    while group and group not in seen:
        if group.lower() in EXCLUSION_GROUPS:
            return True
        seen.add(group)
        group = parents.get(group, "")
    return False


def _in_order(coordinates: list[Node]) -> list[Node]:
    """Vertices by their ``Order``, or as they stand in the file where that is no number."""
    try:
        order = [float(node.get("Order")) for node in coordinates]
    except ValueError:
        return coordinates
    return [coordinates[index] for index in np.argsort(order, kind="stable")]
