"""Who decides the µm/px of a slide."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from slidekit.errors import MissingMPPError
from slidekit.pixels.metadata import FileMPP, SlideMetadata
from slidekit.pixels.mpp import MPP_RANGE, settle_mpp

PATH = Path("folder/slide.svs")


def says(x=None, y=None, *, power=None):
    stated = None if x is None else FileMPP(x, x if y is None else y, "aperio.MPP")
    return SlideMetadata("aperio", mpp=stated, objective_power=power)


class TestOrder:
    def test_annotations_come_first(self):
        found = settle_mpp(PATH, says(0.25), annotated=0.5, given=1.0)
        assert (found.x, found.y, found.source) == (0.5, 0.5, "annotations")

    def test_then_what_is_given(self):
        found = settle_mpp(PATH, says(0.25), given=1.0)
        assert (found.x, found.y, found.source) == (1, 1, "mpp=")

    def test_then_the_file_with_both_axes(self):
        found = settle_mpp(PATH, says(0.25, 0.26, power=40), from_objective=True)
        assert (found.x, found.y, found.source, found.doubt) == (0.25, 0.26, "aperio.MPP", None)

    def test_then_the_objective_where_that_is_allowed(self):
        found = settle_mpp(PATH, says(power=40), from_objective=True)
        assert (found.x, found.y, found.source) == (0.25, 0.25, "objective")
        assert found.doubt is not None
        assert "0.25" in found.doubt
        assert "40x" in found.doubt


class TestErrors:
    def check(self, error, *words):
        assert error.value.path == PATH
        for word in ("slide.svs", "column `mpp`", "mpp=", "--mpp", *words):
            assert word in str(error.value)

    def test_nobody_says_it(self):
        with pytest.raises(MissingMPPError) as error:
            settle_mpp(PATH, says())
        self.check(error, "does not state")

    def test_the_objective_is_only_a_hint_for_sizes_in_microns(self):
        with pytest.raises(MissingMPPError) as error:
            settle_mpp(PATH, says(power=40))
        self.check(error, "40x", "0.25")

    @pytest.mark.parametrize("value", [0.049, 20.1, 0.00499, 352.8, 0.0, -0.5, math.nan, math.inf])
    @pytest.mark.parametrize("who", ["annotated", "given", "file"])
    def test_what_cannot_be_true(self, value, who):
        metadata, overrides = (says(value), {}) if who == "file" else (says(0.25), {who: value})
        with pytest.raises(MissingMPPError) as error:
            settle_mpp(PATH, metadata, **overrides)
        self.check(error, {"annotated": "annotations", "given": "mpp=", "file": "aperio.MPP"}[who], "0.05", "20")

    def test_one_absurd_axis_is_enough(self):
        with pytest.raises(MissingMPPError, match=r"0\.25 × 0\.0025"):
            settle_mpp(PATH, says(0.25, 0.0025))

    def test_an_objective_that_cannot_be_true(self):
        with pytest.raises(MissingMPPError, match=r"objective says 0\.01"):
            settle_mpp(PATH, says(power=1000), from_objective=True)

    @pytest.mark.parametrize("value", MPP_RANGE)
    def test_the_ends_of_the_range_are_inside(self, value):
        assert settle_mpp(PATH, says(), given=value).x == value

    def test_an_override_mends_an_absurd_file(self):
        found = settle_mpp(PATH, says(0.00499), given=0.499)
        assert found.x == 0.499
        # Whoever gave it may have mistaken the slide: a person should look.
        assert found.doubt == "0.499 µm/px was given, but the file says 0.00499 (aperio.MPP), which cannot be true."


class TestDoubt:
    @pytest.mark.parametrize("who", ["annotated", "given"])
    def test_an_override_that_contradicts_the_file(self, who):
        doubt = settle_mpp(PATH, says(0.25), **{who: 0.5}).doubt
        assert doubt == "0.5 µm/px was given, but the file says 0.25 (aperio.MPP)."

    def test_an_override_that_agrees(self):
        assert settle_mpp(PATH, says(0.2528), given=0.25).doubt is None

    def test_an_override_that_agrees_with_one_axis_only(self):
        assert settle_mpp(PATH, says(0.25, 0.3), given=0.25).doubt is not None

    def test_axes_that_differ(self):
        doubt = settle_mpp(PATH, says(0.25, 0.3)).doubt
        assert doubt is not None
        assert "between x (0.25) and y (0.3)" in doubt

    @pytest.mark.parametrize(
        ("x", "power", "doubted"), [(0.25, 40, False), (0.25, 20, True), (0.5, 40, True), (0.23, 40, False)]
    )
    def test_an_objective_that_does_not_fit(self, x, power, doubted):
        assert (settle_mpp(PATH, says(x, power=power)).doubt is not None) == doubted


@pytest.mark.realdata
def test_the_real_file_that_is_wrong(real_data):
    from slidekit.pixels.readers import open_slide

    path = real_data / "slides" / "CMU-1-Small-Region-wrong-mpp.tiff"
    with open_slide(path) as reader, pytest.raises(MissingMPPError, match=r"0\.00499"):
        settle_mpp(path, reader.metadata)
