"""Cellpose by a stand-in: the package and its weights (1.2 GB) are not there in tests.

The stand-in has the signatures of version 4.2.1.1, so that an argument that it does not know is an error.
"""

from __future__ import annotations

import pickle
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from slidekit.cells.methods import CellMethod, resolve_method
from slidekit.cells.methods.cellpose import Cellpose
from slidekit.errors import CellError, MissingExtraError, SpecError


class CellposeModel:
    made: list[dict[str, Any]] = []  # noqa: RUF012
    evaluated: list[dict[str, Any]] = []  # noqa: RUF012

    def __init__(
        self,
        gpu=False,
        pretrained_model="cpsam_v2",
        model_type=None,
        diam_mean=None,
        device=None,
        nchan=None,
        use_bfloat16=True,
    ) -> None:
        self.made.append({"gpu": gpu, "pretrained_model": pretrained_model})

    def eval(
        self,
        x,
        batch_size=8,
        resample=True,
        channels=None,
        channel_axis=None,
        z_axis=None,
        normalize=True,
        rescale=None,
        diameter=None,
        flow_threshold=0.4,
        cellprob_threshold=0.0,
        do_3D=False,
        anisotropy=None,
        flow3D_smooth=0,
        stitch_threshold=0.0,
        min_size=15,
        max_size_fraction=0.4,
        niter=None,
        augment=False,
        tile_overlap=0.1,
        bsize=None,
        compute_masks=True,
        progress=None,
    ):
        self.evaluated.append({name: value for name, value in locals().items() if name != "self"})
        masks = (x.max(axis=-1) < 100).astype(np.uint16)
        return masks.squeeze(), [None, None, None], np.zeros(256)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "cpsam"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> type[CellposeModel]:
    package, models = ModuleType("cellpose"), ModuleType("cellpose.models")
    models.CellposeModel = CellposeModel
    monkeypatch.setitem(sys.modules, "cellpose", package)
    monkeypatch.setitem(sys.modules, "cellpose.models", models)
    monkeypatch.setattr(metadata, "version", lambda name: "4.2.1.1")
    monkeypatch.setattr(CellposeModel, "made", [])
    monkeypatch.setattr(CellposeModel, "evaluated", [])
    return CellposeModel


def test_it_hands_over_the_weights_by_path_and_the_slides_own_bounds(
    installed: type[CellposeModel], weights: Path
) -> None:
    method = resolve_method("cellpose", 9, weights=weights, batch_size=16, mpp=0.3)
    image = np.full((50, 60, 3), 200, np.uint8)
    image[20:30, 20:30] = 40

    labels = method(image, ((10.0, 240.0), (20.0, 230.0), (30.0, 220.0)))
    method(image, ((10.0, 240.0), (20.0, 230.0), (30.0, 220.0)))

    assert isinstance(method, CellMethod)
    assert installed.made == [{"gpu": True, "pretrained_model": str(weights)}]
    (call, _) = installed.evaluated
    assert call["diameter"] == pytest.approx(30)
    assert call["normalize"] == {"lowhigh": [[10.0, 240.0], [20.0, 230.0], [30.0, 220.0]]}
    assert (call["batch_size"], call["channel_axis"], call["channels"]) == (16, -1, None)
    assert labels.dtype == np.int32
    assert np.array_equal(labels > 0, image[..., 0] == 40)


def test_a_window_of_one_row_keeps_its_shape(installed: type[CellposeModel], weights: Path) -> None:
    method = Cellpose(weights=weights)

    assert method(np.zeros((1, 7, 3), np.uint8), method.facts_of(np.zeros((2, 2, 3), np.uint8))).shape == (1, 7)


def test_bounds_are_percentiles_of_each_channel() -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    image[..., 2] = 7

    bounds = Cellpose.facts_of(object.__new__(Cellpose), image)

    assert bounds[0] == tuple(np.percentile(image[..., 0], (1, 99)))
    assert bounds[2] == (7.0, 8.0)


def test_processes_load_the_network_themselves(installed: type[CellposeModel], weights: Path) -> None:
    method = Cellpose(weights=weights)
    image = np.zeros((4, 4, 3), np.uint8)
    method(image, method.facts_of(image))

    again = pickle.loads(pickle.dumps(method))

    assert again.parameters() == method.parameters()
    again(image, method.facts_of(image))
    assert len(installed.made) == 2


def test_parameters_name_the_weights_and_the_version(installed: type[CellposeModel], weights: Path) -> None:
    told = Cellpose(weights=weights).parameters()

    assert (told["weights"], told["weights_bytes"], told["version"]) == ("cpsam", 7, "4.2.1.1")


def test_without_weights_the_error_says_where_they_are_to_be_had(installed: type[CellposeModel]) -> None:
    with pytest.raises(CellError, match=r"huggingface\.co/mouseland/cellpose-sam"):
        resolve_method("cellpose")
    # A name would make Cellpose download; here it is a file that is not there.
    with pytest.raises(CellError, match="no file of weights") as caught:
        Cellpose(weights="cpsam")
    assert caught.value.path == Path("cpsam")


def test_without_the_package_the_error_says_how_to_install_it(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)

    with pytest.raises(MissingExtraError, match=r"slidekit\[cellpose\]"):
        Cellpose(weights=weights)


def test_cellpose_3_is_refused(installed: type[CellposeModel], weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "3.1.1.1")

    with pytest.raises(SpecError, match=r"3\.1\.1\.1"):
        Cellpose(weights=weights)


@pytest.mark.parametrize("wrong", [{"diam_um": 0}, {"mpp": 0}, {"batch_size": 0}, {"min_area_um2": -1}])
def test_parameters_without_sense_are_refused(
    installed: type[CellposeModel], weights: Path, wrong: dict[str, float]
) -> None:
    with pytest.raises(SpecError):
        Cellpose(weights=weights, **wrong)
