"""The map of `qc.Focus` beside what `qc.GaussianV2` sees, on a slide of which a part is blurred: a picture.

Run: python docs/examples/focus.py focus.png [SLIDE]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from slidekit import WSI
from slidekit.demo.slides import draw_demo_slides
from slidekit.slide.qc.focus import Focus
from slidekit.slide.qc.gaussian import GaussianV2


def main() -> None:
    """Draw the demo slides where no slide is named, and make the picture."""
    picture = Path(sys.argv[1])
    if len(sys.argv) > 2:
        draw(Path(sys.argv[2]), picture)
        return
    with tempfile.TemporaryDirectory() as folder:
        slides = draw_demo_slides(Path(folder), size=0.3).slides
        draw(next(slide.path for slide in slides if "blur" in slide.name), picture)


def draw(slide: Path, picture: Path) -> None:
    """The slide, the map of Focus and its mask, the mask of GaussianV2."""
    focus = Focus()
    with WSI(slide, 256, 128) as wsi:
        panels = {
            "the slide": wsi.thumb(600),
            "qc.Focus, probability of blur": focus(wsi, threshold=False),
            f"qc.Focus, above {focus.threshold:g}": focus(wsi),
            "qc.GaussianV2 (glass as well)": GaussianV2()(wsi),
        }
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained")
    for axis, (title, image) in zip(axes, panels.items(), strict=True):
        axis.imshow(image, cmap="magma", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axis.set_title(title, fontsize=10)
        axis.set_axis_off()
    figure.savefig(picture, dpi=80)


if __name__ == "__main__":
    main()
