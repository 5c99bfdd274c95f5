"""Each port of a generated unit has the role and the format that the unit declares, whatever its name."""

from __future__ import annotations

import pytest
from amaranth.hdl import Module
from amaranth.lib.wiring import In, Member, Out

from polymac import golden, hdl
from polymac.hdl.core.unit import control, number, numbers

INT4 = golden.format("int4")


class Invert(hdl.Unit):
    """Codes with every bit inverted; ``members`` may leave a role out, or have names that mean something elsewhere."""

    kind = "invert"
    formula = "flags = ~valid"

    def __init__(self, members: dict[str, hdl.PortSpec | hdl.StreamSpec | Member]) -> None:
        super().__init__(members, parameters={"ports": tuple(members)}, latency=0, clocked=False)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.flags.eq(~self.valid)
        return m


def described(**members: hdl.PortSpec | Member) -> dict[str, tuple[str, str | None, int]]:
    ports = hdl.generate(Invert(members), "inverted").metadata["ports"]
    return {port["name"]: (port["role"], port["format"], port["elements"]) for port in ports}


def test_the_role_is_what_is_declared_and_not_what_the_name_suggests() -> None:
    assert described(valid=number(In, INT4), flags=numbers(Out, INT4, 1)) == {
        "valid": ("data", "int4", 1),
        "flags": ("data", "int4", 1),
    }
    assert described(valid=control(4), flags=hdl.PortSpec(Out(4), "data"))["valid"] == ("control", None, 1)


def test_a_port_without_a_role_cannot_be_generated() -> None:
    with pytest.raises(
        TypeError, match=r"^port valid must be declared with a role \(PortSpec\), not as a plain member$"
    ):
        described(valid=In(4), flags=number(Out, INT4))


def test_a_stream_declares_its_fields_and_has_a_handshake() -> None:
    fields = {"data": numbers(In, INT4, 3), "add": control(1), "last": hdl.PortSpec(In(1), "last")}
    unit = Invert({"valid": hdl.StreamSpec(In, fields), "flags": number(Out, INT4)})
    assert [(port.name, port.role, port.elements, port.stream) for port in unit.ports] == [
        ("valid_data", "data", 3, "valid"),
        ("valid_add", "control", 1, "valid"),
        ("valid_last", "last", 1, "valid"),
        ("valid_valid", "valid", 1, "valid"),
        ("valid_ready", "ready", 1, "valid"),
        ("flags", "data", 1, None),
    ]
    assert unit.formats == {"valid_data": (INT4, 3), "flags": (INT4, 1)}
