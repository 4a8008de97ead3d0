"""XML of ImageScope and of ASAP."""

from __future__ import annotations

import math

import pytest

from slidekit.errors import ROIError
from slidekit.slide.roi import load_rois


def region(number, points, attributes="", tag="Vertex"):
    found = "".join(f'<{tag} X="{x}" Y="{y}" Z="0"/>\n' for x, y in points)
    return f'<Region Id="{number}" {attributes}><Vertices>\n{found}</Vertices></Region>\n'


def layer(regions, name="", description=""):
    attributes = f'<Attributes><Attribute Name="Description" Value="{description}"/></Attributes>'
    return f'<Annotation Id="1" Name="{name}">{attributes}<Regions>{"".join(regions)}</Regions></Annotation>\n'


def square(x, y, size):
    return [(x, y), (x + size, y), (x + size, y + size), (x, y + size)]


def load(folder, text, **options):
    path = folder / "slide.xml"
    path.write_text(text, encoding="utf-8")
    return load_rois(path, **options)


def imagescope(*layers):
    return '<?xml version="1.0"?>\n<Annotations MicronsPerPixel="0.25">\n' + "".join(layers) + "</Annotations>"


def test_imagescope_names_labels_and_nesting(tmp_path):
    text = imagescope(
        layer([region(1, square(0, 0, 10)), region(2, square(2, 2, 2))], "tumor"),
        layer([region(3, square(5, 5, 3))], "", "stroma"),
        layer([region(4, square(20, 20, 3), 'Text="fat"'), region(5, square(30, 30, 3))]),
    )

    found = load(tmp_path, text, bounds_origin=(9, 9))

    assert [(roi.name, roi.label, roi.polygon.area) for roi in found] == [
        ("ROI_1", "tumor", 96),
        ("ROI_3", "stroma", 9),
        ("ROI_4", "fat", 9),
        ("ROI_5", None, 9),
    ]
    assert found.origin == (0.0, 0.0)
    assert not found.problems


def test_imagescope_negative_regions_are_holes(tmp_path):
    text = imagescope(
        layer(
            [region(2, square(2, 2, 4), 'NegativeROA="1"'), region(1, square(0, 0, 10), 'NegativeROA="0"')],
            "t",
        ),
        layer([region(3, square(50, 50, 4), 'NegativeROA="1"')], "t"),
    )

    found = load(tmp_path, text)

    assert [(roi.name, roi.polygon.area) for roi in found] == [("ROI_1", 84)]
    assert [(problem.name, problem.kind) for problem in found.problems] == [("ROI_3", "skipped")]


def test_imagescope_shapes(tmp_path):
    ends = [(20, 0), (40, 5), (20, 10), (0, 5)]
    text = imagescope(
        layer(
            [
                region(1, [(0, 0), (40, 10)], 'Type="2"'),
                region(2, ends, 'Type="1" GeoShape="Ellipse"'),
                region(3, [(100, 0), (140, 10)], 'Type="1"', tag="V"),
                region(4, [(0, 0), (1, 1)], 'Type="3"'),
                region(5, square(200, 0, 5), 'Type="Polygon"', tag="V"),
                region(6, [(300, 0), (310, 5), (308, 9), (298, 4)], 'Type="2"'),
            ],
            "x",
        )
    )

    found = load(tmp_path, text)

    # The second ellipse is the first one, given by the ends of its axes instead of its box.
    ellipse = math.pi * 20 * 5
    assert [roi.name for roi in found] == ["ROI_1", "ROI_3", "ROI_5", "ROI_6"]
    assert [roi.polygon.area for roi in found][:3] == pytest.approx([ellipse, 400, 25], rel=2e-4)
    assert len(found.rois[3].polygon.exterior.coords) == 5
    assert sorted(problem.what[:9] for problem in found.problems) == ["1 x arrow", "The same "]


def test_problems_in_xml_have_lines(tmp_path):
    text = imagescope(layer([region(1, [(0, 0), (1, 1)]), region(2, [("x", 0), (0, 0), (5, 0), (5, 5)])]))

    found = load(tmp_path, text)

    assert [roi.name for roi in found] == ["ROI_2"]
    assert [(problem.name, problem.line, problem.kind) for problem in found.problems] == [
        ("ROI_1", 3, "skipped"),
        ("ROI_2", 7, "mended"),
    ]


def annotation(name, points, group="None", kind="Polygon", backwards=False):
    numbered = list(enumerate(points))
    found = "".join(
        f'<Coordinate Order="{n}" X="{x}" Y="{y}" />\n' for n, (x, y) in (numbered[::-1] if backwards else numbered)
    )
    return (
        f'<Annotation Name="{name}" Type="{kind}" PartOfGroup="{group}" Color="#F4FA58">\n'
        f"<Coordinates>{found}</Coordinates></Annotation>\n"
    )


def asap(*annotations, groups=""):
    return (
        '<?xml version="1.0"?>\n<ASAP_Annotations>\n<Annotations>\n'
        + "".join(annotations)
        + f"</Annotations><AnnotationGroups>{groups}</AnnotationGroups></ASAP_Annotations>"
    )


def test_asap_groups_are_labels_and_nothing_nests(tmp_path):
    text = asap(
        annotation("a", square(0, 0, 10), "metastasis", backwards=True),
        annotation("b", square(2, 2, 4), "metastasis", kind="Rectangle"),
        annotation("c", square(20, 20, 4)),
        annotation("d", square(40, 20, 4), kind="Spline"),
        annotation("e", [(1, 1)], kind="Dot"),
        annotation("f", [(1, 1), (2, 2), (3, 1)], kind="PointSet"),
    )

    found = load(tmp_path, text, bounds_origin=(9, 9))

    assert [(roi.name, roi.label, roi.polygon.area) for roi in found] == [
        ("a", "metastasis", 100),
        ("b", "metastasis", 16),
        ("c", None, 16),
        ("d", None, 16),
    ]
    assert [(problem.line is not None, problem.kind) for problem in found.problems] == [
        (True, "warning"),
        (False, "skipped"),
        (False, "skipped"),
    ]


@pytest.mark.parametrize("group", ["Exclusion", "exclude", "_2", "inner"])
def test_asap_exclusion_groups_cut_everything(tmp_path, group):
    text = asap(
        annotation("a", square(0, 0, 10), "Tumor"),
        annotation("hole", square(2, 2, 4), group),
        annotation("b", square(5, 5, 10), "_0"),
        groups='<Group Name="inner" PartOfGroup="Exclusion"/><Group Name="loop" PartOfGroup="loop"/>',
    )

    found = load(tmp_path, text)

    assert [(roi.name, roi.label, roi.polygon.area) for roi in found] == [("a", "Tumor", 84), ("b", "_0", 99)]
    assert [problem.kind for problem in found.problems] == (["warning"] if group == "_2" else [])


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><Annotations>&c;</Annotations>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><Annotations>&b;</Annotations>'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("<Annotations>\n<Annotation></Annotations>", 2, "damaged"),
        ("<Annotations>", 1, "damaged"),
        ("<kml></kml>", 1, "<kml>"),
        (BOMB, None, "entities"),
        (EXTERNAL, None, "entities"),
        ('<?xml version="1.0" encoding="nonsense"?><Annotations/>', None, "encoding"),
    ],
)
def test_damaged_or_hostile_xml_is_an_error(tmp_path, text, line, said):
    with pytest.raises(ROIError, match=said) as caught:
        load(tmp_path, text)

    assert caught.value.line == line
    assert caught.value.mend


def test_deep_xml_does_not_exhaust_the_stack(tmp_path):
    found = load(tmp_path, "<Annotations>" + "<a>" * 50_000 + "</a>" * 50_000 + "</Annotations>")

    assert len(found) == 0
    assert [problem.kind for problem in found.problems] == ["warning"]
