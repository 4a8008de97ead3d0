"""`scripts/train_focus`: kernels, the chain of the scanner, and a training of a few steps on crops that are drawn."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
MPP = 0.25


@pytest.fixture(autouse=True)
def scripts() -> Iterator[None]:
    sys.path.insert(0, str(ROOT / "scripts"))
    yield
    sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0)
    for slide in ("skin", "resection"):
        image = cv2.GaussianBlur(noise.normal(150, 60, (700, 700, 3)), (0, 0), 1.5)
        image = (image - image.mean()) * 3 + [110, 60, 90]
        cv2.imwrite(str(tmp_path / f"{slide}-0.jpg"), image.clip(0, 255).astype(np.uint8))
    return tmp_path


def spread(kernel: np.ndarray) -> float:
    """Root of the second moment of a kernel, pixels."""
    half = kernel.shape[0] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    return float(np.sqrt((kernel * (x * x + y * y)).sum()))


@pytest.mark.parametrize("radius_um", [1.5, 3.0, 6.0])
def test_kernels_of_one_radius_spread_alike(radius_um: float) -> None:
    from focus_training.kernels import TRAINING_KERNELS
    from focus_training.unseen_kernels import UNSEEN_KERNELS

    made = {name: kernel(radius_um / MPP, 0.3) for name, kernel in TRAINING_KERNELS.items()}
    made |= {name: kernel(radius_um, MPP) for name, kernel in UNSEEN_KERNELS.items() if name != "pupil"}
    for name, kernel in made.items():
        assert kernel.sum() == pytest.approx(1, abs=1e-5), name
        assert spread(kernel) == pytest.approx(radius_um / MPP / np.sqrt(2), rel=0.06), name


def test_kernels_of_the_test_are_not_those_of_the_training() -> None:
    from focus_training.kernels import TRAINING_KERNELS
    from focus_training.unseen_kernels import UNSEEN_KERNELS

    assert not set(TRAINING_KERNELS) & set(UNSEEN_KERNELS)
    assert not set(TRAINING_KERNELS.values()) & set(UNSEEN_KERNELS.values())
    for unseen in UNSEEN_KERNELS.values():
        for seen in TRAINING_KERNELS.values():
            one, other = unseen(3.0, MPP), seen(3.0 / MPP, 0.0)
            half = max(len(one), len(other)) // 2
            one, other = (np.pad(kernel, half - len(kernel) // 2) for kernel in (one, other))
            assert np.abs(one - other).sum() > 0.05  # the hexagon is nearly a disk


def test_defocus_by_wave_optics_without_defocus_is_a_point() -> None:
    from focus_training.unseen_kernels import pupil

    kernel = pupil(0.0, MPP)
    half = kernel.shape[0] // 2
    assert kernel[half - 2 : half + 3, half - 2 : half + 3].sum() > 0.85


def test_auc_counts_ties_as_half() -> None:
    from focus_training.blurred_slides import auc

    assert auc(np.array([0.0, 1.0]), np.array([1.0, 2.0])) == pytest.approx(3.5 / 4)


@pytest.mark.torch
def test_trains_and_writes_a_network_that_opencv_runs(crops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    from train_focus import main

    from slidekit.slide.qc.focus import Focus

    # Act
    for name in ("one", "two"):
        out = crops / f"{name}.onnx"
        main([str(crops), str(out), "--each", "3", "--steps", "4", "--workers", "1"])

    # Assert
    assert "examples of 2 slides" in capsys.readouterr().out
    assert out.read_bytes() == (crops / "one.onnx").read_bytes()
    assert Focus(weights=out).sha256 != Focus().sha256


@pytest.mark.torch
def test_the_file_says_what_the_network_said(crops: Path) -> None:
    torch = pytest.importorskip("torch")
    from focus_training.network import LAYERS, FocusNetwork, folded
    from focus_training.onnx_file import onnx_bytes

    # Arrange: batch norms that do something
    torch.manual_seed(0)
    network = FocusNetwork()
    features = torch.rand(2, LAYERS[0].inputs, 35, 35) * 4
    for _ in range(3):
        network(features)
    weights = [(weight.numpy(), bias.numpy()) for weight, bias in folded(network)]

    # Act
    net = cv2.dnn.readNetFromONNX(np.frombuffer(onnx_bytes(LAYERS, weights, version=1, notes=""), np.uint8))
    net.setInput(features[:1].numpy())
    seen = net.forward()

    # Assert
    with torch.no_grad():
        said = network(features[:1]).numpy()
    assert np.ptp(said) > 1e-3
    assert np.allclose(seen, said, atol=1e-4)
