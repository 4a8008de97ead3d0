"""Folders as an extraction leaves them, made by hand and small enough to damage every byte of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from slidekit.extraction.verify.folder import Verification, verify_folder
from slidekit.io.tfrecord import RecordIndex, TileRecord, frame, index_path, write_index
from slidekit.slide.encode import encode_image
from slidekit.slide.report_model import RecordFile, SlideReport

PX = 2
PLACES = ((10, 20), (30, 20), (10, 40))


def image(seed: int = 0, kind: str = "png", px: int = PX) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (px, px, 3), dtype=np.uint8)
    return encode_image(pixels, kind)


def tiles(slide: str = "a", kind: str = "png", *, ours: bool = True) -> list[TileRecord]:
    return [
        TileRecord(slide, image(n, kind), x, y, *((n, 0) if ours else ()))
        for n, (x, y) in enumerate(PLACES)
    ]  # fmt: skip


def write_records(path: Path, records: Sequence[TileRecord], *, locations: bool = True, index: bool = True) -> None:
    """A TFRecord file and its index, as Slideflow writes them, too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [frame(record.encode()) for record in records]
    path.write_bytes(b"".join(frames))
    sizes = [len(one) for one in frames]
    if index:
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if sizes else []
        places = np.array([(r.loc_x, r.loc_y) for r in records], np.int64).reshape(-1, 2)
        extents = np.array([*zip(starts, sizes, strict=True)], np.int64).reshape(-1, 2)
        write_index(index_path(path), RecordIndex(extents, places if locations else None))


def write_manifest(folder: Path) -> None:
    names = sorted(folder.glob("*.tfrecords"))
    (folder / "manifest.json").write_text(json.dumps({path.name: {"total": len(PLACES)} for path in names}))


def write_ours(folder: Path, slide: str = "a", kind: str = "png", records: Sequence[TileRecord] | None = None) -> Path:
    """What `slidekit extract` leaves of a slide of three tiles, one more having been dropped."""
    path = folder / f"{slide}.tfrecords"
    records = tiles(slide, kind) if records is None else records
    write_records(path, records)
    content = path.read_bytes()
    report = SlideReport(
        slide=slide,
        status="done",
        tile_px=PX,
        candidates=5,
        counts={"background": 1, "grayspace": 1, "kept": len(records)},
        records=RecordFile(
            name=path.name, records=len(records), size=len(content), sha256=hashlib.sha256(content).hexdigest()
        ),
    )
    write_report(folder, report)
    rows = [f"{r.loc_x},{r.loc_y},0,0,,,kept,0.1,0.1,0,0" for r in records]
    header = "loc_x,loc_y,grid_x,grid_y,roi_name,label,reason,gray_fraction,white_fraction,normalized,edge"
    table = "\n".join([header, *rows, "90,90,9,9,,,grayspace,0.9,0.1,0,0", ""])
    (folder / f"{slide}.tiles.csv").write_text(table)
    (folder / "extraction.json").write_text('{"spec": {}, "spec_hash": "0"}')
    write_manifest(folder)
    return path


def write_report(folder: Path, report: SlideReport) -> None:
    (folder / f"{report.slide}.json").write_text(report.model_dump_json(indent=1))


def change_report(folder: Path, slide: str = "a", **fields: object) -> None:
    path = folder / f"{slide}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def said(found: Verification) -> list[tuple[str, str]]:
    """Name of each bad file, and what is wrong with it."""
    return [(fault.path.name, fault.what) for fault in found.faults]


def faults(folder: Path, **options: bool) -> list[tuple[str, str]]:
    return said(verify_folder(folder, **options))


def is_found(folder: Path) -> bool:
    return not verify_folder(folder, fast=True).is_whole


def damaged_pixels(data: bytes) -> bytes:
    place = data.index(b"IDAT") + 12
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
