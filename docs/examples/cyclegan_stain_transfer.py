"""Stain transfer learned from two folders of slides, with PyTorch: a CycleGAN on patches that no one has paired.

python docs/examples/cyclegan_stain_transfer.py [FOLDER] [--slides-a DIR --slides-b DIR]

The method is Zhu et al.: Unpaired image-to-image translation using cycle-consistent adversarial networks, ICCV 2017,
made small: two minutes on a CPU, after which the stains are clearly nearer, by how much differs from seed to seed. The
generator that it saves is what the normaliser ``cyclegan`` takes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from demo_cohort import draw_slide
from tile_rows import draw_rows
from torch import Tensor, nn

from slidekit import WSI, norm
from slidekit.augment.patches import PatchAugment
from slidekit.pixels.discovery import find_slides
from slidekit.sampling import PatchSampler
from slidekit.sampling.streams import zip_samplers

TILE_PX, TILE_UM = 64, 64
FLIPS = PatchAugment(hue=0, lightness=0, warp=False)  # colours are what is to be learned
CYCLE, POOL = 10.0, 50  # weight of the way there and back; fake images that the discriminators are shown again


class Residual(nn.Module):
    """An image, and what a small network adds to it: the stain has to change, the tissue has not."""

    def __init__(self, change: nn.Module) -> None:
        super().__init__()
        self.change = change

    def forward(self, images: Tensor) -> Tensor:
        """Change float32 (n, c, h, w)."""
        return images + self.change(images)


def make_generator(width: int = 12, blocks: int = 3) -> nn.Module:
    """Make a ResNet generator; it takes and gives float32 (n, 3, h, w), −1 to 1, h and w multiples of 4."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 7, padding=3, padding_mode="reflect"), nn.ReLU()]
    for channels in (width, 2 * width):
        layers += [nn.Conv2d(channels, 2 * channels, 3, 2, 1), nn.ReLU()]
    for _ in range(blocks):
        inner = [
            nn.Conv2d(4 * width, 4 * width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(4 * width, 4 * width, 3, padding=1),
        ]
        layers.append(Residual(nn.Sequential(*inner)))
    for channels in (4 * width, 2 * width):
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(channels, channels // 2, 3, padding=1), nn.ReLU()]
    # What is added is bounded, or a generator could run away before the discriminator is any good.
    return Residual(nn.Sequential(*layers, nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect"), nn.Tanh()))


def make_discriminator(width: int = 16) -> nn.Module:
    """Make a PatchGAN: a judgement for each part of an image."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for channels in (width, 2 * width):
        layers += [nn.Conv2d(channels, 2 * channels, 4, 2, 1), nn.InstanceNorm2d(2 * channels), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(4 * width, 1, 4, padding=1))


class ImagePool:
    """Fake images of earlier steps: a discriminator that sees the newest ones alone forgets the others."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.images, self.random = size, [], np.random.default_rng(seed)

    def exchange(self, fakes: Tensor) -> Tensor:
        """Keep some of these images, and give earlier ones in their place."""
        given = []
        for fake in fakes.detach():
            if len(self.images) < self.size:
                self.images.append(fake)
                given.append(fake)
            elif self.random.random() < 0.5:
                given.append(fake)
            else:
                place = int(self.random.integers(self.size))
                given.append(self.images[place])
                self.images[place] = fake
        return torch.stack(given)


class CycleGAN:
    """Two generators, two discriminators and what trains them."""

    def __init__(self, seed: int = 0, rate: float = 1e-3) -> None:
        self.generators = nn.ModuleDict({"A": make_generator(), "B": make_generator()})  # by what they make
        self.judges = nn.ModuleDict({"A": make_discriminator(), "B": make_discriminator()})
        self.pools = {domain: ImagePool(POOL, seed) for domain in "AB"}
        self.optimizers = [
            torch.optim.Adam(networks.parameters(), lr=rate, betas=(0.5, 0.999))
            for networks in (self.generators, self.judges)
        ]

    def step(self, real: Mapping[str, Tensor]) -> tuple[float, float]:
        """Train on a batch of each domain; return the cycle's L1 distance and the discriminators' loss."""
        fakes = {"A": self.generators["A"](real["B"]), "B": self.generators["B"](real["A"])}
        back = {"A": self.generators["A"](fakes["B"]), "B": self.generators["B"](fakes["A"])}
        cycle = sum(nn.functional.l1_loss(back[domain], real[domain]) for domain in "AB")
        fooled = sum(least_squares(self.judges[domain](fakes[domain]), 1) for domain in "AB")
        self.descend(self.optimizers[0], fooled + CYCLE * cycle)
        judged = sum(
            least_squares(self.judges[domain](real[domain]), 1)
            + least_squares(self.judges[domain](self.pools[domain].exchange(fakes[domain])), 0)
            for domain in "AB"
        )
        self.descend(self.optimizers[1], judged / 2)
        return float(cycle.detach()) / 2, float(judged.detach()) / 4

    @staticmethod
    def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        """Go a step down."""
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def least_squares(judgement: Tensor, wanted: float) -> Tensor:
    """Give the loss of LSGAN (Mao et al., ICCV 2017)."""
    return ((judgement - wanted) ** 2).mean()


def train(batches: Iterable[Mapping[str, Tensor]], steps: int, seed: int = 0) -> CycleGAN:
    """Train on so many unpaired batches; the learning rate falls to zero over the second half."""
    torch.manual_seed(seed)
    gan = CycleGAN(seed)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, max(0.0, 2 * (1 - step / steps))))
        for optimizer in gan.optimizers
    ]
    for step, real in enumerate(batches, start=1):
        cycle, judged = gan.step(real)
        for schedule in schedules:
            schedule.step()
        if step % max(1, steps // 10) == 0:
            print(f"step {step}: cycle {cycle:.3f}, discriminators {judged:.3f}", flush=True)
    return gan


def save_generator(generator: nn.Module, path: Path) -> None:
    """Save a network as a program for images of any size: what the normaliser ``cyclegan`` loads."""
    any_size = torch.export.Dim.AUTO
    example = torch.zeros(2, 3, TILE_PX, TILE_PX)
    sizes = ({0: any_size, 2: any_size, 3: any_size},)
    torch.export.save(torch.export.export(generator.eval(), (example,), dynamic_shapes=sizes), path)


def read_tiles(slide: Path) -> np.ndarray:
    """Read the tissue of a slide: uint8 (n, h, w, 3)."""
    with WSI(slide, TILE_PX, TILE_UM, qc="otsu") as wsi:
        return np.stack(list(wsi))


def apply(slide: Path, generator: Path, wanted: Path, picture: Path) -> tuple[np.ndarray, np.ndarray]:
    """Normalise the tissue of a slide, and draw some of it beside another slide; return it before and after."""
    normalizer = norm.autoselect("cyclegan", generator)
    before = read_tiles(slide)
    after = np.stack([normalizer.transform(tile) for tile in before])
    rows = {"as scanned": before, "by the generator": after, "the other stain": read_tiles(wanted)}
    draw_rows({name: tiles[np.linspace(0, len(tiles) - 1, 8).astype(int)] for name, tiles in rows.items()}, picture)
    return before, after


def draw_domains(folder: Path, slides: int, seed: int) -> tuple[Path, Path]:
    """Draw slides in two stains, of other tissue each; and one more tissue in both, to judge by."""
    for number in range(2 * slides + 2):
        palette, tissue = ("violet", "rose")[number % 2], min(number, 2 * slides)
        place = folder / (palette if number < 2 * slides else f"judge-{palette}")
        place.mkdir(parents=True, exist_ok=True)
        draw_slide(place / f"slide-{tissue}.svs", place / f"slide-{tissue}.csv", tissue, palette, 100 * seed + tissue)
    return folder / "violet", folder / "rose"


def judge(folder: Path, generator: Path, picture: Path) -> tuple[float, float]:
    """Compare with the same tissue in the other stain, which real slides never show; return mean grey levels."""
    (slide,), (truth,) = find_slides(folder / "judge-violet"), find_slides(folder / "judge-rose")
    before, after = apply(slide, generator, truth, picture)
    with WSI(slide, TILE_PX, TILE_UM, qc="otsu") as wsi, WSI(truth, TILE_PX, TILE_UM) as other:
        table = wsi.get_tile_dataframe(kept_only=True)
        wanted = np.stack([other[cell] for cell in zip(table["grid_x"], table["grid_y"], strict=True)]).astype(float)
    return float(np.abs(before - wanted).mean()), float(np.abs(after - wanted).mean())


def main(
    folder: Path,
    slides_a: Path | None = None,
    slides_b: Path | None = None,
    *,
    steps: int = 250,
    batch_size: int = 4,
    drawn: int = 2,
    workers: int | None = 1,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Train on two folders of slides, save the generator from A to B, and apply it; return what `judge` does."""
    torch.set_num_threads(max(1, torch.get_num_threads() - 1))  # one core is for the processes that read
    folder.mkdir(parents=True, exist_ok=True)
    drawn_by_us = slides_a is None or slides_b is None
    if drawn_by_us:
        slides_a, slides_b = draw_domains(folder / "data", drawn, seed)

    # 1. Patches of one physical size from both, in streams that know nothing of each other. Nothing is extracted, and
    #    glass alone has no stain to transfer.
    streams = zip_samplers(
        {
            "A": PatchSampler(slides_a, TILE_PX, TILE_UM, min_tissue=0.5, augment=FLIPS, seed=seed),
            "B": PatchSampler(slides_b, TILE_PX, TILE_UM, min_tissue=0.5, augment=FLIPS, seed=seed),
        },
        batch_size=batch_size,
    )

    # 2. Both generators learn at once; only the one from A to B is kept.
    batches = streams.torch(steps=steps * batch_size, scaling="-1..1", workers=workers)
    gan = train(batches, steps, seed)
    save_generator(gan.generators["B"], folder / "a-to-b.pt2")

    # 3. From now on it is a normaliser like any other: of tiles, of extractions, of loaders.
    generator, picture = folder / "a-to-b.pt2", folder / "before-after.png"
    if not drawn_by_us:
        apply(find_slides(slides_a)[0], generator, find_slides(slides_b)[0], picture)
        return None
    before, after = judge(folder / "data", generator, picture)
    print(f"{before:.2f} grey levels from the same tissue in the other stain before, {after:.2f} after; {picture}")
    return before, after


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("cyclegan"), help="where everything goes")
    parser.add_argument("--slides-a", type=Path, help="folder of slides to change; drawn if left out")
    parser.add_argument("--slides-b", type=Path, help="folder of slides whose colours are wanted")
    parser.add_argument("--steps", type=int, default=250, help="batches of 4 patches of each")
    given = parser.parse_args()
    if (given.slides_a is None) != (given.slides_b is None):
        parser.error("give both folders of slides, or none")
    main(given.folder, given.slides_a, given.slides_b, steps=given.steps)
