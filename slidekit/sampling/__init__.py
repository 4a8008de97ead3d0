"""Training patches straight from slides: where, how often and in which order, as a function of a seed and a step.

Examples
--------
>>> from slidekit.sampling import PatchSampler
>>> sampler = PatchSampler("slides/", tile_px=256, tile_um=128, seed=1)
>>> with sampler.batches(32, steps=10_000) as feed:
...     for batch in feed:
...         train(batch.images)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slidekit.augment.patches import PatchAugment
    from slidekit.sampling.coverage import Coverage, SlideCoverage
    from slidekit.sampling.feeding.feed import Feed
    from slidekit.sampling.feeding.report import FeedReport
    from slidekit.sampling.masks.histofetch import HistoFetch
    from slidekit.sampling.patch import Patch
    from slidekit.sampling.plan import Plan
    from slidekit.sampling.sampler import PatchSampler
    from slidekit.sampling.slides import SampledSlide, SlideSource
    from slidekit.sampling.spec import SamplingSpec
    from slidekit.sampling.streams import Streams, zip_samplers
    from slidekit.sampling.views import View
    from slidekit.sampling.written import read_materialised

__all__ = [
    "Coverage",
    "Feed",
    "FeedReport",
    "HistoFetch",
    "Patch",
    "PatchAugment",
    "PatchSampler",
    "Plan",
    "SampledSlide",
    "SamplingSpec",
    "SlideCoverage",
    "SlideSource",
    "Streams",
    "View",
    "read_materialised",
    "zip_samplers",
]

# Imported when they are first used: the command line reads the spec at its start, and must not wait for the rest.
_HOMES = {
    "Coverage": "sampling.coverage",
    "Feed": "sampling.feeding.feed",
    "FeedReport": "sampling.feeding.report",
    "HistoFetch": "sampling.masks.histofetch",
    "Patch": "sampling.patch",
    "PatchAugment": "augment.patches",
    "PatchSampler": "sampling.sampler",
    "Plan": "sampling.plan",
    "SampledSlide": "sampling.slides",
    "SamplingSpec": "sampling.spec",
    "SlideCoverage": "sampling.coverage",
    "SlideSource": "sampling.slides",
    "Streams": "sampling.streams",
    "View": "sampling.views",
    "read_materialised": "sampling.written",
    "zip_samplers": "sampling.streams",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"slidekit.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
