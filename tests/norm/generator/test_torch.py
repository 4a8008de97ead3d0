"""Generators of torch: an affine convolution, whose formula is known, in every kind of file."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

from slidekit import norm
from slidekit.errors import NormalizerError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from slidekit.norm.generator.torch import load  # noqa: E402

pytestmark = pytest.mark.torch


class Affine(torch.nn.Module):
    """``0.5 · (G, B, R) + 0.25``, as a convolution of 1 × 1 px."""

    def __init__(self):
        super().__init__()
        self.mix = torch.nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.mix.weight.copy_(0.5 * torch.eye(3)[[1, 2, 0]][:, :, None, None])
            self.mix.bias.fill_(0.25)

    def forward(self, images):
        return self.mix(images)


class UpAndDown(torch.nn.Module):
    """Halves and doubles the sides twice, as the usual generators do, so that they have to be a multiple of 4."""

    def __init__(self):
        super().__init__()
        self.down = torch.nn.Conv2d(3, 48, 4, stride=4)
        self.up = torch.nn.ConvTranspose2d(48, 3, 4, stride=4)
        with torch.no_grad():
            self.down.weight.copy_(torch.eye(48).reshape(48, 3, 4, 4))
            self.up.weight.copy_(-torch.eye(48).reshape(48, 3, 4, 4))
            self.down.bias.zero_()
            self.up.bias.zero_()

    def forward(self, images):
        return self.up(self.down(images))


class Shrinking(torch.nn.Module):
    def forward(self, images):
        return images[..., ::2, ::2]


class Pair(torch.nn.Module):
    def forward(self, images):
        return images, images


def affine(tile):
    return np.rint(np.clip(127.5 * (0.5 * (tile[..., [1, 2, 0]] / 127.5 - 1) + 1.25), 0, 255))


def save(network, path, shape=(2, 3, 32, 32), *, fixed=False):
    example = torch.zeros(shape)
    if path.suffix == ".pt2":
        auto = torch.export.Dim.AUTO
        sizes = None if fixed else ({0: auto, 2: auto, 3: auto},)
        torch.export.save(torch.export.export(network.eval(), (example,), dynamic_shapes=sizes), path)
    else:
        with warnings.catch_warnings():
            # TorchScript is deprecated, and still read.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.jit.script(network.eval()).save(str(path))
    return path


@pytest.mark.parametrize("name", ["g.pt2", "g.pt", "g.pth", "g.ts"])
def test_every_kind_of_file(name, he_tile, tmp_path):
    normalizer = norm.autoselect("cyclegan", save(Affine(), tmp_path / name))

    for tile in (he_tile(1, 64), he_tile(2, 33), he_tile(3, 8)[:1], he_tile(4, 8)[:, :2]):
        assert np.abs(normalizer.transform(tile) - affine(tile)).max() <= 1


@pytest.mark.parametrize("name", ["g.pt2", "g.pt"])
def test_sides_that_are_no_multiple_of_4(name, he_tile, tmp_path):
    normalizer = norm.autoselect("cyclegan", save(UpAndDown(), tmp_path / name))

    # torch.export makes programs that refuse sides that become 1.
    for shape in ((33, 30), (64, 64), (9, 5), *[(5, 1)] * (name == "g.pt")):
        tile = he_tile(1, 64)[: shape[0], : shape[1]]
        assert np.array_equal(normalizer.transform(tile), 255 - tile)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_fixed_size_is_kept_to(batch, he_tile, tmp_path):
    path = save(Affine(), tmp_path / "g.pt2", (batch, 3, 32, 24), fixed=True)

    assert load(str(path)).shape == (batch, 32, 24)
    normalizer = norm.autoselect("cyclegan", path)
    for size in (10, 32, 80):
        assert np.abs(normalizer.transform(he_tile(1, size)) - affine(he_tile(1, size))).max() <= 1


def test_slideflows_way_and_back(he_tile, tmp_path):
    paths = [save(UpAndDown(), tmp_path / name) for name in ("there.pt", "back.pt2")]

    assert np.array_equal(norm.autoselect("cyclegan", paths).transform(he_tile()), he_tile())


@pytest.mark.parametrize("backend", [None, "torch", "numpy"])
def test_tensors_keep_their_layout(backend, he_tile, tmp_path):
    arrays = np.stack([he_tile(1, 32)[:, :24], he_tile(2, 32)[:, :24]])
    normalizer = norm.autoselect("cyclegan", save(Affine(), tmp_path / "g.pt"), backend)
    last = torch.from_numpy(arrays)
    first = last.permute(0, 3, 1, 2).contiguous()

    for images, axes in ((last, (0, 1, 2, 3)), (first, (0, 2, 3, 1))):
        result = normalizer.transform(images)
        assert (result.dtype, result.shape) == (torch.uint8, images.shape)
        assert np.array_equal(result.permute(*axes), normalizer.transform(arrays))
    assert np.array_equal(normalizer.transform(first[0]).permute(1, 2, 0), normalizer.transform(arrays[0]))


def test_standardized_batch(he_tile, tmp_path):
    normalizer = norm.autoselect("cyclegan", save(UpAndDown(), tmp_path / "g.pt"))
    batch = torch.from_numpy(he_tile()[np.newaxis]).permute(0, 3, 1, 2)

    result = normalizer.preprocess(batch, standardize=True)

    torch.testing.assert_close(result, 1 - batch / 127.5)


def test_a_child_process_loads_the_generator_itself(tmp_path):
    normalizer = norm.autoselect("cyclegan", save(Affine(), tmp_path / "g.pt"))
    normalizer.transform(np.zeros((4, 4, 3), np.uint8))
    code = "import pickle, sys, numpy; one = pickle.load(sys.stdin.buffer); assert 'torch' not in sys.modules;"
    code += "print(one.transform(numpy.full((4, 4, 3), 255, 'u1')).max())"

    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(normalizer), capture_output=True, check=True)

    assert int(done.stdout) == int(affine(np.full(3, 255))[0])


@pytest.mark.parametrize(
    ("name", "content"), [("g.pt2", b""), ("g.pt", b""), ("g.pt", b"no program"), ("g.pt2", b"no program")]
)
def test_damaged_files_are_an_error(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(NormalizerError, match="torch cannot load the generator") as caught:
        norm.autoselect("cyclegan", tmp_path / name).transform(np.zeros((4, 4, 3), np.uint8))

    assert caught.value.path == tmp_path / name


class Mine:
    def __reduce__(self):
        return json.loads, ('"code ran"',)


@pytest.mark.parametrize("content", [Affine().state_dict(), Mine()])
def test_pickled_objects_are_refused(content, tmp_path, monkeypatch):
    torch.save(content, tmp_path / "g.pth")
    ran = []
    monkeypatch.setattr(json, "loads", ran.append)

    with pytest.raises(NormalizerError, match="cannot load"):
        load(str(tmp_path / "g.pth"))

    assert ran == []


@pytest.mark.parametrize("name", ["g.pt", "g.pt2"])
@pytest.mark.parametrize(("network", "message"), [(Shrinking(), "made"), (Pair(), "does not give a tensor")])
def test_other_networks_are_an_error(name, network, message, tmp_path):
    normalizer = norm.autoselect("cyclegan", save(network, tmp_path / name))

    with pytest.raises(NormalizerError, match=message):
        normalizer.transform(np.zeros((32, 32, 3), np.uint8))


def test_a_network_of_other_channels_is_an_error(tmp_path):
    path = save(torch.nn.Identity(), tmp_path / "g.pt2", (2, 4, 8, 8))

    with pytest.raises(NormalizerError, match=r"not \(n, 3, h, w\)"):
        load(str(path))


def test_a_size_that_it_cannot_take_is_an_error(tmp_path):
    path = save(torch.nn.Conv2d(3, 3, 9), tmp_path / "g.pt")

    with pytest.raises(NormalizerError, match="cannot work on"):
        norm.autoselect("cyclegan", path).transform(np.zeros((4, 4, 3), np.uint8))
