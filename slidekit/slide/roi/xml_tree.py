"""XML as a small tree that remembers lines; entities and everything outside of the file are refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax import SAXException, SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, Locator

import defusedxml.sax
from defusedxml.common import DefusedXmlException

from slidekit.errors import ROIError
from slidekit.slide.roi.drawing import Ring, read_points

__all__ = ["Node", "parse_xml", "vertices"]

VERTICES = frozenset({"Coordinate", "V", "Vertex"})
"""Elements that are one point each, and most of a file."""

_NOTHING: list[Node] = []
"""Children of all vertices: it stays empty, for what may lie inside of a vertex is never asked for."""

MEND = "Export the annotations again from ImageScope or ASAP."


@dataclass(slots=True)
class Node:
    """One element.

    Parameters
    ----------
    tag, attributes
        As in the file.
    line
        Line (from 1) that the element starts in.
    children
        Elements directly inside.
    """

    tag: str
    attributes: dict[str, str]
    line: int
    children: list[Node]

    def get(self, name: str) -> str:
        """Return an attribute without blanks around it, empty where it is missing."""
        return self.attributes.get(name, "").strip()

    def below(self, *tags: str) -> Iterator[Node]:
        """Elements of some names anywhere below, in the order of the file, but none inside another of them."""
        waiting = list(reversed(self.children))
        while waiting:
            node = waiting.pop()
            if node.tag in tags:
                yield node
            else:
                waiting += reversed(node.children)


class _TreeHandler(ContentHandler):
    """Builds nodes; texts between elements carry nothing in the formats that are read here."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Node("", {}, 0, [])
        self._open = [self.root]
        self._place: Locator | None = None

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802 (SAX's name)
        self._place = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 (SAX's name)
        if name in VERTICES:
            # Most of a large file: their lines are not worth the time.
            node = Node(name, dict(attrs.items()), 0, _NOTHING)
        else:
            line = None if self._place is None else self._place.getLineNumber()
            node = Node(name, dict(attrs.items()), line or 0, [])
        parent = self._open[-1]
        if parent.children is not _NOTHING:
            parent.children.append(node)
        elif name in VERTICES:
            raise SAXException("a point lies inside of a point")
        self._open.append(node)

    def endElement(self, name: str) -> None:  # noqa: N802 (SAX's name)
        self._open.pop()


def parse_xml(data: bytes, path: Path | None) -> Node:
    """Parse XML into its root element.

    Parameters
    ----------
    data
        Content of the file.
    path
        The file, for messages.

    Raises
    ------
    ROIError
        If it is not well-formed, or declares a document type or entities.
    """
    handler = _TreeHandler()
    try:
        # Attributes that a document type declares would be added to each element, whatever their size.
        defusedxml.sax.parseString(data, handler, forbid_dtd=True)
    except DefusedXmlException as error:
        what = "The XML declares a document type or entities, which annotations never need."
        raise ROIError(what, mend=MEND, path=path) from error
    except SAXParseException as error:
        what = f"The XML is damaged: {error.getMessage()}."
        raise ROIError(what, mend=MEND, path=path, line=error.getLineNumber()) from error
    except (SAXException, ValueError, LookupError) as error:
        raise ROIError(f"The XML cannot be read: {error}.", mend=MEND, path=path) from error
    return handler.root.children[0]


def vertices(nodes: list[Node]) -> Ring:
    """Points of elements with the attributes X and Y; (n, 2), NaN where one is missing or is no number."""
    return read_points((node.attributes.get("X"), node.attributes.get("Y")) for node in nodes)
