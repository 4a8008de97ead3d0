"""Finding the file of regions of a slide, and reading it whatever its format."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import shapely

from slidekit.errors import ROIError
from slidekit.io.user_file import parse_json, read_bytes
from slidekit.slide.roi.asap import read_asap
from slidekit.slide.roi.csv_format import read_csv
from slidekit.slide.roi.drawing import Drawing, ProblemLog, clean_text
from slidekit.slide.roi.geojson import is_qupath, read_geojson, read_shapes
from slidekit.slide.roi.imagescope import read_imagescope
from slidekit.slide.roi.nesting import cut_out, nest
from slidekit.slide.roi.region import ROISet
from slidekit.slide.roi.validate import mend, name_regions, on_slide
from slidekit.slide.roi.xml_tree import parse_xml

__all__ = ["find_roi_file", "load_rois"]

SUFFIXES = (".csv", ".geojson", ".json", ".xml")
"""Formats in the order in which they are preferred where a slide has several files."""

MAX_FILE_BYTES = 1 << 29
"""Larger files are refused: they are exported detections, not regions that somebody drew."""


def find_roi_file(folder: str | Path, slide_name: str) -> Path | None:
    """Find the file of regions of a slide: ``{slide}.csv``, ``.geojson``, ``.json`` or ``.xml``.

    The case of the suffix does not matter. The name is tried as it is, then without or with ``.ome`` at its
    end. Of several files CSV goes first, then the others in the order above; within a format the exact name
    goes first.

    Parameters
    ----------
    folder
        Folder to look in, not below it; one that does not exist holds nothing.
    slide_name
        Name of the slide (file stem).

    Returns
    -------
    Path or None

    Raises
    ------
    ROIError
        If the folder cannot be looked into.
    """
    folder = Path(folder)
    first = folder / f"{slide_name}{SUFFIXES[0]}"
    try:
        # The commonest case without listing a large folder; a name with a slash in it would lead out of the
        # folder.
        if first.parent == folder and first.is_file():
            return first
        files = list(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        what = f"The folder cannot be looked into: {error.strerror or error}."
        raise ROIError(what, mend="Check its permissions, and the length of the slide's name.", path=folder) from error
    other = slide_name.removesuffix(".ome") if slide_name.endswith(".ome") else f"{slide_name}.ome"
    # Some file systems keep accents apart from their letters (NFD), others together: compare in one form.
    stems = [unicodedata.normalize("NFC", stem) for stem in (slide_name, other)]
    found: list[tuple[int, int, str]] = []
    for file in files:
        stem, suffix = unicodedata.normalize("NFC", file.stem), file.suffix.lower()
        if suffix in SUFFIXES and stem in stems and file.is_file():
            found.append((SUFFIXES.index(suffix), stems.index(stem), file.name))
    return folder / min(found)[2] if found else None


def load_rois(
    path: str | Path,
    *,
    slide_size: tuple[float, float] | None = None,
    bounds_origin: tuple[float, float] = (0.0, 0.0),
    roi_origin: tuple[float, float] | None = None,
) -> ROISet:
    """Read the regions of a slide from CSV, GeoJSON, Slideflow or labelme JSON, ImageScope or ASAP XML.

    The content decides what the file is. In CSV, ImageScope XML and lists of shapes, an outline inside
    another one of equal label is a hole, one inside a hole is inside again; GeoJSON says itself what is a
    hole, and in ASAP XML the exclusion group takes area away. Whatever is mended or skipped is in the
    ``problems`` of the result.

    Parameters
    ----------
    path
        The file.
    slide_size
        Width and height of level 0 in pixels: regions outside are then skipped, regions partly outside are
        said.
    bounds_origin
        ``openslide.bounds-x``, ``openslide.bounds-y``: where QuPath's pixel (0, 0) is in the slide's level 0.
        Added to GeoJSON that QuPath wrote, and to nothing else.
    roi_origin
        What to add to the coordinates instead, whatever the format.

    Returns
    -------
    ROISet
        Regions in level-0 pixels; its ``origin`` is what was added.

    Raises
    ------
    ROIError
        If the file cannot be read, is in none of the formats, or lacks what its format requires.
    """
    path = Path(path)
    log = ProblemLog(path)
    drawings, nested, origin = _read_drawings(path, log, bounds_origin, roi_origin)
    if roi_origin is not None:
        origin = (float(roi_origin[0]), float(roi_origin[1]))
    try:
        pieces = mend(_shift(_tidy(drawings, log), origin), log)
        pieces = on_slide(nest(pieces, log) if nested else cut_out(pieces, log), slide_size, log)
    except shapely.errors.GEOSException as error:
        what = f"Its regions are beyond what geometry can compute ({error})."
        raise ROIError(what, mend="Draw them again, more simply.", path=path) from error
    if not drawings and not log.problems:
        log.add("The file holds no regions.", "warning")
    rois = name_regions(pieces, log)
    return ROISet(rois, log.finish(), path, origin)


def _read_drawings(
    path: Path, log: ProblemLog, bounds_origin: tuple[float, float], roi_origin: tuple[float, float] | None
) -> tuple[list[Drawing], bool, tuple[float, float]]:
    """What the file says, whether outlines inside each other are holes, and what the coordinates are relative to."""
    data = read_bytes(
        path,
        error=ROIError,
        limit=MAX_FILE_BYTES,
        too_large="Export the annotations only, without detections and cells.",
    )
    start = data[:1024].lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")[:1]
    if start == b"<":
        return *_read_xml(data, log), (0.0, 0.0)
    if start in (b"{", b"["):
        content = _parse_json(data, path, log)
        if isinstance(content, dict) and "shapes" in content:
            return read_shapes(content, log), True, (0.0, 0.0)
        return read_geojson(content, log), False, _qupath_origin(content, bounds_origin, roi_origin, log)
    if path.suffix.lower() in SUFFIXES[1:]:
        what = f"The content is not what a {path.suffix} file of regions holds."
        raise ROIError(what, mend="Export the regions again.", path=path)
    return read_csv(_decode(data, path), log), True, (0.0, 0.0)


def _read_xml(data: bytes, log: ProblemLog) -> tuple[list[Drawing], bool]:
    """Drawings of an XML file, and whether outlines inside each other are holes."""
    root = parse_xml(data, log.path)
    if root.tag == "ASAP_Annotations":
        return read_asap(root, log), False
    if root.tag == "Annotations":
        return read_imagescope(root, log), True
    raise ROIError(
        f"XML that starts with <{root.tag[:40]}> is not an annotation format that slidekit knows.",
        mend="Known are ImageScope XML (<Annotations>) and ASAP XML (<ASAP_Annotations>).",
        path=log.path,
        line=root.line or None,
    )


def _decode(data: bytes, path: Path) -> str:
    """Text of a file: UTF-8 with or without a byte-order mark, UTF-16 with one."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    mend_it = 'Save the file as UTF-8 (in Excel: "CSV UTF-8").'
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = None if wide else data.count(b"\n", 0, error.start) + 1
        raise ROIError("The text is not UTF-8.", mend=mend_it, path=path, line=line) from error
    if (place := text.find("\0")) >= 0:
        what = "The text holds NUL characters, as damaged files do, and UTF-16 that does not say so."
        raise ROIError(what, mend=mend_it, path=path, line=text.count("\n", 0, place) + 1)
    return text


def _parse_json(data: bytes, path: Path, log: ProblemLog) -> Any:
    repeated: Counter[str] = Counter()
    content = parse_json(
        _decode(data, path),
        path=path,
        error=ROIError,
        mend="Export the annotations again.",
        on_repeat=lambda key: repeated.update([key]),
    )
    for key, count in repeated.items():
        log.add(f"{count} x the key {key[:40]!r} twice in one object: the last one was read.", "warning")
    return content


def _tidy(drawings: Sequence[Drawing], log: ProblemLog) -> list[Drawing]:
    """Give regions names and labels that a record, a log and a report can hold."""
    tidied = []
    for drawing in drawings:
        name = clean_text(drawing.name).strip() or "unnamed"
        label = None if drawing.label is None else clean_text(drawing.label).strip() or None
        if (name, label) != (drawing.name, drawing.label):
            what = "Its name or label is very long, or has characters that cannot be printed: changed."
            log.add(what, "mended", name=name, line=drawing.line)
            drawing = replace(drawing, name=name, label=label)
        tidied.append(drawing)
    return tidied


def _qupath_origin(
    content: Any,
    bounds_origin: tuple[float, float],
    roi_origin: tuple[float, float] | None,
    log: ProblemLog,
) -> tuple[float, float]:
    """Say what the coordinates of GeoJSON are relative to."""
    x, y = float(bounds_origin[0]), float(bounds_origin[1])
    if (x, y) == (0.0, 0.0) or is_qupath(content):
        return x, y
    if roi_origin is None:
        what = f"Not QuPath's GeoJSON: the slide's bounds ({x:g}, {y:g}) are not added; roi_origin adds them."
        log.add(what, "warning")
    return 0.0, 0.0


def _shift(drawings: Sequence[Drawing], origin: tuple[float, float]) -> list[Drawing]:
    if origin == (0.0, 0.0):
        return list(drawings)
    return [
        replace(drawing, polygons=tuple(tuple(ring + origin for ring in rings) for rings in drawing.polygons))
        for drawing in drawings
    ]
