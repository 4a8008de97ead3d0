"""What stands once in a folder: manifest and parameters; and files of slides whose counterpart is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from slidekit.extraction.resume import SPEC_FILE, read_report, read_spec
from slidekit.extraction.verify.faults import MEND_ACCESS, Fault
from slidekit.extraction.verify.survey import MANIFEST_FILE, RecordFolder

__all__ = ["folder_faults"]

_MEND_OURS = "Any `slidekit extract` into this folder writes it anew, when it ends."
_MEND_FOREIGN = "Remove it, and Slideflow makes a new one; but if the file was cut off, extract its slide again."


def folder_faults(folder: RecordFolder, counts: Mapping[str, int | None]) -> list[Fault]:
    """Compare what stands once in a folder with the files in it.

    Parameters
    ----------
    folder
        The folder.
    counts
        Name of each TFRecord file in it to the number of its records; None if it is known to be faulty, or gone.
    """
    lost = set(folder.indexes) - set(folder.records) - set(folder.reports)
    faults = [
        Fault(folder.path / f"{name}.index.npz", f"has no {name}.tfrecords.", "Put that back, or remove the index.")
        for name in sorted(lost)
    ]
    for name in folder.reports:
        # That of a slide with records is looked at with them.
        if name not in folder.records and f"{name}.tiles.csv" in folder.names:
            path = folder.path / f"{name}.json"
            if read_report(path) is None:
                mend = f"Move what is called {name} away, and extract the slide again."
                faults.append(Fault(path, f"is damaged: it is not the report of slide {name}.", mend))
    if folder.is_ours and read_spec(folder.path) is None:
        what = "is damaged: how the tiles beside it were made is not known any more."
        mend = "Extract all slides of the folder again with --overwrite; or put back a copy of it."
        faults.append(Fault(folder.path / SPEC_FILE, what, mend))
    return faults + _manifest_faults(folder, counts)


def _manifest_faults(folder: RecordFolder, counts: Mapping[str, int | None]) -> list[Fault]:
    path = folder.path / MANIFEST_FILE
    mend = _MEND_OURS if folder.is_ours else _MEND_FOREIGN
    if MANIFEST_FILE not in folder.names:
        # Slideflow makes it when it is asked for.
        what = "is missing: the last run did not come to its end."
        return [Fault(path, what, mend)] if folder.is_ours and counts else []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        totals = {str(name): int(entry["total"]) for name, entry in content.items()}
    except OSError as error:
        return [Fault(path, f"cannot be read: {error.strerror or type(error).__name__}.", MEND_ACCESS)]
    except (ValueError, OverflowError, TypeError, KeyError, AttributeError, RecursionError):
        return [Fault(path, "is damaged: it is not a manifest of TFRecords.", mend)]
    said = []
    for name, total in sorted(totals.items()):
        if Path(name).name != name:
            continue  # Slideflow's may speak of folders below
        if name not in counts:
            said.append(f"lists {name}, which is not there.")
        elif counts[name] not in (None, total):
            said.append(f"says that {name} holds {total} tiles, where it holds {counts[name]}.")
    said += [f"does not list {name}." for name, count in sorted(counts.items()) if name not in totals and count]
    return [Fault(path, what, mend) for what in said]
