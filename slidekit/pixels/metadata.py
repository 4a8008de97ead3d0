"""What a slide's file says of itself: vendor, properties, µm/px and where each was found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from defusedxml import ElementTree

from slidekit.errors import SlideOpenError

if TYPE_CHECKING:
    import tifffile

__all__ = ["FileMPP", "SlideMetadata", "metadata_from_openslide", "metadata_from_tiff"]


class FileMPP(NamedTuple):
    """µm/px as a file states it.

    Attributes
    ----------
    x, y
        Microns per pixel of level 0.
    source
        The property or tag that said so.
    """

    x: float
    y: float
    source: str


@dataclass(frozen=True)
class SlideMetadata:
    """What a file says of itself.

    Attributes
    ----------
    vendor
        Format in OpenSlide's words (``aperio``, ``mirax``), or ``ome-tiff``, ``tiff``, ``png``, ``jpeg``.
    properties
        Everything the file's header says, by OpenSlide's names where OpenSlide knows the format.
    mpp
        µm/px as stated, unchecked; None if the file is silent.
    objective_power
        Magnification of the objective, if stated.
    bounds_origin
        Level-0 (x, y) of the scanned area, where the format has one (MIRAX); else (0, 0).
    """

    vendor: str
    properties: Mapping[str, str] = field(default_factory=dict)
    mpp: FileMPP | None = None
    objective_power: float | None = None
    bounds_origin: tuple[float, float] = (0.0, 0.0)


def _number(text: object) -> float | None:
    try:
        value = float(str(text).replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def metadata_from_openslide(vendor: str, properties: Mapping[str, str]) -> SlideMetadata:
    """Metadata from OpenSlide's properties.

    Parameters
    ----------
    vendor
        OpenSlide's name of the format.
    properties
        All properties of the slide.
    """
    x, y = _number(properties.get("openslide.mpp-x")), _number(properties.get("openslide.mpp-y"))
    # A format that states one number means it for both axes.
    found = FileMPP(x or y or 0.0, y or x or 0.0, _mpp_origin(vendor)) if x or y else None
    return SlideMetadata(
        vendor=vendor,
        # Of a damaged name OpenSlide knows no value.
        properties={name: properties[name] for name in properties if name in properties},
        mpp=found,
        objective_power=_number(properties.get("openslide.objective-power")),
        bounds_origin=(
            _number(properties.get("openslide.bounds-x")) or 0.0,
            _number(properties.get("openslide.bounds-y")) or 0.0,
        ),
    )


def _mpp_origin(vendor: str) -> str:
    """Name of the header field that OpenSlide takes the µm/px of a format from."""
    return {
        "aperio": "aperio.MPP",
        "generic-tiff": "TIFF resolution",
        "hamamatsu": "TIFF resolution",
        "dicom": "DICOM PixelSpacing",
    }.get(vendor, "openslide.mpp-x")


def metadata_from_tiff(path: Path) -> SlideMetadata:
    """Metadata of a TIFF that OpenSlide does not know: OME-XML first, then the resolution tags.

    Raises
    ------
    SlideOpenError
        If the file is cut off.
    OSError, ValueError
        If the file is not a TIFF (tifffile's ``TiffFileError`` is a ValueError).
    """
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        _check_whole(path, page)
        properties = {tag.name: str(tag.value)[:10_000] for tag in page.tags.values()}
        resolution = _mpp_from_resolution(page)
        if tiff.is_ome and tiff.ome_metadata:
            stated, power = _read_ome(tiff.ome_metadata)
            return SlideMetadata("ome-tiff", properties, stated or resolution, power)
        return SlideMetadata("tiff", properties, resolution)


_MOST_MISSING = 0.05


def _check_whole(path: Path, page: tifffile.TiffPage) -> None:
    """Say at once that a file is cut off: otherwise it seems to lack µm/px, and then tiles."""
    size = path.stat().st_size
    stored = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    missing = sum(offset + count > size for offset, count in stored)
    if missing > _MOST_MISSING * len(stored):
        raise SlideOpenError(
            f"the file is cut off: {missing} of the {len(stored)} tiles or strips of its image lie beyond its end.",
            mend="Copy it again.",
            path=path,
        )


def _mpp_from_resolution(page: object) -> FileMPP | None:
    tags = page.tags  # type: ignore[attr-defined]
    if "XResolution" not in tags or "YResolution" not in tags:
        return None
    try:
        unit = int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 2
        (x_pixels, x_units), (y_pixels, y_units) = tags["XResolution"].value, tags["YResolution"].value
    except (TypeError, ValueError):  # tags of a wrong type: the file does not say it, and can still be read
        return None
    microns = {2: 25_400.0, 3: 10_000.0}.get(unit)
    if microns is None or not (x_pixels and x_units and y_pixels and y_units):
        return None
    return FileMPP(microns * x_units / x_pixels, microns * y_units / y_pixels, "TIFF resolution")


# Length units that OME-XML allows and that make sense for a pixel, in microns; µm is the schema's default.
_OME_UNITS = {"µm": 1.0, "μm": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "pm": 1e-6, "m": 1e6}


def _read_ome(xml: str) -> tuple[FileMPP | None, float | None]:
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError):  # DefusedXmlException, of entities, is a ValueError
        return None, None
    pixels = next((node for node in root.iter() if node.tag.endswith("}Pixels")), None)
    objective = next((node for node in root.iter() if node.tag.endswith("}Objective")), None)
    power = _number(objective.get("NominalMagnification")) if objective is not None else None
    if pixels is None:
        return None, power
    x, y = _number(pixels.get("PhysicalSizeX")), _number(pixels.get("PhysicalSizeY"))
    x_unit = _OME_UNITS.get(pixels.get("PhysicalSizeXUnit", "µm"))
    y_unit = _OME_UNITS.get(pixels.get("PhysicalSizeYUnit", "µm"))
    if x is None or y is None or x_unit is None or y_unit is None:
        return None, power
    return FileMPP(x * x_unit, y * y_unit, "OME-XML PhysicalSize"), power
