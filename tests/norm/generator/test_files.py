"""Files of generators before they are loaded."""

from __future__ import annotations

import sys

import pytest

from slidekit.errors import MissingExtraError
from slidekit.norm.generator.files import GeneratorFile, describe_file, load_generator


def test_neither_kind_is_imported_to_describe_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr("slidekit.norm.generator.files.find_spec", lambda name: name)
    for name in ("torch", "keras"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "g.pt").write_bytes(b"abc")

    file = describe_file(tmp_path / "g.pt")

    # SHA-256 of "abc": FIPS 180-2, appendix B.1.
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file == GeneratorFile(str(tmp_path / "g.pt"), digest)


def test_a_framework_that_cannot_be_imported_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("slidekit.norm.generator.files.find_spec", lambda name: name)
    monkeypatch.delitem(sys.modules, "slidekit.norm.generator.keras", raising=False)
    monkeypatch.setitem(sys.modules, "keras", None)
    (tmp_path / "g.keras").write_bytes(b"abc")

    with pytest.raises(MissingExtraError, match=r"pip install 'slidekit\[tensorflow\]'"):
        load_generator(describe_file(tmp_path / "g.keras"))
