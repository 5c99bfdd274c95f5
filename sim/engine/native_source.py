"""What turns designs into a shared library: a Verilog top around them, and C++ that feeds it from NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import Template

from .ports import ModelPort, Stream

#: The top module around the designs, the class of its model and the prefix of the generated source files.
TOP = "polymac_model"
PREFIX = "Vmodel"


@dataclass(frozen=True)
class Member:
    """One design of a model: its index there, its ports, its latency in clock cycles and its streams."""

    index: int
    name: str
    ports: tuple[ModelPort, ...]
    latency: int
    streams: tuple[Stream, ...]

    @property
    def inputs(self) -> tuple[ModelPort, ...]:
        """What evaluation feeds: every input but the clock."""
        return tuple(port for port in self.ports if port.is_input and port.role != "clock")

    @property
    def outputs(self) -> tuple[ModelPort, ...]:
        """What evaluation reads."""
        return tuple(port for port in self.ports if not port.is_input)

    @property
    def has_clock(self) -> bool:
        """Whether it has registers."""
        return any(port.role == "clock" for port in self.ports)

    def wire(self, port: ModelPort) -> str:
        """The name of a port in the top module."""
        return f"d{self.index}_{port.name}"


def top_verilog(members: Sequence[Member]) -> str:
    """A module that holds every design once; they share the clock, and every other port of theirs is one of its own."""
    ports = [
        f"{port.direction} [{port.width - 1}:0] {member.wire(port)}"
        for member in members
        for port in (*member.inputs, *member.outputs)
    ]
    lines = [f"module {TOP}(input clk, {', '.join(ports)});"]
    for member in members:
        pins = ", ".join(
            f".{port.name}({'clk' if port.role == 'clock' else member.wire(port)})" for port in member.ports
        )
        lines.append(f"  {member.name} d{member.index}({pins});")
    return "\n".join([*lines, "endmodule", ""])


def wrapper(members: Sequence[Member]) -> str:
    """The C++ functions of the library; see :mod:`polymac.sim.engine.native` for who calls them."""
    clocked = any(member.has_clock for member in members)
    settle = "top.clk = 0; top.eval();" if clocked else "top.eval();"
    edge = "top.clk = 1; top.eval();" if clocked else ""
    text = _MODEL.substitute(
        prefix=PREFIX,
        enable="".join(f"top.{wire} = 1; " for wire in _wires(members, "enable")),
        reset="".join(f"top.{wire} = 1; " for wire in _wires(members, "reset")),
        run="".join(f"top.{wire} = 0; " for wire in _wires(members, "reset")),
        settle=settle,
        edge=edge,
    )
    text += _EVALUATE.substitute(
        arrays="\n    ".join(_arrays(members)),
        feed="\n        ".join(_feed(member) for member in members),
        read="\n        ".join(_read(member) for member in members),
        settle=settle,
        edge=edge,
    )
    if len(members) == 1 and members[0].streams:
        text += _streams(members[0])
    return text


def _wires(members: Sequence[Member], role: str) -> Iterator[str]:
    return (member.wire(port) for member in members for port in member.inputs if port.role == role)


def _arrays(members: Sequence[Member]) -> Iterator[str]:
    """Typed pointers to the arrays of every port, inputs and outputs counted apart, all members in a row."""
    for kind, const in (("in", "const "), ("out", "")):
        ports = [(member, port) for member in members for port in (member.inputs if kind == "in" else member.outputs)]
        for number, (member, port) in enumerate(ports):
            yield f"auto {member.wire(port)} = static_cast<{const}{_c_type(port)}*>({kind}[{number}]);"


def _c_type(port: ModelPort) -> str:
    """The element type of a port's array, which is also the type of the model's member; bytes for a wide port."""
    if port.is_wide:
        return "uint8_t"
    return next(f"uint{bits}_t" for bits in (8, 16, 32, 64) if port.width <= bits)


def _feed(member: Member) -> str:
    # Beyond a member's last item its inputs stay, while its pipeline empties and longer members go on.
    n = f"count[{member.index}]"
    lines = [f"if ({n}) {{ const int64_t i = j < {n} ? j : {n} - 1;"]
    for port in member.inputs:
        wire = member.wire(port)
        if port.is_wide:
            lines.append(f"std::memcpy(top.{wire}.data(), {wire} + i * {port.bytes}, {port.bytes});")
        else:
            lines.append(f"top.{wire} = {wire}[i];")
    return " ".join([*lines, "}"])


def _read(member: Member) -> str:
    lines = [f"if (const int64_t i = j - {member.latency}; i >= 0 && i < count[{member.index}]) {{"]
    for port in member.outputs:
        wire = member.wire(port)
        if port.is_wide:
            lines.append(f"std::memcpy({wire} + i * {port.bytes}, top.{wire}.data(), {port.bytes});")
        else:
            lines.append(f"{wire}[i] = top.{wire};")
    return " ".join([*lines, "}"])


def _streams(member: Member) -> str:
    def table(streams: list[Stream]) -> str:
        rows = []
        for stream in streams:
            last = f"&top.{member.wire(stream.last)}" if stream.last else "nullptr"
            fields = ", ".join(f"{{&top.{member.wire(port)}, {port.bytes}}}" for port in stream.fields)
            valid, ready = member.wire(stream.valid), member.wire(stream.ready)
            rows.append(f"{{{{{fields}}}, {stream.bytes}, {last}, &top.{valid}, &top.{ready}}}")
        return ", ".join(rows)

    inputs = [stream for stream in member.streams if stream.is_input]
    outputs = [stream for stream in member.streams if not stream.is_input]
    return _STREAM_LOOP.substitute(
        inputs=table(inputs), outputs=table(outputs), input_count=len(inputs), output_count=len(outputs)
    )


_MODEL = Template("""\
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

struct Model {
    VerilatedContext context;
    $prefix top{&context};
    Model() { clear(); }
    // Enables at 1 and one clock edge under reset, so that no run depends on the one before.
    void clear() {
        $enable
        $reset
        $settle
        $edge
        $run
    }
};

}  // namespace

extern "C" void* polymac_create() { return new Model; }

extern "C" void polymac_clear(void* handle) { static_cast<Model*>(handle)->clear(); }
""")

_EVALUATE = Template("""
// Steps begin … end - 1. In step j item j of every design enters, and item j - latency is read before the clock edge.
extern "C" void polymac_evaluate(
    void* handle, void* const* in, void* const* out, const int64_t* count, int64_t begin, int64_t end) {
    auto& top = static_cast<Model*>(handle)->top;
    $arrays
    for (int64_t j = begin; j < end; ++j) {
        $feed
        $settle
        $read
        $edge
    }
}
""")

_STREAM_LOOP = Template("""
// Beats for the design or from it; `pattern` says in which cycles they are offered, `cycles` when they crossed.
struct Beats {
    uint8_t* data;
    uint8_t* last;
    const uint8_t* pattern;
    int64_t* cycles;
    int64_t pattern_length;
    int64_t beats;
    int64_t done;
    int64_t offered;
};

struct Field {
    void* wires;
    size_t bytes;
};

struct Wires {
    std::vector<Field> fields;
    size_t bytes;
    uint8_t* last;
    uint8_t* valid;
    uint8_t* ready;
};

// Clock cycles from `cycle` to `end`, fewer if every output stream has its beats; returns the cycle reached.
extern "C" int64_t polymac_streams(void* handle, Beats* in, Beats* out, int64_t cycle, int64_t end) {
    auto& top = static_cast<Model*>(handle)->top;
    constexpr int inputs = $input_count, outputs = $output_count;
    const Wires from[inputs + 1] = {$inputs};
    const Wires to[outputs + 1] = {$outputs};
    for (; cycle < end; ++cycle) {
        bool complete = true;
        for (int k = 0; k < outputs; ++k) complete = complete && out[k].done == out[k].beats;
        if (complete) break;
        for (int k = 0; k < inputs; ++k) {
            Beats& s = in[k];
            // Once offered, a beat stays until it is taken.
            if (!s.offered && s.done < s.beats && s.pattern[cycle % s.pattern_length]) {
                s.offered = 1;
                const uint8_t* beat = s.data + s.done * from[k].bytes;
                for (const Field& field : from[k].fields) {
                    std::memcpy(field.wires, beat, field.bytes);
                    beat += field.bytes;
                }
                if (from[k].last) *from[k].last = s.last[s.done];
            }
            *from[k].valid = s.offered;
        }
        for (int k = 0; k < outputs; ++k) {
            Beats& s = out[k];
            s.offered = s.done < s.beats && s.pattern[cycle % s.pattern_length];
            *to[k].ready = s.offered;
        }
        top.clk = 0;
        top.eval();
        for (int k = 0; k < inputs; ++k) {
            Beats& s = in[k];
            if (s.offered && *from[k].ready) {
                s.cycles[s.done++] = cycle;
                s.offered = 0;
            }
        }
        for (int k = 0; k < outputs; ++k) {
            Beats& s = out[k];
            if (s.offered && *to[k].valid) {
                uint8_t* beat = s.data + s.done * to[k].bytes;
                for (const Field& field : to[k].fields) {
                    std::memcpy(beat, field.wires, field.bytes);
                    beat += field.bytes;
                }
                if (to[k].last) s.last[s.done] = *to[k].last;
                s.cycles[s.done++] = cycle;
            }
        }
        top.clk = 1;
        top.eval();
    }
    return cycle;
}
""")
