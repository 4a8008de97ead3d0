"""Finding the slide of a patient by name, for tables that list patients only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["SlideAssociation", "associate_slide_names"]

# The Cancer Genome Atlas, barcode: project, site and participant make the first twelve characters.
_TCGA = re.compile(r"TCGA-[0-9A-Za-z]{2}-[0-9A-Za-z]{4}(?![0-9A-Za-z])")
_SHORT = 12


@dataclass(frozen=True)
class SlideAssociation:
    """What `associate_slide_names` found.

    Attributes
    ----------
    matched
        Patient to its only slide.
    ambiguous
        Patient to the several slides that could be theirs; nothing was decided.
    patients_without_slides
        Patients for whom there is no slide.
    slides_without_patients
        Slides of no patient.
    """

    matched: Mapping[str, str]
    ambiguous: Mapping[str, tuple[str, ...]]
    patients_without_slides: tuple[str, ...]
    slides_without_patients: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{len(self.matched)} patients matched with a slide."]
        lines += [f"{patient} → {slide}" for patient, slide in self.matched.items()]
        lines += [f"{patient}: several slides: {', '.join(names)}" for patient, names in self.ambiguous.items()]
        if self.patients_without_slides:
            lines.append(f"Patients without a slide: {', '.join(self.patients_without_slides)}.")
        if self.slides_without_patients:
            lines.append(f"Slides without a patient: {', '.join(self.slides_without_patients)}.")
        return "\n".join(lines)


def associate_slide_names(patients: Iterable[str], slides: Iterable[str]) -> SlideAssociation:
    """Match patients with slides that bear their name.

    A slide is a patient's if it is called exactly as the patient, or if its name is a TCGA barcode whose
    first 12 characters are the patient. Nothing is guessed: a patient with several such slides is left for a
    person.

    Parameters
    ----------
    patients
        Names of patients; a repeated name is one patient.
    slides
        Names of slides, without suffix.
    """
    wanted = dict.fromkeys(patients)
    of_patient: dict[str, list[str]] = {patient: [] for patient in wanted}
    lonely = []
    for slide in sorted(set(slides)):
        short = slide[:_SHORT] if _TCGA.match(slide) else slide
        owner = next((name for name in (slide, short) if name in of_patient), None)
        if owner is None:
            lonely.append(slide)
        else:
            of_patient[owner].append(slide)
    return SlideAssociation(
        matched={patient: found[0] for patient, found in of_patient.items() if len(found) == 1},
        ambiguous={patient: tuple(found) for patient, found in of_patient.items() if len(found) > 1},
        patients_without_slides=tuple(patient for patient, found in of_patient.items() if not found),
        slides_without_patients=tuple(lonely),
    )
