"""An extraction with a generator, from the keyword to the records of a child process."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tifffile

from slidekit import Dataset, norm
from slidekit.errors import NormalizerError, SpecError
from slidekit.io.tfrecord import TileRecord, iter_records

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

pytestmark = pytest.mark.torch


class Invert(torch.nn.Module):
    def forward(self, images):
        return -images


class Shrink(torch.nn.Module):
    def forward(self, images):
        return images[..., ::2, ::2] * 1.0


@pytest.fixture
def generator(tmp_path):
    def save(network, name="g.pt2"):
        auto = torch.export.Dim.AUTO
        sizes = ({0: auto, 2: auto, 3: auto},)
        torch.export.save(torch.export.export(network, (torch.zeros(2, 3, 64, 64),), dynamic_shapes=sizes), path(name))
        return path(name)

    def path(name):
        return tmp_path / name

    return save


@pytest.fixture
def slide(tmp_path, he_tile):
    path = tmp_path / "slides" / "one.tiff"
    path.parent.mkdir()
    image = np.tile(he_tile(1, 96), (3, 4, 1))
    resolution = {"resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, image, tile=(128, 128), photometric="rgb", compression="deflate", **resolution)
    return path


def extract(slide, out, **options):
    dataset = Dataset(slides=slide.parent, tfrecords=out, tile_px=64, tile_um=32)
    given = {"img_format": "png", "workers": 1, "report": False, "grayspace_fraction": 1, **options}
    (report,) = dataset.extract_tiles(**given).values()
    return report


def tiles_of(folder):
    (path,) = folder.rglob("*.tfrecords")
    records = [TileRecord.decode(payload) for _, payload in iter_records(path)]
    return {(r.loc_x, r.loc_y): cv2.imdecode(np.frombuffer(r.image_raw, np.uint8), 1) for r in records}


def test_tiles_are_what_the_generator_makes_of_them(slide, generator, tmp_path):
    plain = extract(slide, tmp_path / "plain")
    report = extract(slide, tmp_path / "out", normalizer="cyclegan", normalizer_source=generator(Invert()))

    assert (plain.status, report.status, report.kept, report.unnormalized) == ("done", "done", plain.kept, 0)
    before, after = tiles_of(tmp_path / "plain"), tiles_of(tmp_path / "out")
    assert before.keys() == after.keys()
    assert all(np.array_equal(after[place], 255 - tile) for place, tile in before.items())


def test_two_generators_come_as_a_saved_fit_and_resume_compares_their_content(slide, generator, tmp_path):
    paths = [generator(Invert(), "a.pt2"), generator(Invert(), "b.pt2")]
    fit = norm.autoselect("cyclegan", paths).save(tmp_path / "fit.json")
    options = {"normalizer": "cyclegan", "normalizer_source": fit}

    first, again = (extract(slide, tmp_path / "out", **options) for _ in range(2))

    assert (first.status, again.status) == ("done", "skipped")
    generator(Shrink(), "b.pt2")
    with pytest.raises(NormalizerError, match="another generator"):
        extract(slide, tmp_path / "out", **options)
    norm.autoselect("cyclegan", paths).save(fit)
    with pytest.raises(SpecError, match=r"normalizer_source: .* with other content now"):
        extract(slide, tmp_path / "out", **options)


def test_a_slide_fails_where_the_generator_cannot_be_used(slide, generator, tmp_path):
    report = extract(slide, tmp_path / "out", normalizer="cyclegan", normalizer_source=generator(Shrink()))

    assert report.status == "failed"
    assert "The generator made (1, 32, 32, 3) of (1, 64, 64, 3)" in report.reason


def test_without_a_generator_nothing_is_begun(slide, tmp_path):
    with pytest.raises(NormalizerError, match="Give source= the path of a generator"):
        extract(slide, tmp_path / "out", normalizer="cyclegan")

    assert not (tmp_path / "out").exists()
