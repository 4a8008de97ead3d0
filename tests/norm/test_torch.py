"""Normalisation of torch tensors, against the normalisers of numpy."""

from __future__ import annotations

import numpy as np
import pytest
from native_contract import NativeContract, each_method

from slidekit import norm

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from slidekit.norm import torch as native  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """More would wait for each other: the tiles are small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class TestTorch(NativeContract):
    native = native

    def to_tensor(self, tiles):
        return torch.from_numpy(tiles).permute(0, 3, 1, 2)

    def to_array(self, tensor):
        return tensor.permute(0, 2, 3, 1).numpy()

    def test_batch_larger_than_what_is_taken_together(self, he_tile, monkeypatch):
        monkeypatch.setattr(native, "_PIXELS_ON_CPU", 2 * 32 * 32)
        tiles = np.stack([he_tile(seed, 32) for seed in range(5)])
        fits = {
            "target_means": np.linspace(40, 60, 15).reshape(5, 3) * (1, 0.3, 0.1),
            "target_stds": np.full((5, 3), 7.0),
        }

        together, _ = self.normalize("reinhard", tiles, fit=fits)

        for index, tile in enumerate(tiles):
            fit = {name: value[index] for name, value in fits.items()}
            alone, _ = self.normalize("reinhard", tile[np.newaxis], fit=fit)
            assert np.abs(together[index].astype(int) - alone[0]).max() <= 1

    @each_method
    def test_memory_format_does_not_matter(self, method, he_tile):
        images = torch.from_numpy(np.stack([he_tile(0), he_tile(1)])).permute(0, 3, 1, 2)
        fit = norm.autoselect(method).get_fit()

        channels_last, _ = native.normalize(method, fit, images)
        contiguous, _ = native.normalize(method, fit, images.contiguous())
        every_second, _ = native.normalize(method, fit, images.repeat_interleave(2, dim=3)[..., ::2])

        assert torch.equal(channels_last, contiguous)
        assert torch.equal(every_second, contiguous)

    def test_what_is_given_is_not_written_to(self, he_tile):
        images = torch.from_numpy(he_tile()[np.newaxis]).permute(0, 3, 1, 2).contiguous()
        before = images.clone()
        fit = {name: np.array(value) for name, value in norm.autoselect("reinhard_mask").get_fit().items()}
        for value in fit.values():
            value.flags.writeable = False

        result, _ = native.normalize("reinhard_mask", fit, images)
        result[:] = 0

        assert torch.equal(images, before)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    @each_method
    def test_gpu_is_as_the_cpu(self, method, he_tile):
        images = torch.from_numpy(np.stack([he_tile(seed) for seed in range(3)])).permute(0, 3, 1, 2)
        fit = norm.autoselect(method).get_fit()

        on_gpu, changed = native.normalize(method, fit, images.cuda())

        assert on_gpu.is_cuda
        assert changed.is_cuda
        on_cpu, _ = native.normalize(method, fit, images)
        assert (on_gpu.cpu().int() - on_cpu.int()).abs().max() <= 1
