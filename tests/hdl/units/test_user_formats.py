"""A format that only a TOML file says, in hardware: generated, verified on all operands, and named in the metadata."""

from __future__ import annotations

from pathlib import Path

import pytest

from polymac import hdl, sim


def test_a_users_format_in_hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[biased8]\nkind = "float"\nwidth = 8\nfrac_bits = 3\nbias = 11\nnan_codes = [0x7f, 0x7f]\n'
    (tmp_path / "mine.toml").write_text(text)
    monkeypatch.setenv("POLYMAC_FORMATS", str(tmp_path / "mine.toml"))
    unit = hdl.Multiplier(a="biased8", b="biased8", rounding="port")
    assert hdl.generate(unit).metadata["ports"][0]["format"] == "biased8"
    result = sim.verify(unit)
    assert result.passed, result.details
    assert result.checked == 8 << 16
