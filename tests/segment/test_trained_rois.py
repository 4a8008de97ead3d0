"""The whole way: regions of two slides teach a network, which draws those of a third; tiles are cut inside them."""

from __future__ import annotations

import pytest
import shapely

from slidekit import Dataset
from slidekit.segment import SegmentConfig, train
from slidekit.slide.roi import load_rois

SIZE = {"tile_px": 16, "tile_um": 64}
MARGIN = 4.0
"""Two pixels of the network's map, level-0 pixels: as far as its edges may be off."""


@pytest.mark.long
@pytest.mark.tensorflow
# Keras' own, of numpy 2.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:keras")
def test_tiles_of_generated_regions_are_those_of_the_true_ones_but_at_the_border(cohort, tmp_path) -> None:
    # Arrange
    pytest.importorskip("tensorflow")
    known = Dataset(slides=[cohort.folder / "slides" / f"s{n}.tiff" for n in (0, 1)], rois=cohort.folder / "rois")
    new = Dataset(
        slides=[cohort.folder / "slides" / "s2.tiff"], rois=tmp_path, tfrecords=tmp_path / "tfrecords", **SIZE
    )
    config = SegmentConfig(
        size=64, mpp=8, labels=["tissue"], depth=2, filters=8, epochs=6, steps_per_epoch=16, train_batch_size=4, lr=3e-3
    )
    # Act
    model = train(config, known, dest=tmp_path / "model")
    report = new.generate_rois(model.path)
    reports = new.extract_tiles(roi_method="inside", report=False)
    # Assert
    assert model.dice > 0.9
    assert report.having("done") == ("s2",)
    truth = cohort.tissue["s2"]
    (roi,) = load_rois(tmp_path / "s2.csv")
    assert (roi.name, roi.label) == ("tissue_1", "tissue")
    table = new.get_tile_dataframe(roi_method="inside", num_workers=1)
    for place in table.itertuples():
        centre = shapely.Point(place.loc_x, place.loc_y)
        if truth.boundary.distance(centre) > MARGIN + 1:
            assert (place.reason == "kept") == truth.contains(centre)
    assert [one.status for one in reports.values()] == ["done"]
    # Act, Assert: nothing is done twice
    assert new.generate_rois(model.path).having("finished before") == ("s2",)
