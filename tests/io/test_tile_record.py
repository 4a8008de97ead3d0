"""Which sizes of concentric tiles a record has, and which the name of its folder promises."""

from __future__ import annotations

import pytest

from slidekit.errors import RecordError
from slidekit.io.tfrecord import FurtherImage, TileRecord, promised_sizes
from slidekit.units import size_name, tile_size_label


@pytest.mark.parametrize("sizes", [(128, 512), (1e6, 2e6, 0.5), ("20x", "5x", "2.5x"), ("10x", 300, 1e-5)])
def test_the_name_of_a_folder_promises_its_further_sizes(sizes) -> None:
    assert promised_sizes(tile_size_label(256, sizes)) == tuple(map(size_name, sizes[1:]))


@pytest.mark.parametrize("name", ["256px_128um", "256px_1e+06um", "256px_128um+", "256px_a+b", "128um+512um", "x"])
def test_other_names_promise_nothing(name) -> None:
    assert promised_sizes(name) is None


def test_a_record_names_what_it_lacks_and_what_it_has_too_many() -> None:
    record = TileRecord("a", b"0", 3, 4, further=(FurtherImage("512um", b"1"), FurtherImage("5x", b"2")))

    record.check_sizes(["5x", "512um"], offset=7, mend="")
    with pytest.raises(
        RecordError, match=r"byte 7, the tile at \(3, 4\), has no image of 64um and more than it should have, 512um\."
    ):
        record.check_sizes(["5x", "64um"], offset=7, mend="Extract again.")
