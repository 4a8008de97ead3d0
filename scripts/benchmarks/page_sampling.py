"""The section of the page of benchmarks about patches straight from slides."""

from __future__ import annotations

from typing import Any

__all__ = ["sampling_section"]


def sampling_section(measured: dict[str, Any]) -> str:
    """All tables of the part ``sampling``."""
    sections = (
        _HEAD + _random_table(measured["random"]),
        _cold_table(measured["cold"]),
        _start(measured["start"], measured["kept"]),
        _training(measured["steps"], measured["epochs"]),
    )
    return "\n".join(sections)


_HEAD = """
## Patches straight from slides

### Beside histo-fetch

Random patches of tissue, 256 px of 256 µm (histo-fetch: every fourth pixel of level 0), by the clock on both cores.
histo-fetch's algorithm is written anew from its description: it opens the slide and decodes the mask for each patch,
lists the mask's tissue pixels, draws one, and augments with scikit-image; once in a plain loop, once in its own graph
of tf.data with forty parallel calls. The ratio is to the faster of the two in each round. Both have their masks;
slidekit starts its workers within the measured time. Augmented: every patch, hue, lightness and a piecewise affine warp
on both sides; slidekit flips and turns as well. The real slide's level 1 is of 1.011 µm/px:
histo-fetch takes it as it is, slidekit resamples level 0 to 1 µm/px, by Lanczos.

"""


def _random_table(slides: dict[str, Any]) -> str:
    lines = [
        "| slide | patches | way | patches/s | CPU ms per patch | × histo-fetch | × less CPU |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for slide, kinds in slides.items():
        for kind, row in kinds.items():
            for way, speed in row["patches/s"].items():
                ratios = (f"{row[name][way]:.1f}" if way in row[name] else "" for name in ("ratio", "ratio of CPU"))
                lines.append(
                    f"| {slide} | {kind} | {way} | {speed:.1f} | {row['ms'][way]:.2f} | {' | '.join(ratios)} |"
                )
    return "\n".join(lines) + "\n"


def _cold_table(slides: dict[str, dict[str, dict[str, float]]]) -> str:
    rows = "\n".join(
        f"| {slide} | {look_ahead} | {row['patches']:.0f} | {row['first']:.2f} s | {row['patches/s']:.0f}"
        f" | {row['sustained']:.0f} | {row['p50']:.1f} / {row['p95']:.1f} ms | {row['decodes']:.2f}"
        f" | {row['bytes'] / 1e3:.0f} kB | {row['ms']:.2f} ms | {row['memory']:.0f} MB |"
        for slide, look_aheads in slides.items()
        for look_ahead, row in look_aheads.items()
    )
    return f"""
### Cold caches, and looking ahead

Random patches of 256 px of 128 µm, batches of 32, two workers. Each run is a process of its own that has neither a mask
nor a decoded tile; the file is in the page cache. Ahead: patches that are planned together; 1 is no look-ahead. The
first batch waits for mask and workers; patches/s counts all that, sustained counts from the first batch on. Decodes:
native tiles of the slide that are decoded for a patch, on average; read and CPU are for a patch, too. Workers keep
decoded tiles: a small slide stays in memory whole. Memory is that of all processes. The real slide is of 0.2528 µm/px.

| slide | ahead | patches | first batch | patches/s | sustained | wait, p50 / p95 | decodes | read | CPU | memory |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
{rows}
"""


def _start(start: dict[str, float], kept: dict[str, dict[str, float]]) -> str:
    rows = "\n".join(
        f"| {slide}, {row['tiles']:.0f} tiles | {row['mask'] / 1e3:.1f} kB | {row['histo-fetch mask'] / 1e3:.1f} kB"
        f" | {row['bytes'] / 1e6:.1f} MB | {row['bytes'] / row['mask']:.0f}"
        f" | {row['bytes Q75'] / 1e6:.1f} MB | {row['bytes Q75'] / row['mask']:.0f} |"
        for slide, row in kept.items()
    )
    chopping, two = start["chopping"], start["chopping"] / 2
    return f"""
### Until the first batch, and what is kept on disk

Ten copies of the bench slide that no cache can know, without masks: the first batch of 32 patches, 256 px of 128 µm,
is there after {start["seconds"]:.2f} s; its patches come from {start["slides"]:.0f} of the slides. To chop the ten into
JPEG tiles of that size (Q95, OpenSlide and Pillow, an Otsu mask first) takes one process {chopping:.0f} s, reckoned
from one of every {start["every"]:.0f} tissue tiles of one slide. The first batch takes
{start["seconds"] / chopping:.1%} of that, and {start["seconds"] / two:.1%} of what two processes would need that share
the work without loss.

The mask in the cache beside the JPEG tiles of the tissue, Q95 and Q75 (Pillow's default):

| slide | mask | histo-fetch's mask | tiles Q95 | times the mask | tiles Q75 | times the mask |
|---|--:|--:|--:|--:|--:|--:|
{rows}
"""


def _training(steps: dict[str, Any], epochs: dict[str, Any]) -> str:
    names = {"sleeping": "sleeps 50 ms a step, as for an accelerator", "training": "trains a small CNN on the CPU"}
    rows = "\n".join(
        f"| {names[name]} | {row['ms']['TFRecords']:.1f} ms | {row['ms']['slides']:.1f} ms | {row['ratio']:.3f} |"
        for name, row in steps.items()
    )
    seconds, tiles = epochs["seconds"], epochs["tiles"]
    return f"""
### Training from slides and from TFRecords

`tf.data`, steps of 16 patches of 256 px of 128 µm from the bench slide and, where it is there, the real one. The same
patches come from the slides, and from the TFRecords that `materialise` wrote of them.

| the consumer | a step from TFRecords | from slides | ratio |
|---|--:|--:|--:|
{rows}

An epoch over the {tiles["slides"]} tissue tiles of the bench slide takes {seconds["slides"]:.2f} s from the slide
(`from_wsi=True`) and {seconds["TFRecords"]:.2f} s from TFRecords ({tiles["TFRecords"]} tiles), by which it is
{epochs["ratio"]:.2f} × as long; to extract those took {epochs["extraction"]:.1f} s, which is saved.
"""
