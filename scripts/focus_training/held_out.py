"""How a network judges a slide that it was not trained on: one training for each slide."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from focus_training.blurred_slides import auc
from focus_training.crops import Examples
from focus_training.learn import logits_of, train

__all__ = ["Judged", "draw_roc", "judge_held_out", "table", "threshold_for"]

_BANDS = ((1.5, 2.0), (2.0, 3.0), (3.0, 5.0), (5.0, 8.01))
_SHARP_UM, _BLURRED_UM = 0.5, 1.5
_SHARE_DROPPED = 0.01
_COLOURS = ("#0b6e4f", "#d98324", "#3b5b92", "#a23b72", "#6b705c")


@dataclass(frozen=True)
class Judged:
    """Examples of one slide, judged by a network that never saw it.

    Attributes
    ----------
    slide
        Its name.
    scores
        (n,), mean probability of blur over the tissue of each example of 96 µm.
    places
        (n, 4, 4), probability smoothed over 48 µm; NaN where there is no tissue.
    radii, kernels
        (n,), of the blur.
    """

    slide: str
    scores: npt.NDArray[np.float64]
    places: npt.NDArray[np.float64]
    radii: npt.NDArray[np.float32]
    kernels: npt.NDArray[np.str_]

    @property
    def sharp(self) -> npt.NDArray[np.bool_]:
        """Which examples are sharp."""
        return self.radii <= _SHARP_UM


def judge_held_out(examples: Examples, *, steps: int, seed: int) -> list[Judged]:
    """Train without each slide in turn, and judge it."""
    judged = []
    for slide in dict.fromkeys(examples.slides.tolist()):
        network = train(examples.of(examples.slides != slide), steps=steps, seed=seed, say=False)
        held = examples.of((examples.slides == slide) & (examples.tissue.mean((1, 2)) >= 0.5))
        chance = 1 / (1 + np.exp(-logits_of(network, held).astype(np.float64)))
        tissue = held.tissue
        scores = (chance * tissue).sum((1, 2)) / tissue.sum((1, 2))
        places = np.stack([_smoothed(*pair)[1:-1, 1:-1] for pair in zip(chance, tissue, strict=True)])
        judged.append(Judged(slide, scores, places, held.radii, held.kernels))
    return judged


def _smoothed(chance: npt.NDArray[np.float64], tissue: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    total = cv2.boxFilter(chance * tissue, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    count = cv2.boxFilter(tissue.astype(float), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return np.where(tissue, total / np.maximum(count, 1), np.nan)


def threshold_for(judged: list[Judged]) -> float:
    """The smoothed probability above which 1 % of the sharp tissue of held-out slides lies, each counting alike."""
    places = [part.places[part.sharp] for part in judged]
    values = np.concatenate([part[np.isfinite(part)] for part in places])
    weights = np.concatenate([np.full(np.isfinite(part).sum(), 1 / np.isfinite(part).sum()) for part in places])
    order = np.argsort(values)
    share = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(share, 1 - _SHARE_DROPPED)])


def table(judged: list[Judged]) -> str:
    """AUC of each slide held out, by kernel and radius, Markdown; and the threshold."""
    kernels = sorted(set(judged[0].kernels.tolist()))
    head = [f"{low:g}–{high:.0f} µm" for low, high in _BANDS]
    lines = [f"| slide held out | kernel | {' | '.join(head)} |", f"|---|---|{'--:|' * len(_BANDS)}"]
    for part in judged:
        for kernel in kernels:
            cells = []
            for low, high in _BANDS:
                blurred = part.scores[(part.kernels == kernel) & (part.radii >= low) & (part.radii < high)]
                cells.append(f"{auc(part.scores[part.sharp], blurred):.3f}" if len(blurred) else "")
            lines.append(f"| {part.slide} | {kernel} | {' | '.join(cells)} |")
    threshold = threshold_for(judged)
    for part in judged:
        places, blurred = part.places[part.sharp], part.places[part.radii >= _BLURRED_UM]
        false, found = (np.nanmean(np.where(np.isfinite(p), p > threshold, np.nan)) for p in (places, blurred))
        lines.append(f"\n{part.slide}: {false:.1%} of sharp and {found:.1%} of blurred tissue above {threshold:.3f}")
    return "\n".join(lines)


def draw_roc(judged: list[Judged], path: Path) -> None:
    """A curve for each slide held out: sharp (radius ≤ 0.5 µm) against blurred (≥ 1.5 µm), all kernels."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
    for part, colour in zip(judged, _COLOURS, strict=False):
        sharp, blurred = part.scores[part.sharp], part.scores[part.radii >= _BLURRED_UM]
        steps = np.concatenate([[np.inf], np.sort(np.concatenate([sharp, blurred]))[::-1]])
        false = [(sharp >= step).mean() for step in steps]
        true = [(blurred >= step).mean() for step in steps]
        axes.plot(false, true, color=colour, label=f"{part.slide}, AUC {auc(sharp, blurred):.3f}")
    axes.set_xlim(0, 0.3)
    axes.set_ylim(0.7, 1.002)
    axes.set_xlabel("sharp images called blurred")
    axes.set_ylabel("blurred images found")
    axes.set_title("Slides held out of training, 96 µm views", fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
