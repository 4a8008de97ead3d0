"""Keep paths out of what people are handed: folders are often named after patients."""

from __future__ import annotations

import re
from typing import Any

from slidekit.slide.report_model import SlideReport

__all__ = ["settings_without_paths", "without_paths"]

# Units hold a slash that is no path; they step aside while paths are cut.
_UNITS = re.compile(r"(?<=[µμu]m)/(?=px)|(?<=tiles)/(?=s\b)|(?<=and)/(?=or\b)", re.IGNORECASE)
_SLASH_OF_UNIT = "\ue000"
# From a root to the last slash of the clause. Folders may hold spaces, so a gap does not end a path.
_ABSOLUTE = re.compile(r"(?<![\w.)\]])(?:[a-z]{2,8}://|[A-Za-z]:[\\/]|\\\\|~?/)(?:[^/\\\n:;\"'<>|]*[/\\])*")
_RELATIVE = re.compile(r"(?:[\w.~+@=-]+[/\\])+(?=[\w.~+@=-]+\.\w{2,8}\b)")


def without_paths(text: str, report: SlideReport | None = None) -> str:
    """Cut the folders from every path in a sentence, leaving names of files.

    Parameters
    ----------
    text
        Text of an error or warning; may name files by their path.
    report
        The slide concerned; its own path is recognised whatever characters it holds.

    Returns
    -------
    str
        The sentence, with folders gone. It rather cuts too much than too little.
    """
    if report is not None and report.path:
        name = re.split(r"[/\\]", report.path)[-1]
        folder = report.path[: len(report.path) - len(name)]
        text = text.replace(folder, "") if len(folder) > 1 else text
    text = _UNITS.sub(_SLASH_OF_UNIT, text)
    text = _RELATIVE.sub("", _ABSOLUTE.sub("", text))
    return text.replace(_SLASH_OF_UNIT, "/")


def settings_without_paths(value: Any) -> Any:
    """Cut the folders from every text in plain JSON: a setting of a method may be a file or folder of the user's.

    Parameters
    ----------
    value
        Plain JSON. A text with slashes is taken for a path, relative ones included, and its last part stays.
    """
    if isinstance(value, str):
        text = _UNITS.sub(_SLASH_OF_UNIT, value)
        return re.split(r"[/\\]", text.rstrip("/\\"))[-1].replace(_SLASH_OF_UNIT, "/")
    if isinstance(value, dict):
        return {key: settings_without_paths(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [settings_without_paths(part) for part in value]
    return value
