"""The examples that train straight from slides: at toy size they run to their end, at full size they learn."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import shapely

from slidekit import norm
from slidekit.slide.roi.load import load_rois

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
SMALL_UM = (420.0, 340.0)

pytestmark = pytest.mark.torch


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Import an example as its script does; masks go into the test's folder."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("SLIDEKIT_CACHE", str(tmp_path / "cache"))
    yield importlib.import_module
    torch.set_num_threads(threads)


@pytest.fixture
def small(example: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw small slides."""
    monkeypatch.setattr(example("demo_cohort"), "SIZE_UM", SMALL_UM)


def overlap(found: Path, drawn: Path, label: str) -> tuple[float, float]:
    """Share of the regions of a label that was found, and share of the other label's regions that was."""
    mine = shapely.union_all([roi.polygon for roi in load_rois(found)])
    regions = load_rois(drawn)
    shares = []
    for wanted in (True, False):
        theirs = shapely.union_all([roi.polygon for roi in regions if (roi.label == label) == wanted])
        shares.append(float(mine.intersection(theirs).area / theirs.area))
    return shares[0], shares[1]


def test_cyclegan_shows_its_discriminators_earlier_images(example) -> None:
    import torch

    pool = example("cyclegan_stain_transfer").ImagePool(4, seed=0)
    batches = [torch.full((2, 3, 4, 4), float(number)) for number in range(20)]

    given = [sorted({float(image[0, 0, 0]) for image in pool.exchange(batch)}) for batch in batches]

    assert given[:2] == [[0.0], [1.0]]  # the pool fills
    assert all(values and max(values) <= number for number, values in enumerate(given))
    ages = [number - value for number, values in enumerate(given) for value in values]
    assert 0.3 < np.mean([age > 0 for age in ages]) < 0.8
    assert len(pool.images) == 4


def test_cyclegan_trains_both_ways(example) -> None:
    import torch

    module = example("cyclegan_stain_transfer")
    batches = [{name: torch.rand(1, 3, 32, 32) * 2 - 1 for name in "AB"} for _ in range(2)]
    torch.manual_seed(5)
    untrained = module.CycleGAN(5)

    gan = module.train(batches, steps=2, seed=5)

    for networks, others in ((gan.generators, untrained.generators), (gan.judges, untrained.judges)):
        for name in "AB":
            pairs = zip(networks[name].parameters(), others[name].parameters(), strict=True)
            assert all(bool((after != before).any()) for after, before in pairs)
            assert all(bool(after.isfinite().all()) for after in networks[name].parameters())
    assert gan.generators["B"](batches[0]["A"]).shape == (1, 3, 32, 32)


@pytest.mark.long  # drawing and torch.export take 5 s
def test_cyclegan_takes_folders_of_ones_own(example, small, tmp_path: Path) -> None:
    module = example("cyclegan_stain_transfer")
    violet, rose = module.draw_domains(tmp_path / "mine", 1, seed=3)

    judged = module.main(tmp_path / "out", violet, rose, steps=1, batch_size=1, workers=0)

    assert judged is None
    assert (tmp_path / "out" / "before-after.png").is_file()
    assert not (tmp_path / "out" / "data").exists()
    # One step changes next to nothing; the file is a normaliser for tiles of any size.
    tile = np.full((70, 50, 3), 200, np.uint8)
    changed = norm.autoselect("cyclegan", tmp_path / "out" / "a-to-b.pt2").transform(tile)
    assert 0 < np.abs(changed.astype(int) - tile).mean() < 40


def test_progressive_gan_grows_over_one_field_of_view(example, small, tmp_path: Path, monkeypatch) -> None:
    # Arrange
    module = example("progressive_gan")
    monkeypatch.setattr(module, "BATCHES", {4: 3, 8: 2, 16: 2})
    seen: list[tuple[Any, int, float]] = []
    train = module.ProgressiveGAN.step

    def watch(gan: Any, real: Any, stage: int, share: float) -> None:
        seen.append((real.clone(), stage, share))
        train(gan, real, stage, share)

    monkeypatch.setattr(module.ProgressiveGAN, "step", watch)

    # Act
    errors = module.main(tmp_path, sizes=(4, 8, 16), steps=2, patients=1, workers=0)

    # Assert
    assert [tuple(real.shape) for real, _, _ in seen] == [(3, 3, 4, 4)] * 2 + [(2, 3, 8, 8)] * 2 + [(2, 3, 16, 16)] * 2
    assert [stage for _, stage, _ in seen] == [0, 0, 1, 1, 2, 2]
    assert [share for _, _, share in seen] == [1.0] * 6
    assert len(errors) == 3
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [f"generated-{n:03}px.png" for n in (4, 8, 16)]
    # Steps go on where the size changes, and each has the place that it would have had: six patches of 4 px came first.
    sampler = module.PatchSampler(tmp_path / "data" / "slides", 4, 128, min_tissue=0.5, augment=module.FLIPS)
    for number, step, size in ((0, 0, 4), (2, 6, 8), (4, 10, 16)):
        pixels = ((seen[number][0][0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(pixels, sampler.resized(size)[step].image)


def test_segmentation_runs(example, small, tmp_path: Path) -> None:
    dice = example("segmentation").main(tmp_path, steps=2, patients=2, workers=0)

    assert set(dice) == {"stroma", "tumor"}
    assert all(0 <= value <= 1 for value in dice.values())
    assert (tmp_path / "segmentation.png").is_file()


def test_holdout_prediction_runs(example, small, tmp_path: Path) -> None:
    maps = example("holdout_prediction").main(tmp_path, steps=2, patients=2, workers=0)

    assert len(maps) == 2  # the slides of one patient
    for name, heat_map in maps.items():
        known = heat_map.values[~np.isnan(heat_map.values)]
        assert len(known) > 20
        assert 0 <= known.min() <= known.max() <= 1
        assert json.loads((tmp_path / f"{name}.geojson").read_text())["type"] == "FeatureCollection"
        assert (tmp_path / f"{name}.png").is_file()


@pytest.mark.long
def test_cyclegan_learns_the_other_stain(example, tmp_path: Path) -> None:
    before, after = example("cyclegan_stain_transfer").main(tmp_path, workers=1)

    assert after < 0.85 * before  # 9.7 to 4.1 grey levels when it was written


@pytest.mark.long
def test_progressive_gan_learns_colours(example, tmp_path: Path) -> None:
    errors = example("progressive_gan").main(tmp_path, sizes=(4, 8, 16), steps=200, workers=1)

    assert max(errors) < 40


@pytest.mark.long
def test_segmentation_learns(example, tmp_path: Path) -> None:
    dice = example("segmentation").main(tmp_path, steps=100, workers=1)

    assert min(dice.values()) > 0.9


@pytest.mark.long
def test_holdout_prediction_finds_the_tumor(example, tmp_path: Path) -> None:
    maps = example("holdout_prediction").main(tmp_path, steps=100, workers=1)

    assert len(maps) == 4
    for name in maps:
        found, wrong = overlap(tmp_path / f"{name}.geojson", tmp_path / "data" / "rois" / f"{name}.csv", "tumor")
        assert found > 0.9
        assert wrong < 0.1
