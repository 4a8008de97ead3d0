"""Tumor and stroma outlined pixel by pixel, with PyTorch: a small U-Net on patches straight from slides and regions.

python docs/examples/segmentation.py [FOLDER]

The network is Ronneberger et al.: U-Net, MICCAI 2015, made small: some minutes on a CPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from demo_cohort import draw_cohort
from tile_rows import draw_rows
from torch import Tensor, nn

from slidekit import Dataset, create_project
from slidekit.augment.patches import PatchAugment
from slidekit.sampling import PatchSampler

TILE_PX, TILE_UM = 64, 128
CLASSES = ("stroma", "tumor")  # in label images: 1 and 2; 0 is what nobody has outlined
COLOURS = np.array([[255, 255, 255], [90, 160, 90], [190, 60, 60]], np.uint8)


class UNet(nn.Module):
    """Halve twice, double twice, and look at each resolution again on the way back."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.down = nn.ModuleList([block(3, width), block(width, 2 * width), block(2 * width, 4 * width)])
        self.up = nn.ModuleList([block(6 * width, 2 * width), block(3 * width, width)])
        self.last = nn.Conv2d(width, len(CLASSES), 1)

    def forward(self, images: Tensor) -> Tensor:
        """Score the classes of each pixel; float32 (n, 3, h, w), h and w multiples of 4, gives (n, classes, h, w)."""
        first = self.down[0](images)
        second = self.down[1](nn.functional.max_pool2d(first, 2))
        features = self.down[2](nn.functional.max_pool2d(second, 2))
        for layer, earlier in zip(self.up, (second, first), strict=True):
            features = layer(torch.cat([nn.functional.interpolate(features, scale_factor=2), earlier], dim=1))
        return self.last(features)


def block(before: int, after: int) -> nn.Module:
    """Make two convolutions, each normalised."""
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)


def fit(patches: Iterable[tuple[Tensor, Tensor]]) -> UNet:
    """Train a network on images and their label images."""
    model = UNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for images, labels in patches:
        # What nobody has outlined may be anything: it teaches nothing, least of all that it is neither.
        loss = nn.functional.cross_entropy(model(images), labels.long() - 1, ignore_index=-1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        if len(losses) % 50 == 0:
            print(f"batch {len(losses)}: loss {np.mean(losses[-50:]):.3f}", flush=True)
    return model.eval()


@torch.no_grad()
def validate(model: UNet, patches: Iterable[tuple[Tensor, Tensor]], picture: Path) -> dict[str, float]:
    """Compare with the outlines, and draw some patches; return the Dice coefficient of each class."""
    both, either = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    shown: list[tuple[np.ndarray, ...]] = []
    for images, labels in patches:
        found = model(images).argmax(1).numpy() + 1
        truth = labels.numpy()
        found[truth == 0] = 0  # nobody knows
        for index in range(len(CLASSES)):
            mine, theirs = found == index + 1, truth == index + 1
            both[index] += (mine & theirs).sum()
            either[index] += mine.sum() + theirs.sum()
        pixels = ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        shown += zip(pixels, COLOURS[truth], COLOURS[found], strict=True)
    # Those with most of both.
    mixed = sorted(shown, key=lambda patch: -len(np.unique(patch[1].reshape(-1, 3), axis=0)))[:8]
    draw_rows(
        dict(zip(("patch", "outlined", "predicted"), map(np.stack, zip(*mixed, strict=True)), strict=True)), picture
    )
    return dict(zip(CLASSES, (2 * both / either).tolist(), strict=True))


def make_samplers(train: Dataset, held_out: Dataset, seed: int) -> tuple[PatchSampler, PatchSampler]:
    """Make what gives the patches to learn from, and those to judge by."""
    # Each class as often as the other, however little of a slide it takes up; at least half of a patch is of the class
    # that it was drawn for. Colours are shifted; flips, turns and warps move image and labels alike.
    training = PatchSampler(
        train,
        TILE_PX,
        TILE_UM,
        classes=CLASSES,
        min_class=0.5,
        label_images=True,
        augment=PatchAugment(probability=0.8),
        seed=seed,
    )
    # All of the held-out patients' regions, each place once.
    grid = PatchSampler(
        held_out,
        TILE_PX,
        TILE_UM,
        mode="grid",
        roi_method="inside",
        roi_filter_method=0.25,
        classes=CLASSES,
        label_images=True,
    )
    return training, grid


def main(
    folder: Path, *, steps: int = 300, patients: int = 6, workers: int | None = 1, seed: int = 0
) -> dict[str, float]:
    """Draw slides, train, validate; return the Dice coefficients on patients who were held out."""
    torch.manual_seed(seed)
    torch.set_num_threads(max(1, torch.get_num_threads() - 1))  # one core is for the process that reads
    cohort = draw_cohort(folder / "data", patients=patients, seed=seed)
    project = create_project(folder / "study", slides=cohort.slides, rois=cohort.rois, annotations=cohort.annotations)
    train, held_out = project.dataset(TILE_PX, TILE_UM).split(val_fraction=0.34, seed=seed)
    training, grid = make_samplers(train, held_out, seed)
    model = fit(training.torch(8, steps=8 * steps, scaling="-1..1", workers=workers))
    torch.save(model.state_dict(), folder / "unet.pt")
    patches = grid.torch(32, scaling="-1..1", workers=workers)
    dice = validate(model, patches, folder / "segmentation.png")
    names = ", ".join(sorted(set(held_out.patients().values())))
    print(f"Dice on {names}: " + ", ".join(f"{name} {value:.3f}" for name, value in dice.items()))
    return dice


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("segmentation"), help="where everything goes")
    parser.add_argument("--steps", type=int, default=300, help="batches of 8 patches")
    given = parser.parse_args()
    main(given.folder, steps=given.steps)
