"""From outlined regions to a heat map of a new slide, with PyTorch: a minute on a CPU.

python docs/examples/train_torch.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from demo_cohort import draw_cohort
from heat_map import draw_heat_map
from torch import nn

from slidekit import WSI, Dataset, ModelParams, create_project, norm

EPOCHS = 5


def main(folder: Path, seed: int = 0) -> float:
    """Draw slides, train, validate, predict; return the accuracy on patients who were held out."""
    torch.manual_seed(seed)
    cohort = draw_cohort(folder / "data", seed=seed)
    project = create_project(folder / "study", slides=cohort.slides, rois=cohort.rois, annotations=cohort.annotations)

    # 1. Tiles of 64 µm, from tissue inside the outlines.
    dataset = project.dataset(tile_px=64, tile_um=64)
    dataset.extract_tiles(roi_method="inside", qc="otsu", report=False)

    # 2. What each tile shows is what was drawn around it; patients are split, not tiles.
    labels = dataset.roi_labels()
    classes = sorted(labels["label"].unique())
    train, held_out = dataset.split(val_fraction=0.34, seed=seed)

    # 3. One stain: fitted to the training tiles, and kept with the model.
    normalizer = norm.autoselect("macenko", train)
    params = ModelParams(tile_px=64, tile_um=64, normalizer="macenko", augment="xyr", facts={"outcome_labels": classes})
    model = fit(train, labels, params, normalizer, seed)
    accuracy = validate(model, held_out, labels, normalizer)

    # 4. The model's folder is all that a new slide needs.
    model_dir = folder / "model"
    model_dir.mkdir()
    torch.save(model.state_dict(), model_dir / "model.pt")
    params.save(model_dir, normalizer=normalizer)
    predict(cohort.new_slide, model_dir, folder / "heat-map.png")
    return accuracy


def make_model(classes: int) -> nn.Module:
    """Make a small network; it takes float32 (n, 3, h, w), −1 to 1."""
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def fit(train: Dataset, labels: object, params: ModelParams, normalizer: norm.StainNormalizer, seed: int) -> nn.Module:
    """Train a network on the tiles that have a label."""
    loader = train.torch(
        labels, batch_size=32, normalizer=normalizer, augment=params.augment, standardize=True, seed=seed
    )
    model = make_model(len(params.facts["outcome_labels"]))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(EPOCHS):
        losses = []
        for images, targets in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), targets)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.3f}")
    return model.eval()


@torch.no_grad()
def validate(model: nn.Module, held_out: Dataset, labels: object, normalizer: norm.StainNormalizer) -> float:
    """Say which share of the held-out patients' tiles is right."""
    loader = held_out.torch(labels, batch_size=64, normalizer=normalizer, standardize=True, shuffle=False)
    right = sum(int((model(images).argmax(1) == targets).sum()) for images, targets in loader)
    patients = sorted(set(held_out.patients().values()))
    print(f"accuracy {right / loader.num_tiles:.3f} on {loader.num_tiles} tiles of {', '.join(patients)}")
    return right / loader.num_tiles


@torch.no_grad()
def predict(slide: Path, model_dir: Path, picture: Path) -> dict[tuple[int, int], float]:
    """Give each tile of a slide its probability of tumour, and draw them."""
    params = ModelParams.load(model_dir)
    normalizer = norm.from_params(model_dir / "params.json")
    classes = params.facts["outcome_labels"]
    model = make_model(len(classes)).eval()
    model.load_state_dict(torch.load(model_dir / "model.pt", weights_only=True))
    with WSI(slide, params.tile_px, params.tile_um, qc="otsu") as wsi:
        places, tiles = zip(*wsi.map(normalizer.transform), strict=True)
        images = torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2) / 127.5 - 1
        tumor = model(images).softmax(1)[:, classes.index("tumor")].tolist()
        found = dict(zip(places, tumor, strict=True))
        draw_heat_map(wsi, found, picture)
    print(f"{slide.name}: {len(found)} tiles, {sum(value > 0.5 for value in tumor)} of them tumor; {picture}")
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "train-torch"))
