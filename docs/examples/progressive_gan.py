"""Tissue that never was, from slides, with PyTorch: a progressive GAN whose patches grow while it trains.

python docs/examples/progressive_gan.py [FOLDER] [--slides DIR]

The method is Karras et al.: Progressive growing of GANs for improved quality, stability, and variation, ICLR 2018, made
small: 4 to 64 px in some minutes on a CPU, which shows how it is done; something like tissue takes thousands of batches
of each size. All resolutions show the same field of view, and one stream gives them all.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from demo_cohort import draw_cohort
from tile_rows import draw_rows
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from slidekit.augment.patches import PatchAugment
from slidekit.sampling import PatchSampler

TILE_UM = 128
LATENT = 64
CHANNELS = {4: 64, 8: 64, 16: 64, 32: 32, 64: 16}
BATCHES = {4: 32, 8: 32, 16: 16, 32: 16, 64: 8}  # patches of a batch, by their pixels
SIZES = tuple(CHANNELS)
FLIPS = PatchAugment(hue=0, lightness=0, warp=False)


class UnitFeatures(nn.Module):
    """Scale the features of each pixel to one length: neither network can win by growing without bound."""

    def forward(self, features: Tensor) -> Tensor:
        """Scale float32 (n, c, h, w)."""
        return features * torch.rsqrt(features.square().mean(dim=1, keepdim=True) + 1e-8)


def double(images: Tensor) -> Tensor:
    """Enlarge to twice the edge."""
    return functional.interpolate(images, scale_factor=2)


def halve(images: Tensor) -> Tensor:
    """Reduce to half the edge."""
    return functional.avg_pool2d(images, 2)


class Generator(nn.Module):
    """A block a resolution; all are there from the start, and those that are not needed yet rest."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(LATENT, CHANNELS[4] * 4 * 4)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(CHANNELS[before], CHANNELS[size], 3, padding=1), nn.LeakyReLU(0.2), UnitFeatures())
            for before, size in zip((4, *SIZES), SIZES, strict=False)
        )
        self.to_rgb = nn.ModuleList(nn.Conv2d(CHANNELS[size], 3, 1) for size in SIZES)

    def forward(self, latent: Tensor, stage: int, share: float) -> Tensor:
        """Draw images of a stage; `share` is how far its own block has been faded in."""
        features = self.blocks[0](self.first(latent).unflatten(1, (-1, 4, 4)))
        if stage == 0:
            return self.to_rgb[0](features)
        for block in self.blocks[1:stage]:
            features = block(double(features))
        older = double(self.to_rgb[stage - 1](features))
        return torch.lerp(older, self.to_rgb[stage](self.blocks[stage](double(features))), share)


class Discriminator(nn.Module):
    """The generator's mirror image."""

    def __init__(self) -> None:
        super().__init__()
        self.from_rgb = nn.ModuleList(nn.Conv2d(3, CHANNELS[size], 1) for size in SIZES)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(CHANNELS[size], CHANNELS[before], 3, padding=1), nn.LeakyReLU(0.2))
            for before, size in zip((4, *SIZES), SIZES, strict=False)
        )
        self.last = nn.Linear(CHANNELS[4] * 4 * 4, 1)

    def forward(self, images: Tensor, stage: int, share: float) -> Tensor:
        """Judge images of a stage: above zero is real."""
        features = self.blocks[stage](self.from_rgb[stage](images))
        if stage > 0:
            features = torch.lerp(self.from_rgb[stage - 1](halve(images)), halve(features), share)
            for block in reversed(self.blocks[1:stage]):
                features = halve(block(features))
        return self.last(features.flatten(1))[:, 0]


class ProgressiveGAN:
    """Both networks and what trains them, by the logistic loss with R1 (Mescheder et al., ICML 2018)."""

    def __init__(self, penalty: float = 1.0) -> None:
        self.generator, self.discriminator, self.penalty = Generator(), Discriminator(), penalty
        # The two go round each other; the generator's mean over the last steps stands still in the middle.
        self.average = AveragedModel(self.generator, multi_avg_fn=get_ema_multi_avg_fn(0.98))
        self.optimizers = [
            torch.optim.Adam(network.parameters(), lr=2e-3, betas=(0.0, 0.99))
            for network in (self.discriminator, self.generator)
        ]

    def step(self, real: Tensor, stage: int, share: float) -> None:
        """Train both on a batch."""
        if stage > 0:  # what is real has to fade in as well, or the fading tells the two apart
            real = torch.lerp(double(halve(real)), real, share)
        fake = self.generator(torch.randn(len(real), LATENT), stage, share)
        real.requires_grad_()
        said = self.discriminator(real, stage, share)
        (slope,) = torch.autograd.grad(said.sum(), real, create_graph=True)
        judged = functional.softplus(-said) + functional.softplus(self.discriminator(fake.detach(), stage, share))
        self.descend(0, (judged + self.penalty / 2 * slope.square().sum(dim=(1, 2, 3))).mean())
        self.descend(1, functional.softplus(-self.discriminator(fake, stage, share)).mean())
        self.average.update_parameters(self.generator)

    def descend(self, number: int, loss: Tensor) -> None:
        """Go a step down with one of the networks."""
        self.optimizers[number].zero_grad()
        loss.backward()
        self.optimizers[number].step()


def train(sampler: PatchSampler, folder: Path, sizes: Sequence[int], steps: int, workers: int | None) -> list[float]:
    """Train size after size, `steps` batches each, and draw examples; return how far their mean colours are off."""
    gan, errors = ProgressiveGAN(), []
    stream = sampler.torch(BATCHES[sizes[0]], scaling="-1..1", workers=workers)
    batches = iter(stream)
    for stage, size in enumerate(sizes):
        if stage > 0:
            # The same stream goes on with other pixels of the same places: no file of another resolution is needed.
            stream.configure(tile_px=size, batch_size=BATCHES[size])
        for step in range(steps):
            real = next(batches)
            # The block is faded in over the first half, so that what was learned before is not lost.
            gan.step(real, stage, min(1.0, 2 * (step + 1) / steps))
        errors.append(show(gan.average, real, stage, folder / f"generated-{size:03}px.png"))
        print(f"{size} px: mean colours differ by {errors[-1]:.1f} grey levels", flush=True)
    batches.close()  # and with it the processes that read
    return errors


@torch.no_grad()
def show(generator: nn.Module, real: Tensor, stage: int, picture: Path) -> float:
    """Draw images of the generator above real ones; return the distance of their mean colours, in grey levels."""
    fake = generator(torch.randn(64, LATENT), stage, 1.0).clamp(-1, 1)
    colours = [((images + 1) * 127.5).mean(dim=(0, 2, 3)) for images in (fake, real)]
    enlarge = SIZES[-1] // SIZES[stage]
    rows = {}
    for title, images in (("generated", fake), ("from slides", real)):
        pixels = ((images[:8] + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        rows[f"{title}, {SIZES[stage]} px"] = pixels.repeat(enlarge, axis=1).repeat(enlarge, axis=2)
    draw_rows(rows, picture)
    return float((colours[0] - colours[1]).norm())


def main(
    folder: Path,
    slides: Path | None = None,
    *,
    sizes: Sequence[int] = SIZES,
    steps: int = 200,
    patients: int = 2,
    workers: int | None = 1,
    seed: int = 0,
) -> list[float]:
    """Train on a folder of slides; return what `train` does, a number a size."""
    torch.manual_seed(seed)
    torch.set_num_threads(max(1, torch.get_num_threads() - 1))  # one core is for the process that reads
    folder.mkdir(parents=True, exist_ok=True)
    slides = slides or draw_cohort(folder / "data", patients=patients, seed=seed).slides
    sampler = PatchSampler(slides, sizes[0], TILE_UM, min_tissue=0.5, augment=FLIPS, seed=seed)
    return train(sampler, folder, sizes, steps, workers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("progressive-gan"), help="where everything goes")
    parser.add_argument("--slides", type=Path, help="folder of slides; drawn if left out")
    parser.add_argument("--steps", type=int, default=200, help="batches of each size; more make better tissue")
    given = parser.parse_args()
    main(given.folder, given.slides, steps=given.steps)
