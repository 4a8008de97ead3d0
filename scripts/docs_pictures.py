"""Make the pictures in docs/images: run the demonstration in a temporary folder, and take them from its report."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pypdfium2
from augment_figure import draw_augment_figure
from PIL import Image
from stain_figure import draw_stain_figure

from slidekit import WSI, Project, create_project
from slidekit.demo.slides import DemoData, draw_demo_slides
from slidekit.io.atomic import atomic_write
from slidekit.slide.preview import LEGEND

MAX_BYTES = 250_000
REPORT_WIDTH, PREVIEW_WIDTH = 880, 800
COLOURS = (208, 192, 128, 96, 64, 48, 32)
TINTED = (30, 80)
IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"

QC_HEADING = "Quality control of tissue"
SPOILED, REGIONS = "demo-2-blur-and-pen", "demo-1-regions"


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dest", type=Path, default=IMAGES, help="folder for the pictures; default docs/images")
    dest: Path = parser.parse_args().dest
    dest.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        data = draw_demo_slides(Path(folder) / "data")
        project = create_project(
            Path(folder) / "demo", slides=data.slides_dir, rois=data.rois_dir, annotations=data.annotations
        )
        pictures = {**report_pages(project), **previews(data)}
        # The last slide is almost empty.
        pictures["stain-normalisation"] = draw_stain_figure([slide.path for slide in data.slides[:4]])
        pictures["augmentation"] = draw_augment_figure(data.slides[0].path)
    for name, picture in pictures.items():
        size = save(dest / f"{name}.png", picture)
        print(f"{name}.png: {picture.width} × {picture.height}, {size / 1e3:.0f} kB")


def report_pages(project: Project) -> dict[str, Image.Image]:
    """The first page of the report, its table of QC, and the page of the slide with a blurred part and a pen mark."""
    dataset = project.dataset(tile_px=256, tile_um=128)
    dataset.extract_tiles(qc=["both", "pen", "fold"], normalizer="macenko")
    (folder,) = dataset.report_dirs()
    (path,) = folder.glob("tile_extraction_report-*.pdf")
    with pypdfium2.PdfDocument(path) as pdf:
        # The slide is named on several pages; only its own has sample tiles.
        texts = [page.get_textpage().get_text_range() for page in pdf]
        place = next(number for number, text in enumerate(texts) if SPOILED in text and "sample tiles" in text)
        worst = next(number for number, text in enumerate(texts) if QC_HEADING in text)
        return {
            "report-cover": render(pdf[0]),
            "report-slide": render(pdf[place]),
            "report-qc": render_between(pdf[worst], QC_HEADING, "All slides"),
        }


def render_between(page: pypdfium2.PdfPage, first: str, last: str) -> Image.Image:
    """The part of a page from one heading to before another."""
    text, scale = page.get_textpage(), REPORT_WIDTH / page.get_width()
    tops = []
    for words in (first, last):
        found = text.search(words, match_case=True).get_next()
        if found is None:
            raise SystemExit(f"The page has no heading {words!r}.")
        tops.append(page.get_height() - text.get_charbox(found[0])[3])
    image = page.render(scale=scale).to_pil().convert("RGB")
    return image.crop((0, round((tops[0] - 10) * scale), image.width, round((tops[1] - 14) * scale)))


def render(page: pypdfium2.PdfPage) -> Image.Image:
    """A page as a picture, `REPORT_WIDTH` px wide, with a thin frame so that it is seen on white."""
    image = page.render(scale=REPORT_WIDTH / page.get_width()).to_pil().convert("RGB")
    pixels = np.array(image)
    pixels[[0, -1]] = pixels[:, [0, -1]] = 200
    return Image.fromarray(pixels)


def previews(data: DemoData) -> dict[str, Image.Image]:
    """Slides with kept tiles, regions of interest and QC masks drawn in."""
    paths = {slide.name: slide.path for slide in data.slides}
    with WSI(paths[SPOILED], tile_px=256, tile_um=128, qc="both") as wsi:
        spoiled = wsi.preview(PREVIEW_WIDTH)
    with WSI(paths[REGIONS], tile_px=256, tile_um=128, rois=data.rois_dir) as wsi:
        regions = wsi.preview(PREVIEW_WIDTH)
    return {"preview-qc": as_image(spoiled), "preview-rois": as_image(regions)}


def as_image(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """Pixels (rows, columns, 3) as a picture."""
    return Image.fromarray(pixels)


def save(path: Path, picture: Image.Image) -> int:
    """Write a PNG with as many colours as `MAX_BYTES` allow; returns its size in bytes."""
    for colours in COLOURS:
        few = picture.quantize(palette=palette(picture, colours), dither=Image.Dither.NONE)
        with atomic_write(path) as file:
            few.save(file, format="PNG", optimize=True)
        if path.stat().st_size <= MAX_BYTES:
            return path.stat().st_size
    raise SystemExit(f"{path.name} is larger than {MAX_BYTES} bytes with {COLOURS[-1]} colours: make it smaller.")


def palette(picture: Image.Image, colours: int) -> Image.Image:
    """The commonest colours of a picture, and those of the legend, also over dark tissue, which are too rare."""
    common = picture.quantize(colours, kmeans=4, dither=Image.Dither.NONE).getpalette() or []
    tints = [tuple((value + gray) // 2 for value in entry.rgb) for entry in LEGEND for gray in TINTED]
    holder = Image.new("P", (1, 1))
    rare = [*(entry.rgb for entry in LEGEND), *tints]
    holder.putpalette([*common[: 3 * colours], *(value for rgb in rare for value in rgb)])
    return holder


if __name__ == "__main__":
    main()
