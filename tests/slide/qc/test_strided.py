"""StridedDL with known functions as models, on slides."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from slidekit.errors import QCError
from slidekit.extraction.isolation.process import can_cross
from slidekit.pixels.windows import window_starts
from slidekit.slide.qc.strided import StridedDL, StridedDL_V2
from slidekit.slide.spec import ExtractionSpec
from slidekit.slide.wsi import WSI
from tests.slide.huge_slide import write_huge_svs
from tests.slide.qc.contract import QCContract, open_wsi
from tests.slide.qc.scorers import small_networks


def colour(batch: np.ndarray) -> np.ndarray:
    """Scores of three classes: the patch's mean in each channel."""
    return batch.mean(axis=(1, 2), dtype=float)


def patches(image: np.ndarray, edge: int) -> np.ndarray:
    """(rows, columns, 3): the mean of each patch of an overview, by numpy alone."""
    height, width, _ = image.shape
    return np.array(
        [
            [image[y : y + edge, x : x + edge].mean(axis=(0, 1)) / 255 for x in window_starts(width, edge, 0)]
            for y in window_starts(height, edge, 0)
        ]
    )


class TestStridedDL(QCContract):
    method = StridedDL(colour, 1, 16, 16, pred_threshold=0.7)

    def test_its_parameters_are_json_and_rebuild_it(self, tissue_slide: Path) -> None:
        # The model is named in them, and given again to rebuild it.
        parameters = json.loads(json.dumps(self.method.parameters()))
        again = StridedDL(**{**parameters, "model": colour})
        assert repr(again) == repr(self.method)
        assert "colour" in parameters["model"]
        with open_wsi(tissue_slide) as wsi:
            assert np.array_equal(again(wsi), self.method(wsi))


@pytest.mark.parametrize(("buffer", "batch_size"), [(8, 64), (3, 5), (50, 1000)])
@pytest.mark.parametrize("pred_idx", [0, 2])
def test_the_map_equals_the_directly_computed_one(
    tissue_slide: Path, buffer: int, batch_size: int, pred_idx: int
) -> None:
    # Arrange: 1000 × 760 px of 0.5 µm; patches of 24 px and 12 µm are level-0 pixels
    method = StridedDL(colour, pred_idx, 24, 12, buffer, 0.6, batch_size=batch_size)

    with open_wsi(tissue_slide) as wsi:
        # Act
        found = method(wsi, threshold=False)
        wanted = patches(wsi.overview(1000, 760), 24)[..., pred_idx]

        # Assert
        assert found.dtype == np.float32
        assert found.shape == (32, 42)
        np.testing.assert_allclose(found, wanted, atol=1e-6)
        assert np.array_equal(method(wsi), found > 0.6)
        assert np.array_equal(method(wsi, threshold=0.3), found > 0.3)


@pytest.mark.parametrize("mpp", [(0.5, 0.5), (0.5, 0.3), (0.37, 0.41)])
@pytest.mark.parametrize("size", [(997, 751), (333, 101)])
def test_the_map_lies_where_the_slide_does_at_any_size_and_mpp(make_slide, size, mpp) -> None:
    # Arrange: one bright square at the far end
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[int(0.9 * height) :, int(0.93 * width) :] = 255
    method = StridedDL(colour, 0, 20, 16)

    # Act
    with open_wsi(make_slide(image, mpp)) as wsi:
        found = method(wsi, threshold=False)

    # Assert
    rows, columns = found.shape
    right, low = columns - found[-1].sum(), rows - found[:, -1].sum()
    patch_x, patch_y = 16 / mpp[0], 16 / mpp[1]
    assert abs(right * width / columns - int(0.93 * width)) <= patch_x / 4 + width / columns / 2
    assert abs(low * height / rows - int(0.9 * height)) <= patch_y / 4 + height / rows / 2
    # Cells are patches, give or take what is over at the edge.
    assert patch_x * columns / (columns + 1) <= width / columns + 1 <= patch_x + 2


def test_resampled_patches_are_those_of_the_overview(tissue_slide: Path) -> None:
    method = StridedDL(colour, 0, 16, 11.3)

    with open_wsi(tissue_slide) as wsi:
        found = method(wsi, threshold=False)
        wanted = patches(wsi.overview(round(500 / (11.3 / 16)), round(380 / (11.3 / 16))), 16)[..., 0]

    # Windows that begin between stored pixels may round a grey level otherwise.
    assert np.abs(found - wanted).max() < 0.5 / 255


def test_the_map_of_a_resampled_slide_does_not_depend_on_the_buffer(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide) as wsi:
        maps = [StridedDL(colour, 0, 64, 45.3, buffer)(wsi, threshold=False) for buffer in (1, 4, 100)]

    assert max(np.abs(one - maps[0]).max() for one in maps) < 0.5 / 255


def test_overlap_blends_without_a_seam(tissue_slide: Path) -> None:
    flat = StridedDL_V2(lambda images: np.full((len(images), 2), 0.25), 1, 32, 32, overlap=10)

    with open_wsi(tissue_slide) as wsi:
        found = flat(wsi, threshold=False)

    assert np.abs(found - 0.25).max() <= 1e-6


def test_a_magnification_reads_a_near_level_as_it_is(make_slide, tissue: np.ndarray) -> None:
    # Arrange: 0.26 µm/px is 40x within 5 %, 0.3 is not
    seen = []

    def note(images: np.ndarray) -> np.ndarray:
        seen.append(len(images))
        return colour(images)

    with open_wsi(make_slide(tissue, (0.26, 0.26))) as near, open_wsi(make_slide(tissue, (0.3, 0.3))) as far:
        # Act
        as_stored = StridedDL(note, 0, 40, "40x")(near, threshold=False)
        resampled = StridedDL(note, 0, 40, "40x")(far, threshold=False)

    # Assert
    np.testing.assert_allclose(as_stored, patches(tissue, 40)[..., 0], atol=1e-6)
    assert resampled.shape == (23, 30)


def test_a_subclass_as_in_slideflows_guide(tissue_slide: Path) -> None:
    class CustomDeepFocus(StridedDL):
        def __init__(self) -> None:
            super().__init__(model=colour, pred_idx=1, tile_px=64, tile_um="40x")

        def preprocess(self, images: np.ndarray) -> np.ndarray:
            assert images.dtype == np.uint8
            assert images.shape[1:] == (64, 64, 3)
            return 1 - images.astype(np.float32) / 255

    with open_wsi(tissue_slide, mpp=0.25) as wsi:
        found = CustomDeepFocus()(wsi, threshold=False)
        plain = StridedDL(colour, 1, 64, "40x")(wsi, threshold=False)
        wsi.qc(CustomDeepFocus())

    np.testing.assert_allclose(found, 1 - plain, atol=1e-6)
    assert (wsi.qc_masks[0].name, wsi.qc_masks[0].reason) == ("CustomDeepFocus", "CustomDeepFocus")


def test_parameters_follow_what_the_mask_depends_on() -> None:
    class Bright(StridedDL):
        def __init__(self, gain: float) -> None:
            self.gain = gain
            super().__init__(colour, 0, 16, 16)

        def preprocess(self, images: np.ndarray) -> np.ndarray:
            return images * self.gain

    one, other = Bright(1.0).parameters(), Bright(2.0).parameters()
    plain = StridedDL(colour, 0, 16, 16).parameters()

    assert one != other
    assert one["fingerprint"]
    assert "fingerprint" not in plain
    assert StridedDL(colour, 0, 16, 16, buffer=3, batch_size=5).parameters() == plain
    assert StridedDL(patches, 0, 16, 16).parameters() != plain


def test_a_method_of_a_named_function_goes_to_other_processes(tissue_slide: Path) -> None:
    method = StridedDL(np.ravel, 0, 16, 16, name="mine")

    copy = pickle.loads(pickle.dumps(method))

    assert (copy.name, copy.reason, copy.parameters()) == ("mine", "mine", method.parameters())


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (colour, {"pred_idx": 3}, "no class pred_idx=3; the model gives 3 classes"),
        (lambda images: np.full((len(images), 1), np.inf), {}, "not finite"),
        (lambda images: images, {}, "shape"),
    ],
)
def test_wrong_scores_name_method_and_slide(tissue_slide: Path, model, options, message) -> None:
    method = StridedDL(model, **{"pred_idx": 0, "tile_px": 100, "tile_um": 100, "name": "mine", **options})

    with open_wsi(tissue_slide) as wsi, pytest.raises(QCError, match=f"mine, slide tissue.*{message}"):
        method(wsi)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile_um": "large"}, "not a tile size"),
        ({"tile_px": 0}, "tile_px=0"),
        ({"overlap": 64}, "overlap=64"),
        ({"pred_idx": -1}, "pred_idx=-1"),
        ({"pred_threshold": True}, "not a threshold"),
        ({"pred_threshold": np.nan}, "not a threshold"),
        ({"pred_threshold": None}, "not a threshold"),
        ({"pred_threshold": "0.5"}, "not a threshold"),
        ({"pred_idx": "1"}, "pred_idx='1' is no whole number"),
        ({"pred_idx": 1.0}, "pred_idx=1.0 is no whole number"),
        ({"tile_px": "64"}, "tile_px='64'"),
        ({"buffer": 2.5}, "buffer=2.5"),
        ({"batch_size": None}, "batch_size=None"),
        ({"overlap": True}, "overlap=True"),
        ({"tile_um": None}, "not a tile size"),
        ({"tile_um": 0.0001}, "µm/px"),
        ({"tile_um": "1000x"}, "µm/px"),
        ({"name": ""}, "no name"),
        ({"name": 3}, "no name"),
        ({"model": None}, "NoneType is not a model"),
    ],
)
def test_parameters_that_make_no_sense_are_told_at_once(options: dict, message: str) -> None:
    with pytest.raises(QCError, match=message):
        StridedDL(**{"model": colour, "pred_idx": 0, "tile_px": 64, "tile_um": 64, **options})


def test_a_truth_value_is_no_threshold(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide) as wsi, pytest.raises(QCError, match="True is not a threshold"):
        StridedDL(colour, 0, 64, 64)(wsi, threshold=True)


@pytest.mark.long
def test_memory_does_not_grow_with_the_slide(tmp_path: Path) -> None:
    import tracemalloc

    glass = np.full((240, 240, 3), 128, np.uint8)
    path = write_huge_svs(tmp_path / "huge.svs", 100_000, 80_000, glass, lambda x, y, edge: y < 1000)
    with WSI(path, 256, 128) as wsi:
        StridedDL(colour, 0, 64, 64)(wsi)
        tracemalloc.start()
        found = StridedDL(colour, 0, 64, 64, buffer=16)(wsi, threshold=False)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert found.shape == (313, 391)
    assert peak < 150e6


class OnlyHere:
    """A loaded network, as a model object of a framework is: known by its weights, and not to be sent anywhere."""

    key = "weights"
    window = (16, 16)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        return colour(batch)


def test_a_path_goes_to_other_processes_and_a_model_object_does_not(tmp_path: Path) -> None:
    # Arrange
    path = small_networks.write_onnx(tmp_path / "small.onnx")
    by_path = StridedDL(path, 1, small_networks.SIZE, 12)
    by_object = StridedDL(OnlyHere(), 1, 16, 16)

    # Act
    crosses = [can_cross(ExtractionSpec.create(tile_px=64, tile_um=64, qc=[one])) for one in (by_path, by_object)]

    # Assert
    assert crosses == [True, False]
    assert pickle.loads(pickle.dumps(by_path)).parameters() == by_path.parameters()


def test_a_network_of_another_size_is_told(tissue_slide: Path) -> None:
    with open_wsi(tissue_slide) as wsi, pytest.raises(QCError, match=r"takes images of \(16, 16\) px.*windows of 64"):
        StridedDL(OnlyHere(), 1, 64, 64)(wsi)


class Centred(StridedDL):
    """Keeps an array under a private name, and a helper."""

    gain = 1.0

    def __init__(self, mean: object) -> None:
        super().__init__(colour, 0, 16, 16)
        self._mean = mean

    def preprocess(self, images: np.ndarray) -> np.ndarray:
        return self.centre(images) * self.gain

    def centre(self, images: np.ndarray) -> np.ndarray:
        return images / 255 - np.asarray(self._mean)


@pytest.mark.parametrize("others", [((0.1, 0.2), (0.1, 0.3)), (np.zeros(3), np.ones(3)), ([colour], [patches])])
def test_whatever_a_subclass_keeps_is_in_its_parameters(others: tuple[object, object]) -> None:
    one, other = (Centred(mean).parameters() for mean in others)

    assert one != other
    assert json.dumps(one) == json.dumps(Centred(others[0]).parameters())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gain", 2.0),
        ("centre", lambda self, images: images * 0.0),
        ("__call__", lambda self, wsi, threshold=None: ~StridedDL.__call__(self, wsi, threshold)),
    ],
)
def test_whatever_a_subclass_overrides_is_in_its_parameters(monkeypatch, name: str, value: object) -> None:
    before = Centred(0.5).parameters()

    monkeypatch.setattr(Centred, name, value)

    assert Centred(0.5).parameters() != before


def test_a_class_that_is_not_there_is_told_with_the_first_batch(tissue_slide: Path) -> None:
    seen = []

    def count(images: np.ndarray) -> np.ndarray:
        seen.append(len(images))
        return colour(images)

    with open_wsi(tissue_slide) as wsi, pytest.raises(QCError, match="no class pred_idx=3"):
        StridedDL(count, 3, 16, 16, batch_size=5)(wsi)

    assert seen == [5]
