"""What is wrong with the parameters of an extraction, as sentences for the person who typed them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

__all__ = ["describe_mistakes"]

_OF_FIELD = {
    "roi_filter_method": "must be center, or a share of the tile's area from 0 up to, not including, 1",
    "roi_origin": "must be two numbers, x and y",
}
"""Fields of more than one kind of value: what pydantic says of each kind would be several half-truths."""

_OF_TYPE = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "float_parsing": "is not a number",
    "float_type": "is not a number",
    "int_from_float": "is not a whole number",
    "int_parsing": "is not a whole number",
    "int_parsing_size": "is not a whole number",
    "int_type": "is not a whole number",
    "path_type": "is not a path",
    "string_type": "is not text",
    "value_error": "cannot be used ({error})",
}


def describe_mistakes(error: ValidationError, model: type[BaseModel], given: dict[str, Any]) -> str:
    """Say each mistake once, by the name of its option.

    Parameters
    ----------
    error
        What validation found.
    model
        The model that was validated.
    given
        What the user gave, by the names of the fields.
    """
    sentences = []
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        if problem["type"] == "extra_forbidden":
            sentences.append(f"{name} is not an option of an extraction.")
        elif problem["type"] == "missing" and len(problem["loc"]) == 1:
            sentences.append(f"{name} is missing.")
        elif name in model.model_fields:
            value = given.get(name, problem["input"])
            sentences.append(f"{name}={value!r} {_demand(name, problem)}.")
        else:
            sentences.append(problem["msg"].removeprefix("Value error, "))
    return " ".join(dict.fromkeys(sentences))


def _demand(name: str, problem: ErrorDetails) -> str:
    if name in _OF_FIELD:
        return _OF_FIELD[name]
    if problem["type"] in _OF_TYPE:
        return _OF_TYPE[problem["type"]].format(**problem.get("ctx", {}))
    return f"cannot be used ({problem['msg']})"
