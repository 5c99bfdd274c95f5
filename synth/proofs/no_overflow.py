"""Proof that no sum within a unit with an accumulator overflows: beside the unit, the same products are added in a register
that is wide enough for certain, and every operation that forms the sum is repeated at its full width."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from ...golden.formats import Format, ParameterError, check_int
from ...hdl import Design, Mac, generate
from ...hdl.sums.exact import ExactSum
from ...hdl.sums.integer import IntegerSum
from ..yosys.netlist import OUTPUTS, Bit, Cell, Netlist, inputs_of, number
from .formal import DEPTH, TIMEOUT, Monitor, Verdict, prove

#: Formats whose values are listed in the monitor.
MAX_OPERAND_BITS = 8
#: Outputs that the proof adds to the unit.
_SUM, _LOST = "running_sum", "lost"


def prove_no_overflow(
    mac: Mac, design: Design | None = None, *, max_k: int | None = None, timeout: float = TIMEOUT, depth: int = DEPTH
) -> list[Verdict]:
    """Whether the accumulator of a MAC is the sum of all products since it was cleared, up to ``max_k`` of them.

    Proven are, from the initial state, for all inputs in all cycles:

    * the register is the sum of the products, which are added beside it from the values of the codes (as
      :meth:`polymac.golden.Format.fraction` gives them), in a register wide enough for ``max_k`` of the greatest;
    * no addition, subtraction, multiplication or shift on the way from the operands to the register loses a bit: what is
      read of its result, extended by its sign if it has one (of a difference: with or without), is the result at the
      operation's full width. This covers what is written as an operation; adders made of gates (``architecture`` booth and
      tree) are modulo 2**width by intention.

    Both are inductive with the bound max_k · greatest product on the sum, which is proven with the first. A product with a
    NaN or an infinity ends the claim until the accumulator is cleared.

    Parameters
    ----------
    mac : Mac
        With an integer accumulator that wraps, or an exact one; of scalar formats of up to 8 bits, dense, without pipeline
        registers.
    design : Design, optional
        What is proven instead of the design generated from it.
    max_k : int, optional
        Products; the guarantee of the accumulator unless given.
    timeout, depth
        As of :func:`.formal.prove`.

    Raises
    ------
    ParameterError
        The unit is of another kind, or ``max_k`` is less than the products of a beat.
    SynthesisError
        As :func:`.formal.prove`.
    """
    accumulator = mac.accumulator
    exact = isinstance(accumulator, ExactSum) or (
        isinstance(accumulator, IntegerSum) and accumulator.overflow == "wrap"
    )
    if not exact:
        raise ParameterError(
            f"mac must have an exact sum or one that wraps, not acc={mac.parameters['acc']}: {accumulator.description}"
        )
    for fmt in (accumulator.a, accumulator.b):
        if not isinstance(fmt, Format) or fmt.width > MAX_OPERAND_BITS:
            raise ParameterError(f"mac must have scalar operands of at most {MAX_OPERAND_BITS} bits, not {fmt}")
    for name, value, wanted in (
        ("stages", mac.stages, 0),
        ("interleave", mac.interleave, 1),
        ("sparse", accumulator.sparse, False),
    ):
        if value != wanted:
            raise ParameterError(f"{name} must be {wanted} for a proof of the sum, not {value}")
    guarantee = accumulator.exact_k
    assert guarantee is not None
    max_k = check_int("max_k", guarantee if max_k is None else max_k, accumulator.products)
    observed = _observed(mac, generate(mac, "mac") if design is None else design)
    return prove(_monitor(mac, observed, max_k), timeout=timeout, depth=depth)


@dataclass(frozen=True)
class _Values:
    """The codes of a format as integers, in units of the last place of all of them."""

    fmt: Format
    unit: Fraction
    integers: dict[int, int]

    @classmethod
    def of(cls, fmt: Format) -> _Values:
        finite = {}
        for code in range(fmt.code_count):
            try:
                finite[code] = fmt.fraction(code)
            except ParameterError:  # NaN or infinite
                continue
        unit = Fraction(1, max(value.denominator for value in finite.values()))
        return cls(fmt, unit, {code: int(value / unit) for code, value in finite.items()})

    @property
    def greatest(self) -> int:
        """The greatest magnitude."""
        return max(map(abs, self.integers.values()))

    @property
    def bits(self) -> int:
        """Bits of a signed number that holds all."""
        return self.greatest.bit_length() + 1

    def function(self, name: str) -> str:
        """A Verilog function from a code to its integer, and in the bit above it, whether it has none."""
        lines = [f"  function [{self.bits}:0] {name}(input [{self.fmt.width - 1}:0] code);", "    case (code)"]
        for code, value in self.integers.items():
            lines.append(f"      {self.fmt.width}'d{code}: {name} = {value % (1 << self.bits)};")
        lines += [f"      default: {name} = {{1'b1, {self.bits}'d0}};", "    endcase", "  endfunction"]
        return "\n".join(lines) + "\n"


def _observed(mac: Mac, design: Design) -> Design:
    """The MAC with its running sum and the operations that lose bits as outputs."""
    net = Netlist.of(design)
    accumulator = mac.accumulator
    register = net.module["netnames"]["acc" if accumulator.state_is_encoded else "state"]["bits"]
    total = register[: accumulator.sum_bits] if isinstance(accumulator, ExactSum) else register
    lost = [bit for cell in _operations(net, register) for bit in _loses(net, cell)]
    outputs = {_SUM: total} | ({_LOST: lost} if lost else {})
    ports = list(design.metadata["ports"])
    for name, bits in outputs.items():
        # A copy: under two names a register would lose its initial value.
        shown = net.fresh(len(bits))
        net.add("$pos", {"A_SIGNED": 0, "A_WIDTH": len(bits), "Y_WIDTH": len(bits)}, {"A": bits, "Y": shown}, "Y")
        net.module["ports"][name] = {"direction": "output", "bits": shown}
        net.module["netnames"][name] = {"hide_name": 0, "bits": shown, "attributes": {}}
        ports.append({"name": name, "direction": "output", "width": len(bits), "role": "data", "stream": None})
    return replace(design, verilog=net.verilog(), metadata=design.metadata | {"ports": ports})


def _operations(net: Netlist, register: list[Bit]) -> Iterator[Cell]:
    """The arithmetic between the inputs and a register's next value."""
    drivers = {
        bit: name for name, cell in net.cells.items() for port in OUTPUTS for bit in cell["connections"].get(port, ())
    }
    waiting, seen = list(register), set()
    while waiting:
        name = drivers.get(waiting.pop())
        if name is None or name in seen:
            continue
        seen.add(name)
        cell = net.cells[name]
        waiting += [bit for _, read in inputs_of(cell) for bit in read]
        if cell["type"] in _FULL_WIDTH:
            yield cell


#: Bits that hold any result of operands of the given widths.
_FULL_WIDTH = {
    "$add": lambda a, b: max(a, b) + 1,
    "$sub": lambda a, b: max(a, b) + 1,
    "$mul": lambda a, b: a + b,
    "$shl": lambda a, b: a + (1 << b) - 1,
    "$sshl": lambda a, b: a + (1 << b) - 1,
}


def _loses(net: Netlist, cell: Cell) -> list[Bit]:
    """A bit that is 1 where what is read of an operation's result is not the whole; none where it always is."""
    result = cell["connections"]["Y"]
    read = net.read_bits()
    kept = max((place + 1 for place, bit in enumerate(result) if bit in read), default=0)
    full = _FULL_WIDTH[cell["type"]](number(cell, "A_WIDTH"), number(cell, "B_WIDTH"))
    if not kept or kept >= full:
        return []
    parameters = {name: number(cell, name) for name in ("A_SIGNED", "A_WIDTH", "B_SIGNED", "B_WIDTH")}
    operands = {port: cell["connections"][port] for port in ("A", "B")}
    whole = net.fresh(full)
    net.add(cell["type"], parameters | {"Y_WIDTH": full}, operands | {"Y": whole}, "Y")
    if number(cell, "A_SIGNED"):
        return _differs(net, whole, result[:kept], signed=1)
    differs = _differs(net, whole, result[:kept], signed=0)
    if cell["type"] != "$sub":
        return differs
    # The difference of two numbers without a sign has one, and is read with or without it.
    both = net.fresh(1)
    operands = {"A": differs, "B": _differs(net, whole, result[:kept], signed=1), "Y": both}
    widths = {"A_SIGNED": 0, "A_WIDTH": 1, "B_SIGNED": 0, "B_WIDTH": 1, "Y_WIDTH": 1}
    net.add("$and", widths, operands, "Y")
    return both


def _differs(net: Netlist, whole: list[Bit], kept: list[Bit], *, signed: int) -> list[Bit]:
    """A bit that is 1 where a number differs from its lowest bits, read with or without a sign."""
    differs = net.fresh(1)
    parameters = {"A_SIGNED": signed, "A_WIDTH": len(whole), "B_SIGNED": signed, "B_WIDTH": len(kept), "Y_WIDTH": 1}
    net.add("$ne", parameters, {"A": whole, "B": kept, "Y": differs}, "Y")
    return differs


def _monitor(mac: Mac, design: Design, max_k: int) -> Monitor:
    """The same products added up beside the MAC, and how many they are."""
    accumulator = mac.accumulator
    assert isinstance(accumulator.a, Format) and isinstance(accumulator.b, Format)
    a, b = _Values.of(accumulator.a), _Values.of(accumulator.b)
    unit = (
        Fraction(2) ** accumulator.quantum
        if isinstance(accumulator, ExactSum)
        else Fraction(1, 1 << accumulator.out.frac_bits)
    )
    weight = a.unit * b.unit / unit
    assert weight.denominator == 1
    greatest = a.greatest * b.greatest * int(weight)
    bits = (greatest * (max_k + accumulator.products)).bit_length() + 2
    count_bits = (max_k + accumulator.products).bit_length()
    body = a.function("value_of_a") + b.function("value_of_b")
    terms, special = [], []
    for lane in range(accumulator.products):
        for side, values in (("a", a), ("b", b)):
            code = f"{side}[{lane * values.fmt.width} +: {values.fmt.width}]"
            body += f"  wire [{values.bits}:0] {side}_{lane} = value_of_{side}({code});\n"
            body += f"  wire signed [{values.bits - 1}:0] {side}_{lane}_value = {side}_{lane};\n"
            special.append(f"{side}_{lane}[{values.bits}]")
        terms.append(f"a_{lane}_value * b_{lane}_value")
    body += f"""  wire signed [{bits - 1}:0] products = ({" + ".join(terms)}) * $signed({bits}'d{int(weight)});
  wire special = {" | ".join(special)};
  reg signed [{bits - 1}:0] total = 0;
  reg [{count_bits - 1}:0] count = 0;
  reg outside = 0;
  wire step = en & valid;
  wire [{count_bits - 1}:0] next_count = (clear ? {count_bits}'d0 : count) + {accumulator.products};
  wire next_outside = special | !clear & outside | next_count > {max_k};
  always @(posedge clk) if (rst) begin
    total <= 0;
    count <= 0;
    outside <= 0;
  end else if (step) begin
    total <= (clear ? 0 : total) + products;
    count <= next_count;
    outside <= next_outside;
  end
  wire signed [{bits - 1}:0] bound = count * $signed({bits}'d{greatest});
  wire known = outside | ($signed({_SUM}) == total & count <= {max_k} & total <= bound & total >= -bound);
"""
    if not accumulator.out.signed and isinstance(accumulator, IntegerSum):
        body = body.replace(f"$signed({_SUM})", f"$signed({{1'b0, {_SUM}}})")
    properties = {f"the accumulator is the sum of up to {max_k} products": "known"}
    if any(port["name"] == _LOST for port in design.metadata["ports"]):
        properties["no operation loses a bit"] = f"!known | outside | !step | next_outside | !(|{_LOST})"
    return Monitor(design, body, properties)
