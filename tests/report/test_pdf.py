from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest
from pypdf import PdfReader
from pypdf.generic import Destination

from slidekit.errors import ReportError
from slidekit.report import SlidePictures
from slidekit.report.pen import Pen

LONG = "TCGA-A2-A0T2-01Z-00-DX1.29A5C4B2-9D5F-4AE6-B6AF-" + "0123456789_scan-again-" * 4
JAPANESE = "胃生検_2024年_症例17_高倍率スキャン"
NAMES = ["gastric-HE-40x", LONG, JAPANESE, "Bjo\u0308rn_e\u0301", "한 \U0001f9ec"]


def squeeze(text):
    """Text without the spaces and line breaks that extraction puts in or loses."""
    return "".join(unicodedata.normalize("NFC", text).split())


def whole_text(reader):
    return "\n".join(page.extract_text() for page in reader.pages)


def outline(reader):
    def flatten(items, level=0):
        for item in items:
            if isinstance(item, list):
                yield from flatten(item, level + 1)
            else:
                yield level, item

    return [(level, item.title, reader.get_destination_page_number(item)) for level, item in flatten(reader.outline)]


def links(reader):
    """Page from, page to, and destination of every link."""
    named = reader.named_destinations
    number = {page.indirect_reference.idnum: place for place, page in enumerate(reader.pages)}
    for place, page in enumerate(reader.pages):
        for reference in page.get("/Annots", []):
            target = reference.get_object()["/Dest"]
            target = named[target].dest_array if isinstance(target, str) else target
            yield place, number[target[0].idnum]


def object_bytes(reader):
    """Every stream of the file, decoded, and the raw file."""
    for number in range(1, len(reader.xref[0]) + 1):
        thing = reader.get_object(number)
        if hasattr(thing, "get_data") and "/DCTDecode" not in str(thing.get("/Filter")):
            yield thing.get_data()
        elif hasattr(thing, "_data"):
            yield thing._data


@pytest.fixture
def mixed(report, failed):
    return [
        *(report(name, blur_burden=None) for name in NAMES),
        report("blurred", blur_burden=0.234, warnings=("Level 2 of /data/Doe John/blurred.svs is damaged.",)),
        report("empty", status="empty", counts={"background": 1234}, blur_burden=None),
        failed("broken", "/data/Doe John/broken.svs: no TIFF header."),
        report("no-roi", status="skipped", reason="No ROI file.", candidates=0, counts={}, blur_burden=None),
    ]


@pytest.fixture
def reader(make_pdf, mixed):
    return PdfReader(make_pdf(mixed)[0])


class TestText:
    def test_cover_tells_counts_of_slides_and_tiles(self, reader):
        cover = reader.pages[0].extract_text()

        for said in ("6 done", "1 empty", "1 skipped", "1 failed", "3,954", "8,638", "1 of 1 over 5 %"):
            assert said in cover
        assert "4 of 9 slides need a person to look at them" in cover

    def test_cover_tells_parameters(self, reader):
        cover = squeeze(reader.pages[0].extract_text())

        for said in ("256 px = 128 µm", "otsu, blur", "macenko", "target.png", "JPEG, quality 95, 4:2:0"):
            assert squeeze(said) in cover

    def test_every_page_says_research_use_version_time_and_page_number(self, reader):
        total = len(reader.pages)
        for number, page in enumerate(reader.pages, 1):
            text = page.extract_text()
            for said in ("Research use only", f"Page {number} of {total}", "slidekit 0.1.0", "2026-02-03 14:05:06"):
                assert said in text

    def test_every_name_can_be_read_whole(self, reader, mixed):
        text = squeeze(whole_text(reader))

        for name in NAMES[:-1]:
            assert squeeze(name) in text
        # No font has these: boxes are drawn, and the characters are named.
        assert "U+D55C,U+1F9EC" in text

    def test_slides_to_look_at_stand_on_the_second_page_with_reasons(self, reader):
        text = reader.pages[1].extract_text()

        assert text.index("broken.svs: no TIFF header.") < text.index("23.4 % of the tissue is out of focus")
        assert text.index("blurred") < text.index("No tile was kept: 1,234 of 1,234") < text.index("No ROI file.")

    def test_the_table_has_every_slides_counts(self, reader):
        page = next(page for _, title, page in outline(reader) if title == "All slides")
        words = reader.pages[page].extract_text().split("All slides")[-1].split()

        blurred = words[words.index("blurred") + 1 :][:10]
        assert blurred == ["done", "659", "1,234", "567", "8", "0.2528", "openslide.mpp-x", "23.4", "%", "3"]
        empty = words[words.index("empty") + 1 :][:8]
        assert empty == ["empty", "0", "1,234", "1,234", "0", "0.2528", "openslide.mpp-x", "–"]

    def test_a_slides_part_has_facts_counts_legend_and_scale(self, reader):
        page = next(page for level, title, page in outline(reader) if title == "blurred")
        text = reader.pages[page].extract_text()

        for said in (
            "13,198 × 11,685 px · 3.34 × 2.95 mm",
            "0.2528 · openslide.mpp-x",
            "resampled 1.978× from level 0",
            "native · aperio",
            "12.5 mm² · 40.0 % of the slide",
            "kept tile",
            "not kept: paler",
            "sample tiles",
            "1,234 candidates of 256 px = 128 µm",
            "53.4 %",
            # 64 px of 3.3 µm over 509 points: 60 points are 24.9 µm.
            "20 µm",
        ):
            assert said in text

    def test_a_run_without_flags_says_so(self, make_pdf, report):
        reader = PdfReader(make_pdf([report("a")])[0])

        assert "No slide crossed a warning line" in whole_text(reader)
        assert "No warning on 1 slide." in reader.pages[0].extract_text()

    def test_unknown_parameters_and_no_slides_make_a_report_too(self, make_pdf):
        reader = PdfReader(make_pdf([], spec=None, versions={})[0])

        assert "not recorded" in reader.pages[0].extract_text()

    def test_however_much_is_to_be_said_about_a_slide_it_stays_on_its_page(self, make_pdf, report, monkeypatch):
        tops = []
        draw = Pen.text

        def spy(pen, x, y, text, **options):
            tops.append(y)
            return draw(pen, x, y, text, **options)

        monkeypatch.setattr(Pen, "text", spy)
        sentence = "Something is wrong with this slide, and it takes many words to say what it is. " * 20
        crowded = report(
            "n" * 250,
            labels={f"label {n}": n for n in range(60)},
            counts={**{f"method_{n}": 1 for n in range(20)}, "unreadable": 3, "normalizer": 400, "kept": 811},
            roi_problems=(sentence,) * 30,
            warnings=tuple(f"{n} {sentence}" for n in range(30)),
            mpp_doubt=sentence,
            mpp_source=sentence,
            blur_burden=0.5,
            qc_shares={f"method_{n}": 0.1 for n in range(20)},
        )

        make_pdf([crowded, report("plain", labels={f"label {n}": n for n in range(60)})])

        assert min(tops) > 20


class TestPrivacy:
    def test_no_path_stands_anywhere(self, make_pdf, mixed):
        path = make_pdf(mixed)[0]
        reader = PdfReader(path)

        everything = [path.read_bytes(), whole_text(reader).encode(), str(reader.metadata).encode()]
        everything += list(object_bytes(reader))
        for data in everything:
            for secret in (b"Doe", b"/data", b"/home", str(path.parent).encode()):
                assert secret not in data

    def test_pictures_are_embedded_as_they_are_but_for_their_notes(self, reader, pictures):
        embedded = [
            image.get_object()
            for page in reader.pages
            for image in page["/Resources"].get("/XObject", {}).values()
            if image.get_object()["/Subtype"] == "/Image"
        ]

        assert {(image["/Width"], image["/Height"]) for image in embedded} == {(64, 48), (128, 16)}
        for image in embedded:
            assert image["/Filter"] == ["/DCTDecode"]
            assert image._data[image._data.index(b"\xff\xdb") :] in pictures.preview.read_bytes() + b"|" + (
                pictures.samples.read_bytes()
            )


class TestNavigation:
    def test_bookmarks_lead_to_every_part_and_every_slide(self, reader, mixed):
        entries = outline(reader)

        assert [title for level, title, _ in entries if level == 0] == [
            "Summary",
            "Slides to look at",
            "All slides",
            "Slides to look at, in detail",
            "Slides without a warning",
        ]
        slides = {title: page for level, title, page in entries if level == 1}
        assert set(slides) == {unicodedata.normalize("NFC", report.slide) for report in mixed}
        for title, page in slides.items():
            if "\U0001f9ec" not in title:
                assert squeeze(title) in squeeze(reader.pages[page].extract_text())

    def test_links_lead_from_the_table_to_slides_and_back(self, reader, mixed):
        found = list(links(reader))
        table = next(page for level, title, page in outline(reader) if title == "All slides")
        slides = {page for level, _, page in outline(reader) if level == 1}

        assert slides <= {to for page, to in found if page == table}
        assert slides <= {page for page, to in found if to == table}
        # From the cover to the slides to look at.
        assert (0, 1) in found

    def test_page_numbers_in_print_are_right(self, reader):
        page = next(page for level, title, page in outline(reader) if title == "blurred")

        assert f"page {page + 1} ›" in reader.pages[1].extract_text()


class TestFile:
    def test_the_same_arguments_make_the_same_bytes(self, make_pdf, mixed):
        one = make_pdf(mixed, "one.pdf")[0].read_bytes()
        two = make_pdf(list(reversed(mixed)), "two.pdf")[0].read_bytes()

        assert one == two

    def test_all_fonts_are_embedded(self, reader):
        for page in reader.pages:
            for font in page["/Resources"]["/Font"].values():
                assert "/FontFile2" in font.get_object()["/FontDescriptor"].get_object()
        used = {
            str(font.get_object()["/BaseFont"])
            for page in reader.pages
            for font in page["/Resources"]["/Font"].values()
        }
        assert any("DejaVuSans" in name for name in used)
        assert any("IPAexGothic" in name for name in used)

    def test_metadata_carry_title_version_and_date(self, reader):
        assert reader.metadata.title == "Tile extraction report"
        assert reader.metadata.author == "slidekit 0.1.0"
        assert reader.metadata.creation_date.strftime("%Y-%m-%d %H:%M:%S") == "2026-02-03 14:05:06"
        assert reader.pages[0].mediabox.width == pytest.approx(595.3, abs=0.1)

    def test_a_failure_leaves_no_file(self, make_pdf, report, tmp_path, monkeypatch):
        def explode(_):
            raise OSError("no space left")

        with pytest.raises(OSError, match="no space"):
            make_pdf([report("a")], pictures=explode)

        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("content", [None, b"no picture"])
    def test_a_picture_that_cannot_be_read_is_said_and_the_report_is_made(self, make_pdf, report, tmp_path, content):
        bad = tmp_path / "preview.jpg"
        if content is not None:
            bad.write_bytes(content)

        reader = PdfReader(make_pdf([report("a")], pictures=lambda _: SlidePictures(bad, bad))[0])

        assert whole_text(reader).count("The picture ") == 2


class TestVolumes:
    @pytest.fixture
    def reports(self, report):
        return [report(f"s{n:03}", blur_burden=0.2 if n == 17 else 0.01) for n in range(25)]

    @pytest.fixture
    def files(self, make_pdf, reports):
        return make_pdf(reports, per_volume=10, picked=4)

    def test_what_does_not_fit_goes_into_volumes(self, files):
        assert [path.name for path in files] == ["report.pdf", "report-volume-2.pdf", "report-volume-3.pdf"]
        slides = [[title for level, title, _ in outline(PdfReader(path)) if level == 1] for path in files]
        assert [len(titles) for titles in slides] == [5, 10, 10]
        assert "s017" in slides[0]
        assert sorted(title for titles in slides for title in titles) == [f"s{n:03}" for n in range(25)]

    def test_the_table_tells_volume_and_page(self, files, reports):
        text = whole_text(PdfReader(files[0]))

        assert all(report.slide in text for report in reports)
        for number, path in enumerate(files[1:], 2):
            for level, title, page in outline(PdfReader(path)):
                assert level == 0 or f"v{number}:{page + 1}" in text, title

    def test_volumes_have_no_dangling_links(self, files):
        for path in files:
            reader = PdfReader(path)
            assert all(0 <= to < len(reader.pages) for _, to in links(reader))
            assert all(isinstance(item, Destination) for item in reader.named_destinations.values())

    def test_pictures_are_asked_for_once_a_slide(self, make_pdf, reports, pictures):
        asked = []

        def give(report):
            asked.append(report.slide)
            return pictures

        make_pdf(reports, per_volume=10, picked=4, pictures=give, volumes=False)

        assert len(asked) == len(set(asked)) == 5

    @pytest.mark.parametrize("options", [{"per_volume": 0}, {"picked": -1}])
    def test_limits_that_make_no_sense_are_errors(self, make_pdf, options):
        with pytest.raises(ReportError, match="per_volume"):
            make_pdf([], **options)


def test_importing_the_package_loads_neither_reportlab_nor_matplotlib():
    code = "import sys, slidekit.report; print(sorted({'reportlab', 'matplotlib', 'pandas', 'PIL'} & set(sys.modules)))"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "[]"
