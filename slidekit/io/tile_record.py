"""One tile as it stands in a TFRecord: features of a ``tf.train.Example``, Slideflow's and ours beside them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from slidekit.errors import RecordError
from slidekit.io.example import decode_example, encode_example

__all__ = ["FurtherImage", "TileRecord", "image_feature", "loose_name", "promised_sizes"]

_NO_TILES = "Give TFRecords of tiles, Slideflow's or slidekit's; or extract the slide again."


_IMAGE, _EDGE = "image_raw", "edge"
_SIZE = r"\d[\w.+-]*(?:um|x)"
_FURTHER = re.compile(rf"image_raw_({_SIZE})")
_LABEL = re.compile(r"\d+px_(.+)")
# A plus also stands in what is written of very large numbers: 1e+06um.
_BETWEEN_SIZES = re.compile(r"(?<=[mx])\+")


class FurtherImage(NamedTuple):
    """The image of a concentric tile of another size, in the same record.

    Attributes
    ----------
    name
        Its size: ``512um``, or ``5x``.
    image_raw
        A complete JPEG or PNG.
    edge
        Whether it reaches over the slide's edge and is padded white there.
    """

    name: str
    image_raw: bytes
    edge: bool = False


def image_feature(name: str | None) -> str:
    """Name of the feature with an image: ``image_raw``, or of a further size ``image_raw_512um``."""
    return _IMAGE if name is None else f"{_IMAGE}_{name}"


def loose_name(name: str, size: str) -> str:
    """Name of a loose tile of a further size: that of its tile with the size, ``slide-10-20_512um.jpg``."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}_{size}{dot}{suffix}"


def promised_sizes(folder: str) -> tuple[str, ...] | None:
    """Further sizes that the name of a folder says its tiles have: ``512um`` of ``256px_128um+512um``.

    None where it says one size or none: what is in the records is then for them to say.
    """
    label = _LABEL.fullmatch(folder)
    sizes = () if label is None else tuple(_BETWEEN_SIZES.split(label[1]))
    are_sizes = len(sizes) > 1 and all(re.fullmatch(_SIZE, size) for size in sizes)
    return sizes[1:] if are_sizes else None


@dataclass(frozen=True)
class TileRecord:
    """One tile as it stands in a TFRecord.

    Attributes
    ----------
    slide
        Name of the slide.
    image_raw
        A complete JPEG or PNG.
    loc_x, loc_y
        The tile's centre, level-0 pixels.
    grid_x, grid_y
        Its cell in the grid; None in files that Slideflow wrote.
    roi_name, label
        Its region of interest and that region's class, if any.
    edge
        Whether it reaches over the slide's edge and is padded white there.
    further
        Images of concentric tiles of other sizes; as they are read back, sorted by name.
    cell_id
        The cell around which the tile was cut, from 1, as it is numbered in its slide's segmentation.
    """

    slide: str
    image_raw: bytes
    loc_x: int
    loc_y: int
    grid_x: int | None = None
    grid_y: int | None = None
    roi_name: str | None = None
    label: str | None = None
    edge: bool = False
    further: tuple[FurtherImage, ...] = ()
    cell_id: int | None = None

    def encode(self) -> bytes:
        """Serialise as a ``tf.train.Example``, the same bytes for the same record."""
        features: dict[str, bytes | int] = {
            "image_raw": self.image_raw,
            "slide": self.slide.encode(),
            "loc_x": self.loc_x,
            "loc_y": self.loc_y,
        }
        if self.grid_x is not None and self.grid_y is not None:
            features |= {"grid_x": self.grid_x, "grid_y": self.grid_y}
        if self.roi_name is not None:
            features["roi_name"] = self.roi_name.encode()
        if self.label is not None:
            features["label"] = self.label.encode()
        if self.edge:
            features[_EDGE] = 1
        if self.cell_id is not None:
            features["cell_id"] = self.cell_id
        for image in self.further:
            features[image_feature(image.name)] = image.image_raw
            if image.edge:
                features[f"{_EDGE}_{image.name}"] = 1
        return encode_example(features)

    def image(self, name: str | None = None, *, path: Path | None = None) -> bytes:
        """The encoded image of a size.

        Parameters
        ----------
        name
            Of a further size, ``512um``; None is the record's own.
        path
            The file, for messages.

        Raises
        ------
        RecordError
            If the record has no image of this size.
        """
        if name is None:
            return self.image_raw
        for image in self.further:
            if image.name == name:
                return image.image_raw
        raise RecordError(
            f"the tile at ({self.loc_x}, {self.loc_y}) of slide {self.slide!r} has no image of {name}.",
            mend="Extract the slide with all sizes, such as tile_um=[128, 512]; or ask for those that there are.",
            path=path,
        )

    def check_sizes(self, wanted: Collection[str], *, offset: int, mend: str, path: Path | None = None) -> None:
        """Make sure that the record has the images of these further sizes, and no others.

        Parameters
        ----------
        wanted
            Their names, ``512um``.
        offset
            Where the record begins in the file, bytes.
        mend
            What to do, for the message.
        path
            The file.

        Raises
        ------
        RecordError
            If a size is missing, or there is another one; names it.
        """
        found = {image.name for image in self.further}
        if found == set(wanted):
            return
        lacking, others = (", ".join(sorted(names)) for names in (set(wanted) - found, found - set(wanted)))
        parts = [f"no image of {lacking}"] if lacking else []
        parts += [f"more than it should have, {others}"] if others else []
        what = f"the record at byte {offset}, the tile at ({self.loc_x}, {self.loc_y}), has {' and '.join(parts)}."
        raise RecordError(what, mend=mend, path=path)

    @classmethod
    def decode(cls, payload: bytes, *, path: Path | None = None) -> TileRecord:
        """Read a payload, ours or Slideflow's.

        Raises
        ------
        RecordError
            If it is not an Example, or has no ``image_raw`` or ``slide``.
        """
        features = decode_example(payload, path=path)
        return cls(
            slide=_bytes(features, "slide", path).decode("utf-8", "replace"),
            image_raw=_bytes(features, "image_raw", path),
            loc_x=_integer(features, "loc_x") or 0,
            loc_y=_integer(features, "loc_y") or 0,
            grid_x=_integer(features, "grid_x"),
            grid_y=_integer(features, "grid_y"),
            roi_name=_text(features, "roi_name"),
            label=_text(features, "label"),
            edge=bool(_integer(features, _EDGE)),
            further=_further(features),
            cell_id=_integer(features, "cell_id"),
        )


def _further(features: Mapping[str, bytes | int]) -> tuple[FurtherImage, ...]:
    found = []
    for feature in sorted(name for name in features if name.startswith(f"{_IMAGE}_")):
        match, image = _FURTHER.fullmatch(feature), features[feature]
        if match is not None and isinstance(image, bytes):
            found.append(FurtherImage(match[1], image, bool(_integer(features, f"{_EDGE}_{match[1]}"))))
    return tuple(found)


def _bytes(features: Mapping[str, bytes | int], name: str, path: Path | None) -> bytes:
    value = features.get(name)
    if not isinstance(value, bytes):
        raise RecordError(f"a record has no feature {name!r}: these are not tiles.", mend=_NO_TILES, path=path)
    return value


def _integer(features: Mapping[str, bytes | int], name: str) -> int | None:
    value = features.get(name)
    return value if isinstance(value, int) else None


def _text(features: Mapping[str, bytes | int], name: str) -> str | None:
    value = features.get(name)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None
