"""Where on slides of new patients a network sees tumor: as a heat map, and as regions that QuPath opens.

python docs/examples/holdout_prediction.py [FOLDER]

A small network learns from patches at random places of some patients' slides. It then looks at every place of the
others', by a grid, and what it says is stitched together. Some minutes on a CPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from demo_cohort import draw_cohort
from matplotlib.figure import Figure
from torch import Tensor, nn

from slidekit import WSI, create_project
from slidekit.sampling import PatchSampler
from slidekit.slide.heat_map import HeatMap, assemble_grid, heat_map_regions
from slidekit.slide.roi import write_roi_geojson

TILE_PX, TILE_UM = 64, 64
CLASSES = ("stroma", "tumor")


def make_model() -> nn.Module:
    """Make a small network; it takes float32 (n, 3, h, w), −1 to 1."""
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, len(CLASSES)))


def fit(patches: Iterable[tuple[Tensor, dict[str, Any]]]) -> nn.Module:
    """Train a network on patches; the class that each was drawn for is its label."""
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    losses = []
    for images, info in patches:
        loss = nn.functional.cross_entropy(model(images), info["class"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        if len(losses) % 50 == 0:
            print(f"batch {len(losses)}: loss {np.mean(losses[-50:]):.3f}", flush=True)
    return model.eval()


@torch.no_grad()
def predict(model: nn.Module, grid: PatchSampler, workers: int | None) -> dict[str, HeatMap]:
    """Look at every cell of a grid; return a map of the probability of tumor for each slide."""
    slides: list[str] = []
    values, steps = [], []
    for images, info in grid.torch(64, scaling="-1..1", info=True, workers=workers):
        slides += info["slide"]
        steps.append(info["step"].numpy())
        values.append(model(images).softmax(1)[:, CLASSES.index("tumor")].numpy())
    # What could not be read is not among them, and stays empty on the map.
    cells, tumor, names = grid.cells(np.concatenate(steps)), np.concatenate(values), np.array(slides)
    return {
        name: assemble_grid(tumor[names == name], cells[names == name], grid.grids[name])
        for name in sorted(set(slides))
    }


def draw_heat_map(slide: Path, heat_map: HeatMap, picture: Path) -> None:
    """Draw a map over the slide, in level-0 pixels."""
    with WSI(slide, TILE_PX, TILE_UM) as wsi:
        (width, height), image = wsi.dimensions, wsi.preview(700, rois=False, tiles=False)
    figure = Figure(figsize=(7, 6.2 * height / width), layout="constrained")
    axes = figure.add_subplot(title=f"{slide.stem}: probability of tumor", xlabel="level-0 px", ylabel="level-0 px")
    axes.imshow(image, extent=(0, width, height, 0))
    shown = axes.imshow(heat_map.values, extent=heat_map.extent, alpha=0.5, cmap="coolwarm", vmin=0, vmax=1)
    axes.set(xlim=(0, width), ylim=(height, 0))
    figure.colorbar(shown)
    figure.savefig(picture, dpi=100)


def main(
    folder: Path, *, steps: int = 200, patients: int = 6, workers: int | None = 1, seed: int = 0
) -> dict[str, HeatMap]:
    """Draw slides, train, predict; return a map for each slide of the patients who were held out."""
    torch.manual_seed(seed)
    torch.set_num_threads(max(1, torch.get_num_threads() - 1))  # one core is for the process that reads
    cohort = draw_cohort(folder / "data", patients=patients, seed=seed)
    project = create_project(folder / "study", slides=cohort.slides, rois=cohort.rois, annotations=cohort.annotations)
    train, held_out = project.dataset(TILE_PX, TILE_UM).split(val_fraction=0.34, seed=seed)

    # 1. Random places within the outlines, both classes alike.
    training = train.sampler(classes=CLASSES, min_class=0.9, augment=True, seed=seed)
    model = fit(training.torch(16, steps=16 * steps, scaling="-1..1", info=True, workers=workers))

    # 2. Every place of a new slide's tissue, outlined or not; cells overlap by half, so the map has twice their detail.
    grid = held_out.sampler(mode="grid", stride_div=2, roi_method="ignore", qc="otsu", shuffle=False)
    heat_maps = predict(model, grid, workers)

    # 3. For people: a picture, and regions to open in QuPath.
    for name, heat_map in heat_maps.items():
        draw_heat_map(cohort.slides / f"{name}.svs", heat_map, folder / f"{name}.png")
        regions = heat_map_regions(heat_map, 0.5, label="tumor", min_area_um2=TILE_UM**2, simplify_um=TILE_UM / 4)
        write_roi_geojson(folder / f"{name}.geojson", regions)
        area = sum(roi.polygon.area for roi in regions) * heat_map.mpp[0] * heat_map.mpp[1]
        print(f"{name}: {len(regions)} regions of tumor, {area / 1e6:.3f} mm²; {folder / name}.geojson")
    return heat_maps


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("holdout"), help="where everything goes")
    parser.add_argument("--steps", type=int, default=200, help="batches of 16 patches")
    given = parser.parse_args()
    main(given.folder, steps=given.steps)
