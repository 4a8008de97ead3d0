"""A network that finds tumor: trained on outlined slides, applied to the slide of another patient, and drawn.

Run it with ``python docs/examples/tissue_segmentation.py --folder segmentation``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from demo_cohort import Cohort, draw_cohort
from matplotlib.figure import Figure

from slidekit import WSI, Dataset, segment
from slidekit.segment.training import TrainedModel
from slidekit.slide.segmentation.predict import Segmenter


def learn(cohort: Cohort, folder: Path, *, epochs: int = 6, steps: int = 24) -> TrainedModel:
    """Train on the outlined slides; one patient in five validates."""
    dataset = Dataset(slides=cohort.slides, rois=cohort.rois, annotations=cohort.annotations)
    config = segment.SegmentConfig(
        mpp=4, labels=["tumor"], size=128, depth=3, filters=12, epochs=epochs, steps_per_epoch=steps, lr=3e-3
    )
    return segment.train(
        config,
        dataset,
        dest=folder / "model",
        on_epoch=lambda result: print(f"epoch {result.epoch}: loss {result.loss:.3f}, Dice {result.dice:.3f}"),
    )


def draw(cohort: Cohort, model: TrainedModel, picture: Path) -> float:
    """Draw slide, truth, probabilities and generated regions; give the share of tumor area that both agree on."""
    with WSI(cohort.new_slide, tile_px=64, tile_um=128, rois=cohort.new_rois) as wsi:
        truth = [roi for roi in wsi.rois if roi.label == "tumor"]
        scores = Segmenter.load(model.path).scores(wsi)
        found = segment.generate_rois(wsi, model.path, min_area_mm2=0.005, apply=False)
        image, size = wsi.overview(600, 480), wsi.dimensions
    figure = Figure(figsize=(9, 7.4), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    titles = ("slide", "tumor as outlined", "probability of tumor", "regions that are generated")
    for axes, title in zip(panels, titles, strict=True):
        axes.imshow(image, extent=(0, size[0], size[1], 0))
        axes.set(title=title, xticks=[], yticks=[], xlim=(0, size[0]), ylim=(size[1], 0))
    shown = panels[2].imshow(scores.values[..., 0], extent=(0, size[0], size[1], 0), cmap="magma", vmin=0, vmax=1)
    figure.colorbar(shown, ax=panels[2], shrink=0.8)
    for axes, rois, color in ((panels[1], truth, "tab:blue"), (panels[3], found.rois, "tab:green")):
        for roi in rois:
            for ring in (roi.polygon.exterior, *roi.polygon.interiors):
                axes.plot(*np.asarray(ring.coords).T, color=color, linewidth=2)
    figure.savefig(picture, dpi=56)
    return overlap([roi.polygon for roi in truth], [roi.polygon for roi in found.rois])


def overlap(truth: list, found: list) -> float:
    """Dice coefficient of two sets of polygons."""
    import shapely

    a, b = shapely.union_all(truth), shapely.union_all(found)
    return 2 * a.intersection(b).area / (a.area + b.area)


def main() -> None:
    """Draw slides, train, and draw what comes of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("segmentation"), help="where everything goes")
    parser.add_argument("--picture", type=Path, help="default: tissue-segmentation.png in that folder")
    parser.add_argument("--patients", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=24, help="batches of an epoch")
    options = parser.parse_args()
    cohort = draw_cohort(options.folder, patients=options.patients)
    model = learn(cohort, options.folder, epochs=options.epochs, steps=options.steps)
    print(f"Dice {model.dice:.3f} on {', '.join(model.validation)}, epoch {model.best.epoch}")
    agreed = draw(cohort, model, options.picture or options.folder / "tissue-segmentation.png")
    print(f"Dice {agreed:.3f} of generated and true regions on a patient who was not seen")


if __name__ == "__main__":
    main()
