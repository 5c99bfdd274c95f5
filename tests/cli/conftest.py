"""The command line as a function: arguments in, exit status and texts out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from polymac.cli.application import run


class Outcome(NamedTuple):
    """What a command left."""

    status: int
    out: str
    err: str


Polymac = Callable[..., Outcome]


@pytest.fixture
def polymac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Polymac:
    """Runs a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Outcome:
        capsys.readouterr()
        status = run([str(item) for item in arguments])
        texts = capsys.readouterr()
        return Outcome(status, texts.out, texts.err)

    return call
