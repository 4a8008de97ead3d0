"""Labels of slides by columns of the annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from slidekit.annotations import Annotations
from slidekit.collection.label_values import UseFloat, are_numbers, classes_of, say_blank, text_as_number
from slidekit.errors import DatasetError
from slidekit.wording import some_of

if TYPE_CHECKING:
    from slidekit.collection.membership import Membership

__all__ = ["SlideLabels", "harmonized_classes", "is_float", "slide_labels", "texts_of"]

SlideLabels = tuple[dict[str, Any], list[Any] | dict[str, list[Any]]]
"""Slide to label, and the unique labels; by column where there are several."""


def texts_of(members: Membership, header: str, slides: Sequence[str] | None = None) -> dict[str, str]:
    """What stands in a column for the slides of a dataset, or for some of them.

    Raises
    ------
    AnnotationsError
        If there is no such column.
    DatasetError
        If it is blank for a slide.
    """
    table = members.label_rows()
    cells = table.column(header)
    texts = {slide: cells[slide] for slide in (members.slides() if slides is None else slides)}
    if blank := [slide for slide, text in texts.items() if not text]:
        raise say_blank(header, blank, table.path)
    return texts


def is_float(members: Membership, header: str) -> bool:
    """Whether a column holds finite numbers only, blank cells aside, for the slides that meet the filters.

    Raises
    ------
    AnnotationsError
        If there is no such column.
    """
    return are_numbers(members.label_rows().column(header).values())


def slide_labels(
    members: Membership,
    headers: str | Sequence[str],
    use_float: UseFloat | Mapping[str, UseFloat] = False,
    assign: Mapping[Any, Any] | None = None,
    format: Literal["index", "name"] = "index",  # noqa: A002 - Slideflow's name
) -> SlideLabels:
    """Labels of the slides of a dataset; see `slidekit.dataset.labelling.Labelling.labels`.

    Raises
    ------
    DatasetError
        If a cell is blank or no number where one is wanted, or `assign` does not fit.
    AnnotationsError
        If there is no such column.
    """
    if format not in ("index", "name"):
        raise DatasetError(f"format={format!r} is no format of labels.", mend='Give "index" or "name".')
    if assign is not None and not isinstance(assign, Mapping):
        raise DatasetError(f"assign= cannot be a {type(assign).__name__}.", mend="Give a dict of class to index.")
    columns = [headers] if isinstance(headers, str) else list(headers)
    if not columns:
        raise DatasetError("headers= names no column.", mend="Give a column or several.")
    rows = members.label_rows()
    found: dict[str, tuple[dict[str, Any], list[Any]]] = {}
    for column in columns:
        wanted = use_float.get(column, False) if isinstance(use_float, Mapping) else use_float
        order = assign.get(column) if assign is not None and not isinstance(headers, str) else assign
        found[column] = _column_labels(texts_of(members, column), rows, column, wanted, order, format)
    if isinstance(headers, str):
        return found[headers]
    several = {slide: [found[column][0][slide] for column in columns] for slide in members.slides()}
    return several, {column: unique for column, (_, unique) in found.items()}


def harmonized_classes(datasets: Sequence[Membership], header: str) -> dict[str, int]:
    """Class to index, the same for several datasets.

    Raises
    ------
    AnnotationsError
        If a dataset has no such column.
    """
    names = [name for members in datasets for name in members.label_rows().column(header).values()]
    return {name: index for index, name in enumerate(classes_of(names))}


def _column_labels(
    texts: Mapping[str, str],
    rows: Annotations,
    column: str,
    use_float: UseFloat,
    assign: Mapping[Any, Any] | None,
    form: str,
) -> tuple[dict[str, Any], list[Any]]:
    everything = rows.column(column).values()
    if use_float is True or (use_float == "auto" and are_numbers(everything)):
        numbers = {slide: text_as_number(text) for slide, text in texts.items()}
        if wrong := sorted({repr(texts[slide]) for slide, number in numbers.items() if number is None}):
            raise DatasetError(
                f"The column {column!r} holds {some_of(wrong)}, not numbers.",
                mend="Correct them, or use_float=False for classes.",
                path=rows.path,
            )
        return dict(numbers), sorted({number for number in numbers.values() if number is not None})
    classes = classes_of(everything, _by_name(assign))
    if form == "name":
        return dict(texts), list(classes)
    indices = {name: index for index, name in enumerate(classes)}
    return {slide: indices[text] for slide, text in texts.items()}, list(classes)


def _by_name(assign: Mapping[Any, Any] | None) -> dict[str, int] | None:
    """Name to index, of this or of index to name, as Slideflow's documentation has it."""
    if assign is None:
        return None
    if assign and all(isinstance(key, int) and isinstance(value, str) for key, value in assign.items()):
        return {name: index for index, name in assign.items()}
    return dict(assign)
