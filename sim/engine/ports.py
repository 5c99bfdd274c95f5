"""What simulations need to know of a design: its ports and its streams, as its metadata says them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ...golden.formats import ParameterError


class DesignLike(Protocol):
    """A generated module: what :class:`polymac.hdl.Design` has, and all that is used of it here."""

    @property
    def name(self) -> str: ...

    @property
    def verilog(self) -> str: ...

    @property
    def metadata(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class ModelPort:
    """One port of a simulated model, as the design's metadata describes it; ``role`` and ``stream`` as there."""

    name: str
    direction: str
    width: int
    role: str
    stream: str | None

    @property
    def is_input(self) -> bool:
        """Whether the design reads it."""
        return self.direction == "input"

    @property
    def is_wide(self) -> bool:
        """Whether its values are arrays of bytes, because 64 bits do not hold them."""
        return self.width > 64

    @property
    def bytes(self) -> int:
        """How many bytes hold a value, without padding."""
        return (self.width + 7) // 8


@dataclass(frozen=True)
class Stream:
    """The ports of one stream: the fields of a beat, which point its way, and the handshake; ``last`` may be missing."""

    name: str
    fields: tuple[ModelPort, ...]
    valid: ModelPort
    ready: ModelPort
    last: ModelPort | None

    @property
    def is_input(self) -> bool:
        """Whether the design takes the beats."""
        return self.fields[0].is_input

    @property
    def bytes(self) -> int:
        """How many bytes hold a beat: those of each field, one after the other."""
        return sum(port.bytes for port in self.fields)


def model_ports(metadata: Mapping[str, Any]) -> list[ModelPort]:
    """The ports that a design's metadata lists, in their order."""
    return [
        ModelPort(port["name"], port["direction"], port["width"], port["role"], port.get("stream"))
        for port in metadata["ports"]
    ]


def streams_of(ports: list[ModelPort]) -> dict[str, Stream]:
    """The streams among the ports, by name.

    Raises
    ------
    ParameterError
        A stream lacks its data, valid or ready.
    """
    groups: dict[str, dict[str, ModelPort]] = {}
    fields: dict[str, list[ModelPort]] = {}
    for port in ports:
        if port.stream is not None:
            groups.setdefault(port.stream, {})[port.role] = port
            if port.role not in ("valid", "ready", "last"):
                fields.setdefault(port.stream, []).append(port)
    for name, group in groups.items():
        for role in ("data", "valid", "ready"):
            if role not in group:
                raise ParameterError(f"stream {name} must have a {role} port, not only {', '.join(sorted(group))}")
    return {
        name: Stream(name, tuple(fields[name]), group["valid"], group["ready"], group.get("last"))
        for name, group in groups.items()
    }
