"""What makes a slide one that a person must look at, in order of weight."""

from __future__ import annotations

from dataclasses import dataclass

from slidekit.report.numerals import percent
from slidekit.report.privacy import without_paths
from slidekit.slide.fate import Fate, reason_text
from slidekit.slide.report_model import SlideReport

__all__ = ["ARTIFACT_WARNING", "BLUR_WARNING", "FLAG_TITLES", "Flag", "blur_of", "flags_of", "severity", "share_of"]

BLUR_WARNING = 0.05
"""Share of tissue out of focus above which a slide is flagged (Slideflow's line, too)."""

ARTIFACT_WARNING = 0.05
"""Share of tissue under pen marks, or in folds, above which a slide is flagged."""

UNNORMALIZED_WARNING = 0.05
"""Share of kept tiles that the stain normaliser did not change above which a slide is flagged."""

ENLARGED_WARNING = 1.05
"""Output pixels per pixel of level 0 above which tiles show less than their µm/px promises."""

FLAG_TITLES = {
    "failed": "failed",
    "unreadable": "unreadable tiles",
    "mpp": "µm/px doubtful",
    "enlarged": "enlarged",
    "tissue": "background doubtful",
    "blur": "out of focus",
    "pen": "pen marks",
    "fold": "folds",
    "empty": "no tiles",
    "skipped": "skipped",
    "roi_file": "ROI file",
    "normalizer": "stain normaliser",
}
"""Codes of flags in order of weight, with the word that a reader sees."""


@dataclass(frozen=True)
class Flag:
    """One reason for a person to look at a slide.

    Attributes
    ----------
    code
        A key of `FLAG_TITLES`, for programs and ``review.csv``.
    sentence
        What was found, for people; holds no path.
    """

    code: str
    sentence: str

    @property
    def title(self) -> str:
        """One or two words for the kind of flag."""
        return FLAG_TITLES[self.code]


_MOST_SHARE = 1 + 1e-6
"""A share, and what sums of many parts may be off by."""


def share_of(value: float | None) -> float | None:
    """A share, or None for what is none: files of slides may be damaged, or have been edited."""
    return value if value is not None and 0 <= value <= _MOST_SHARE else None


def blur_of(report: SlideReport) -> float | None:
    """Blur burden, or None where it was not measured, has no denominator, or is no share (in a damaged file)."""
    return share_of(report.blur_burden)


def flags_of(report: SlideReport) -> tuple[Flag, ...]:
    """Why a person should look at a slide.

    Parameters
    ----------
    report
        What is known about the slide.

    Returns
    -------
    tuple of Flag
        The gravest first; empty for a slide that shows nothing unusual.
    """
    found = {
        "failed": _failed(report),
        "unreadable": _unreadable(report),
        "mpp": report.mpp_doubt or "",
        "enlarged": _enlarged(report),
        "tissue": report.tissue_doubt or "",
        "blur": _blur(report),
        "pen": _artifact(report, "pen", "pen marks"),
        "fold": _artifact(report, "fold", "folds"),
        "empty": _empty(report),
        "skipped": _skipped(report),
        "roi_file": _roi_file(report),
        "normalizer": _normalizer(report),
    }
    return tuple(Flag(code, without_paths(found[code], report)) for code in FLAG_TITLES if found[code])


def severity(report: SlideReport) -> tuple[int, float, str]:
    """Key to sort slides by: flagged before others, by their gravest flag, then how much is spoiled, then name."""
    codes = [flag.code for flag in flags_of(report)]
    rank = list(FLAG_TITLES).index(codes[0]) if codes else len(FLAG_TITLES)
    by_artifact = bool(codes) and codes[0] in ("pen", "fold")
    spoiled = _artifact_share(report, codes[0]) if by_artifact else blur_of(report) or 0.0
    return rank, -spoiled, report.slide


def _failed(report: SlideReport) -> str:
    return (report.reason or "The slide failed; no reason was recorded.") if report.status == "failed" else ""


def _unreadable(report: SlideReport) -> str:
    number = report.unreadable
    if not number:
        return ""
    share = number / max(report.candidates, number)
    tiles = "tile" if number == 1 else "tiles"
    return f"{number:,} {tiles} of {report.candidates:,} candidates could not be decoded ({percent(share)})."


def _enlarged(report: SlideReport) -> str:
    if not (report.kept and report.mpp_x and report.tile_um_x and report.tile_px):
        return ""
    asked = report.tile_um_x / report.tile_px
    factor = report.mpp_x / asked
    if factor <= ENLARGED_WARNING:
        return ""
    return (
        f"Tiles are enlarged {factor:.3g} ×: the slide has {report.mpp_x:.4g} µm/px, which is coarser than the"
        f" {asked:.4g} µm/px of its tiles."
    )


def _blur(report: SlideReport) -> str:
    burden = blur_of(report)
    if burden is None or burden <= BLUR_WARNING:
        return ""
    return f"{percent(burden)} of the tissue is out of focus (warning line {BLUR_WARNING * 100:g} %)."


def _artifact_share(report: SlideReport, reason: str) -> float:
    """Share of tissue that the methods mask whose tiles are counted under a reason; the largest of several."""
    shares = [share_of(figures.share_of_tissue) for figures in report.qc_figures if figures.reason == reason]
    return max((share for share in shares if share is not None), default=0.0)


def _artifact(report: SlideReport, reason: str, what: str) -> str:
    share = _artifact_share(report, reason)
    if share <= ARTIFACT_WARNING:
        return ""
    return f"{percent(share)} of the tissue is taken for {what} (warning line {ARTIFACT_WARNING * 100:g} %)."


def _empty(report: SlideReport) -> str:
    if report.status == "failed" or report.kept or (report.status == "skipped" and not report.candidates):
        return ""
    if report.reason and report.status == "empty":
        return report.reason
    dropped = {reason: n for reason, n in report.counts.items() if reason != Fate.KEPT and n}
    if not dropped:
        return "No tile fits into the slide."
    reason = max(dropped, key=lambda name: dropped[name])
    return f"No tile was kept: {dropped[reason]:,} of {report.candidates:,} candidates are {reason_text(reason)}."


def _skipped(report: SlideReport) -> str:
    # A slide that was finished before keeps its counts; one that could not be begun has no candidates.
    # Nor is a slide looked at that no given coordinates name: nobody expects tiles of it.
    if report.status != "skipped" or report.candidates or report.kept or report.coordinates == 0:
        return ""
    return report.reason or "Skipped; no reason was recorded."


def _roi_file(report: SlideReport) -> str:
    problems = report.roi_problems
    if not problems:
        return ""
    more = f" And {len(problems) - 1} more." if len(problems) > 1 else ""
    return problems[0] + more


def _normalizer(report: SlideReport) -> str:
    unchanged, failed = report.unnormalized, report.counts.get(Fate.NORMALIZER, 0)
    sentences = []
    if report.kept and unchanged / report.kept > UNNORMALIZED_WARNING:
        share = percent(unchanged / report.kept)
        sentences.append(f"{unchanged:,} of {report.kept:,} kept tiles were left unnormalised ({share}).")
    if failed and failed / (report.kept + failed) > UNNORMALIZED_WARNING:
        sentences.append(f"The normaliser failed on {failed:,} tiles.")
    return " ".join(sentences)
