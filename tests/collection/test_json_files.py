"""The JSON files of a project: what is wrong is named, with file and key, before anything is lost."""

from __future__ import annotations

import json

import pytest

from slidekit.collection.config import Settings, read_settings, read_sources, write_settings
from slidekit.errors import ProjectError


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('{\n"one": }', 2, "not JSON"),
        ('{"one": {}, "one": {"slides": "./x"}}', None, "key 'one' is there twice"),
        ('{"one": {"slides": "a\\u0000b"}}', None, "key 'one.slides': a path cannot hold a NUL byte"),
        ('{"one": {"roi": "' + "x" * 300 + '"}}', None, "longer than paths can be"),
        ('{"one": {"tiles": "~nobody-here/x"}}', None, "no user"),
        ('{"one": {"x": "\\ud800"}}', None, "half a character"),
        ('{"one": {"x": ' + "[" * 100 + "]" * 100 + "}}", None, "levels deep"),
        ('{"one": {"x": ' + "[" * 9999 + "]" * 9999 + "}}", None, "too deep"),
        ('{"one": {"x": ' + "9" * 5000 + "}}", None, "digits"),
    ],
)
def test_damage_is_named_with_file_and_place(tmp_path, text, line, said):
    path = tmp_path / "datasets.json"
    path.write_text(text)

    with pytest.raises(ProjectError, match=said) as caught:
        read_sources(path)

    assert (caught.value.path, caught.value.line) == (path, line)
    assert caught.value.mend


def test_text_that_is_not_utf8_is_an_error_with_its_line(tmp_path):
    path = tmp_path / "settings.json"
    path.write_bytes('{\n"name": "ä"}'.encode("latin-1"))

    with pytest.raises(ProjectError, match="line 2: is not UTF-8"):
        read_settings(path)


def test_what_is_read_can_be_written_again(tmp_path):
    path = tmp_path / "settings.json"
    content = {"name": "Ä", "sources": ["one"], "kept": {"deep": [[[1.5, None, "x"]]]}}
    path.write_text("\ufeff" + json.dumps(content), encoding="utf-8")

    settings = read_settings(path)
    write_settings(path, settings)

    assert isinstance(settings, Settings)
    assert {name: json.loads(path.read_text(encoding="utf-8"))[name] for name in content} == content
