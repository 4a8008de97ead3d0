"""Real tiles, and what other tools made of them."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from slidekit import norm
from slidekit.norm.stains import Stains, find_stains

DATA = os.environ.get("SLIDEKIT_TEST_DATA")

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not DATA, reason="SLIDEKIT_TEST_DATA does not name the folder of real data"),
]

# Where torchstain_result.png, a figure of four panels, shows torchstain's output at 224 × 168.
PANEL = (slice(58, 58 + 168), slice(351, 351 + 224))


def read(name: str) -> NDArray[np.uint8]:
    return np.asarray(Image.open(Path(DATA or "") / name).convert("RGB"))


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def torchstain_stains(image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Stains]:
    """Optical density and stains under torchstain's convention that white is 240."""
    density = -np.log((image.astype(np.float32) + 1) / 240)
    stains = find_stains(density, (density >= 0.15).all(axis=2).astype(np.uint8) * 255)
    assert stains is not None
    return density, stains


def test_stains_reproduce_torchstains_result():
    density, found = torchstain_stains(read("tiles/torchstain_source.png"))
    _, target = torchstain_stains(read("tiles/torchstain_target.png"))

    recolour = target.matrix * (target.peaks / found.peaks) @ found.unmix
    result = np.clip(240 * np.exp(-density @ recolour.T), 0, 255).astype(np.uint8)

    shown = cv2.resize(result, (224, 168), interpolation=cv2.INTER_AREA)
    assert psnr(shown, read("tiles/torchstain_result.png")[PANEL]) >= 35


def test_fit_to_slideflows_reference_tile_is_preset_v1():
    tile = read("tiles/slideflow_norm_tile.jpg")
    preset = norm.autoselect("macenko", "v1").get_fit()

    fit = norm.autoselect("macenko", tile).get_fit()

    for name, value in preset.items():
        np.testing.assert_allclose(fit[name], value, atol=1e-6)


@pytest.mark.parametrize("method", ["reinhard", "reinhard_fast"])
def test_reinhards_fit_to_slideflows_reference_tile_is_near_preset_v1(method):
    preset = norm.autoselect(method, "v1").get_fit()

    fit = norm.autoselect(method, read("tiles/slideflow_norm_tile.jpg")).get_fit()

    for name, value in preset.items():
        np.testing.assert_allclose(fit[name], value, atol=0.1)


@pytest.mark.parametrize("method", norm.METHODS)
def test_crops_of_five_slides_are_brought_together(method):
    """The mean colours of tissue from five laboratories end up closer to each other than they were."""
    names = [f"crops/{slide}-0.jpg" for slide in ("skin", "resection", "duodenum", "endometrium", "appendix")]
    tiles = [read(name)[:512, :512] for name in names]
    normalizer = norm.autoselect(method)

    results = [normalizer.normalize(tile) for tile in tiles]

    assert all(result.changed for result in results)
    before = np.std([tile.mean(axis=(0, 1)) for tile in tiles], axis=0).mean()
    after = np.std([result.image.mean(axis=(0, 1)) for result in results], axis=0).mean()
    assert after < before


@pytest.mark.parametrize("method", ["macenko", "reinhard"])
@pytest.mark.parametrize("preset", ["v1", "v2"])
def test_resembles_slideflows_own_pictures(method, preset):
    """Nine tiles as Slideflow's manual shows them: JPEG, in one picture, so only roughly alike."""
    raw, shown = (read(f"tiles/slideflow_docs_tile_{name}.jpg") for name in ("unnormalized", f"{method}_{preset}"))
    edge = raw.shape[0] // 3
    normalizer = norm.autoselect(method, preset)
    cells = [(slice(y * edge, (y + 1) * edge), slice(x * edge, (x + 1) * edge)) for y in range(3) for x in range(3)]

    similar = [psnr(normalizer.transform(raw[cell]), shown[cell]) for cell in cells]

    assert np.median(similar) >= 28
