"""Ctrl-C before any command runs is no mistake of slidekit's."""

from __future__ import annotations

import signal
import sys

import pytest

import slidekit.cli  # noqa: F401 - loads what is looked up below


def test_ctrl_c_while_starting(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = sys.modules["slidekit.cli.app"]  # as an attribute, `app` is the application

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "get_command", interrupted)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    with pytest.raises(SystemExit) as ended:
        module.main()

    assert ended.value.code == 130
    assert "Interrupted." in capsys.readouterr().err
