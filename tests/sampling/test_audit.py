from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from slidekit.cli import app
from slidekit.cli.options import flags_of
from slidekit.cli.sampling_options import KINDS
from slidekit.errors import SlidekitError, SpecError
from slidekit.io.slide_tiff import write_svs
from slidekit.sampling import PatchSampler, SamplingSpec
from slidekit.sampling.audit import audit_patches, write_audit
from slidekit.sampling.audit_picture import draw_audit
from slidekit.sampling.bench import measure_feeds
from tests.sampling.small_slides import write_slides

RUN = CliRunner()


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    return write_slides(tmp_path_factory.mktemp("audited") / "slides")


@pytest.fixture
def sampler(slides, tmp_path):
    return PatchSampler(slides, 32, 20, cache=tmp_path / "cache", seed=3, background=0.3)


def test_patches_are_the_samplers_own_and_frames_are_where_they_were_read(sampler):
    audit = audit_patches(sampler, 20, start=5)

    batch = sampler[5:25]
    assert [patch.step for patch in audit.patches] == list(range(5, 25))
    for row, patch in enumerate(audit.patches):
        np.testing.assert_array_equal(patch.image, batch.images[row])
        ((x0, y0, x1, y1),) = audit.frames(patch)
        assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx(tuple(batch.centres[row]))
        assert (x1 - x0, y1 - y0) == pytest.approx((40, 40))
    assert sum(audit.slides.values()) == 20


def test_the_picture_has_every_patch_and_its_frame_on_the_map(sampler):
    audit = audit_patches(sampler, 10)

    figure = draw_audit(audit, maps=2)

    montage, *maps = [axes for axes in figure.get_axes() if axes.images]
    pixels = montage.images[0].get_array()
    assert pixels.shape == (3 * 46 - 4, 4 * 46 - 4, 3)
    assert np.array_equal(pixels[5:37, 5 + 46 : 37 + 46], audit.patches[1].image)
    assert len(maps) == 2
    for axes, (slide, count) in zip(maps, sorted(audit.slides.most_common(2)), strict=True):
        frames = sorted(audit.frames(patch)[0] for patch in audit.patches if patch.slide == slide)
        drawn = sorted((*frame.xy, frame.xy[0] + frame.get_width(), frame.xy[1] + frame.get_height())
                       for frame in axes.patches)  # fmt: skip
        np.testing.assert_allclose(drawn, frames)
        assert f"{sampler.slides[slide].name}: {count} patch" in axes.get_title()
        assert len(axes.collections) == 1, "the outline of the mask"


def test_large_patches_are_shown_small_and_views_and_classes_go_along(slides, tmp_path):
    labelled = write_slides(
        tmp_path / "labelled", label_masks=[np.full((32, 40), number + 1, np.uint8) for number in range(3)]
    )
    sampler = PatchSampler(
        labelled, 300, 20, views=[(32, 2)], classes=(1, 2, 3), label_images=True, cache=tmp_path / "cache"
    )

    audit = audit_patches(sampler, 6)

    assert {patch.image.shape for patch in audit.patches} == {(160, 160, 3)}
    assert {patch.labels.shape for patch in audit.patches} == {(160, 160)}
    assert [x1 - x0 for x0, _, x1, _ in audit.frames(audit.patches[0])] == pytest.approx([40, 80])
    assert "first of 2 images each" in audit.lines()[0]


def test_what_could_not_be_had_is_said(slides, tmp_path):
    bad = tmp_path / "bad.svs"
    bad.write_bytes(slides[0].path.read_bytes()[:400])
    sampler = PatchSampler([*slides, bad], 32, 20, cache=tmp_path / "cache")

    audit = audit_patches(sampler, 16)

    assert audit.report.redrawn.keys() == {"bad"}
    assert "bad" in audit.lines()[-1]
    assert "Drawn anew" in audit.lines()[-1]
    assert "No patch had to be drawn anew." in audit_patches(PatchSampler(slides, 32, 20, cache=tmp_path), 2).lines()


def test_names_of_slides_may_be_anything(slides, tmp_path):
    for name in ("_under$core$", "腫瘍 12", "ශ" * 60):
        shutil.copy(slides[0].path, tmp_path / f"{name}.svs")
    sampler = PatchSampler(tmp_path, 32, 20, mask=None, cache=tmp_path / "cache")

    picture = write_audit(sampler, tmp_path / "a.png", 9) and cv2.imread(str(tmp_path / "a.png"))

    assert picture.std() > 10


@pytest.mark.parametrize(("dest", "n"), [("a.gif", 4), ("a.png", 0)])
def test_an_audit_that_makes_no_sense(sampler, tmp_path, dest, n):
    with pytest.raises(SpecError) as caught:
        sampler.audit(tmp_path / dest, n)
    assert caught.value.mend
    assert not (tmp_path / dest).exists()


def test_feeds_are_measured_and_shown_in_80_columns(sampler):
    started = []

    measured = measure_feeds(
        sampler,
        patches=24,
        batch_size=8,
        workers=[0],
        look_aheads=[8, 24],
        on_start=lambda *of: started.append(of),
    )

    assert started == [(0, 8), (0, 24)] == [(one.workers, one.look_ahead) for one in measured.measures]
    assert all(one.report.patches == 24 and one.first_batch > 0 for one in measured.measures)
    console = Console(width=80, record=True, file=None)
    with console.capture() as shown:
        console.print(measured)
    assert max(map(len, shown.get().splitlines())) <= 80
    assert "…" not in shown.get()
    with pytest.raises(SpecError, match="nothing"):
        measure_feeds(sampler, workers=[])


# --- the commands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["sample", "bench-sampler"])
def test_every_field_of_the_spec_is_an_option(command):
    text = RUN.invoke(app, [command, "--help"], env={"COLUMNS": "300"}).output

    for name, field in SamplingSpec.model_fields.items():
        for flag in flags_of(name, field, KINDS.get(name)):
            assert f"{flag} " in text


@pytest.mark.parametrize(("flags", "field", "value"), [
    (["--tile-um", "128"], "tile_um", 128),
    (["--tile-um", "10x"], "tile_um", "10x"),
    (["--tile-um", "128", "--tile-um", "256"], "tile_um", (128, 256)),
    (["--tile-mpp", "0.5"], "tile_mpp", 0.5),
    (["--downsample", "4", "--downsample", "2"], "downsample", (4, 2)),
    (["--level", "0"], "level", 0),
    (["--level", "0"], "tile_px", 256),
    (["--level", "0", "--tile-px", "64"], "tile_px", 64),
    (["--level", "0", "--views", "128:4"], "views", ((128, 4),)),
    (["--level", "0", "--stack", "8", "--stack", "16"], "stack", (8, 16)),
    (["--level", "0", "--mask", "otsu"], "mask", "otsu"),
    (["--level", "0", "--mask", "otsu", "--mask", "roi"], "mask", ("otsu", "roi")),
    (["--level", "0", "--mask", "nothing"], "mask", None),
    (["--level", "0"], "mask", "histofetch"),
    (["--level", "0", "--weights", "area"], "weights", "area"),
    (["--level", "0", "--classes", "tumor", "--classes", "2"], "classes", ("tumor", "2")),
    (["--level", "0", "--classes", "1", "--classes", "2"], "classes", (1, 2)),
    (["--level", "0", "--mode", "points", "--points", "s,1,2.5,3"], "points", (("s,1", 2.5, 3),)),
    (["--level", "0", "--mode", "grid", "--no-shuffle"], "shuffle", False),
    (["--level", "0", "--min-tissue", "0.5"], "min_tissue", 0.5),
])  # fmt: skip
def test_options_reach_the_spec(monkeypatch, tmp_path, flags, field, value):
    import slidekit.sampling

    seen = {}

    class StopError(Exception):
        pass

    def stop(slides, **options):
        seen["spec"] = SamplingSpec.create(**options)
        raise StopError

    monkeypatch.setattr(slidekit.sampling, "PatchSampler", stop, raising=False)
    slide = write_svs(tmp_path / "s.svs", [np.zeros((16, 16, 3), np.uint8)], mpp=0.5)

    result = RUN.invoke(app, ["sample", str(slide), "-o", str(tmp_path / "a.png"), *flags])

    assert isinstance(result.exception, StopError), result.output
    assert getattr(seen["spec"], field) == value


@pytest.mark.parametrize(("flags", "says"), [
    ([], "--tile-um is missing"),
    (["--level", "0", "--views", "256"], "PX:TIMES"),
    (["--level", "0", "--points", "s:1:2"], "SLIDE,X,Y"),
])  # fmt: skip
def test_options_that_cannot_be_read(slides, tmp_path, flags, says):
    result = RUN.invoke(app, ["sample", str(slides[0].path), "-o", str(tmp_path / "a.png"), *flags])

    assert isinstance(result.exception, SpecError)
    assert says in str(result.exception)


def test_the_command_draws_and_tells(slides, tmp_path):
    folder, masks = tmp_path / "slides", tmp_path / "masks"
    for made in (folder, masks):
        made.mkdir()
    for slide in slides:
        shutil.copy(slide.path, folder)
        shutil.copy(slide.mask, masks / f"{slide.name}.png")
    command = ["sample", str(folder), "-o", str(tmp_path / "a.png"), "--n", "9", "--tile-px", "32", "--tile-um", "20"]

    result = RUN.invoke(app, [*command, "--masks", str(masks), "--cache", str(tmp_path / "cache")])

    assert result.exit_code == 0, result.exception
    assert "9 patches of 32 px, 20 µm" in result.output
    assert cv2.imread(str(tmp_path / "a.png")).shape[1] == 1650


def test_the_bench_command_prints_a_row_a_way(slides, tmp_path):
    command = ["bench-sampler", str(slides[0].path), "--tile-px", "32", "--tile-um", "20", "--mask", "nothing"]
    options = ["--patches", "16", "--batch-size", "8", "--workers", "0", "--look-ahead", "8", "--look-ahead", "16"]

    result = RUN.invoke(app, [*command, *options, "--cache", str(tmp_path / "cache")], env={"COLUMNS": "80"})

    assert result.exit_code == 0, result.exception
    rows = [line.split() for line in result.output.splitlines()]
    assert [row[:2] for row in rows if row and row[0] == "0"] == [["0", "8"], ["0", "16"]]


def test_a_list_is_shown_to_its_end_and_no_further(slides, tmp_path):
    grid = PatchSampler(slides, 32, 20, cache=tmp_path / "cache", mode="grid")

    audit = audit_patches(grid, 10_000, start=len(grid) - 1)

    assert [patch.step for patch in audit.patches] == [len(grid) - 1]
    assert audit.lines()[0].startswith("1 patch of 32 px")
    with pytest.raises(SlidekitError, match=f"the list has {len(grid)}"):
        audit_patches(grid, 4, start=len(grid))
    with pytest.raises(SpecError, match="no such folder"):
        write_audit(grid, tmp_path / "nowhere" / "n.png", 4)


def test_masks_of_no_slide_are_an_error_and_those_of_slides_are_said(slides, tmp_path):
    (tmp_path / "masks").mkdir()
    mask = str(tmp_path / "masks" / "other.png")
    cv2.imwrite(mask, np.full((8, 8), 255, np.uint8))
    arguments = [
        "sample",
        str(slides[0].path.parent),
        "--tile-px",
        "32",
        "--tile-um",
        "20",
        "--n",
        "2",
        "-o",
        str(tmp_path / "a.png"),
    ]
    arguments += ["--cache", str(tmp_path / "cache"), "--masks", str(tmp_path / "masks")]

    wrong = RUN.invoke(app, arguments)
    for slide in slides:
        shutil.copy(mask, tmp_path / "masks" / f"{slide.name}_mask.png")
    right = RUN.invoke(app, arguments)

    assert wrong.exit_code != 0
    assert "holds no image named after a slide" in str(wrong.exception or "") + wrong.output
    assert right.exit_code == 0, right.output
    assert "masks that were given" in right.output
