"""Proof that an array loses, repeats and mixes up no tile: a monitor follows one tile, chosen freely, from its operands to
its results, and counts all others.

Sums modulo 2**bits depend on no higher bits of operands and accumulators: with one bit most of the datapath drops out of
the proof. It is enough, since a product that is missing, is added twice or is of another tile changes the sum's last bit
for some operands; more bits take longer and distinguish a product added three times from one added once.
"""

from __future__ import annotations

from ...golden.formats import ParameterError, check_int
from ...hdl import Array, generate
from ...hdl.sums.integer import IntegerSum
from ..yosys.design import Design
from .formal import DEPTH, TIMEOUT, Monitor, Verdict, prove


def prove_tiles(
    array: Array,
    design: Design | None = None,
    *,
    bits: int = 1,
    results: bool = True,
    timeout: float = TIMEOUT,
    depth: int = DEPTH,
    jobs: int = 1,
) -> list[Verdict]:
    """Whether each tile of an array gives its own results, each once and in order, under any stalls and resets.

    Output stationary, proven are: each beat of ``c`` is of a tile whose operands were all taken; the tiles in
    flight are at most ⌈latency / rows⌉ + 1; every row that is last, and no other, has ``last``; and for each element of C,
    that the one of any tile is the sum of the products of that tile's operands, modulo 2**bits.

    Weight stationary: each beat of ``c`` is of a beat of ``a``; those in flight are at most latency + 1; no tile
    starts before its plane is complete, and at most one complete plane waits; a beat of ``p`` is taken with each beat of
    ``a`` that asks for one, and with no other; and for each column, that the beat of ``c`` of any beat of ``a`` is, modulo
    2**bits, what it makes of the weights of its tile's plane, and is ``last`` where it was.

    Both: with something in flight ``c`` is valid at the latest after as many cycles as the latency, and with all inputs
    valid and ``c`` ready, operands are taken at the latest after rows + 1. So nothing gets stuck.

    Parameters
    ----------
    array : Array
        Of fixed-point operands, with an accumulator that wraps.
    design : Design, optional
        What is proven instead of the design generated from it.
    bits : int
        Bits of the results that are compared.
    results : bool
        Whether the values of the results are proven, too, which takes long.
    timeout, depth, jobs
        As of :func:`.formal.prove`.

    Raises
    ------
    ParameterError
        The array is of another kind, or ``bits`` is out of range.
    SynthesisError
        As :func:`.formal.prove`.
    """
    accumulator = array.accumulator
    if not (
        isinstance(accumulator, IntegerSum)
        and accumulator.overflow == "wrap"
        and accumulator.a.kind == accumulator.b.kind == "fixed"
    ):
        raise ParameterError(
            f"array must be of fixed-point operands with a sum that wraps, not of {accumulator.a} × {accumulator.b}: "
            f"{accumulator.description}"
        )
    check_int("bits", bits, 1, accumulator.out.width)
    design = generate(array, "array") if design is None else design
    if array.dataflow == "os":
        monitors = [_output_stationary(array, design)]
        elements = [(row, column) for row in range(array.rows) for column in range(array.cols)]
        monitors += [_output_element(array, design, *element, bits) for element in elements if results]
    else:
        monitors = [_weight_stationary(array, design)]
        monitors += [_weight_column(array, design, column, bits) for column in range(array.cols) if results]
    return prove(monitors, timeout=timeout, depth=depth, jobs=jobs)


def _products(array: Array, row: int, column: int, weights: str = "") -> list[str]:
    """The products of one processing element and beat; ``weights`` names what stands for ``b_data``."""
    accumulator = array.accumulator
    terms = []
    for lane in range(accumulator.lanes):
        a = _element(
            "a_data", accumulator.a_element.width, row * accumulator.lanes + lane, accumulator.a_element.signed
        )
        index = lane if weights else column * accumulator.lanes + lane
        terms.append(
            f"{a} * {_element(weights or 'b_data', accumulator.b_element.width, index, accumulator.b_element.signed)}"
        )
    return terms


def _element(vector: str, width: int, index: int, signed: bool) -> str:
    """One number of a vector, signed in Verilog's eyes, so that what is made of such alone has the right upper bits."""
    part = f"{vector}[{index * width} +: {width}]"
    return f"$signed({part})" if signed else f"$signed({{1'b0, {part}}})"


def _count(name: str, greatest: int) -> str:
    """A register that holds numbers up to two beyond what is allowed."""
    return f"  reg [{(greatest + 2).bit_length() - 1}:0] {name} = 0;\n"


_TRANSFERS = """  reg first = 1;
  wire take = a_valid & a_ready, start = take & first, give = c_valid & c_ready;
  always @(posedge clk) if (rst) first <= 1; else if (take) first <= a_last;
"""


def _progress(array: Array) -> tuple[str, dict[str, str]]:
    """That something in flight comes out, and that operands are taken."""
    offered = "a_valid & b_valid" + " & p_valid" * array.takes_partial_sums
    body = _count("without_result", array.latency) + _count("not_taken", array.rows + 1)
    body += f"""  always @(posedge clk) begin
    without_result <= !rst & flight != 0 & !c_valid ? without_result + 1 : 0;
    not_taken <= !rst & {offered} & c_ready & !a_ready ? not_taken + 1 : 0;
  end
"""
    return body, {
        f"a result comes within {array.latency} cycles": f"without_result < {array.latency}",
        f"operands are taken within {array.rows + 1} cycles": f"not_taken <= {array.rows + 1}",
    }


def _tiles_in_flight(array: Array) -> tuple[str, int]:
    """Verilog that counts the tiles between their last operands and their last results; how many there may be."""
    most = -(-array.latency // array.rows) + 1
    body = _TRANSFERS + _count("flight", most)
    body += """  wire ends = take & a_last, over = give & c_last;
  always @(posedge clk) flight <= rst ? 0 : flight + ends - over;
"""
    return body, most


def _row_counter(array: Array) -> str:
    body = _count("row", array.rows)
    return body + "  always @(posedge clk) if (rst) row <= 0; else if (give) row <= c_last ? 0 : row + 1;\n"


def _output_stationary(array: Array, design: Design) -> Monitor:
    counts, most = _tiles_in_flight(array)
    progress, moves = _progress(array)
    properties = {
        "every result is of a tile": "!c_valid || flight != 0",
        f"at most {most} tiles are in flight": f"flight <= {most}",
        f"row {array.rows - 1} alone is last": f"!c_valid || c_last == (row == {array.rows - 1})",
    }
    return Monitor(design, counts + _row_counter(array) + progress, properties | moves)


def _output_element(array: Array, design: Design, row: int, column: int, bits: int) -> Monitor:
    """Of a tile that ``choose`` picks at its first beat, one element of C is added up beside the array. It is to leave in
    its row when the results of all tiles before it have left, and not before its operands are complete."""
    body, most = _tiles_in_flight(array)
    code = f"c_data[{column * array.accumulator.out.width} +: {bits}]"
    body += (
        _row_counter(array)
        + _count("before", most)
        + f"""  reg growing = 0, complete = 0;
  reg [{bits - 1}:0] expected = 0;
  wire [{bits - 1}:0] products = {" + ".join(_products(array, row, column))};
  wire chosen = start & choose & !growing & !complete;
  wire turn = c_valid & (growing | complete) & before == 0;
  always @(posedge clk) if (rst) {{growing, complete}} <= 0;
    else begin
      if (chosen | take & growing) begin
        growing <= !a_last;
        complete <= a_last;
        expected <= chosen ? products : expected + products;
      end
      if (chosen) before <= flight - over;
      else if (over & before != 0) before <= before - 1;
      else if (over) complete <= 0;
    end
"""
    )
    holds = f"!turn || complete & (row != {row} || {code} == expected)"
    return Monitor(design, body, {f"C[{row}][{column}] is that of its tile": holds}, {"choose": 1})


def _beats_in_flight(array: Array) -> tuple[str, int]:
    """Verilog that counts the beats of a whose result has not left, and planes that wait; how many beats there may be."""
    most = array.latency + 1
    body = _TRANSFERS + _count("flight", most) + _count("plane_row", array.rows) + _count("planes", 1)
    body += f"""  wire load = b_valid & b_ready, plane_ends = load & plane_row == {array.rows - 1};
  always @(posedge clk) if (rst) begin
    flight <= 0;
    plane_row <= 0;
    planes <= 0;
  end else begin
    flight <= flight + take - give;
    if (load) plane_row <= plane_ends ? 0 : plane_row + 1;
    planes <= planes + plane_ends - start;
  end
"""
    return body, most


def _weight_stationary(array: Array, design: Design) -> Monitor:
    counts, most = _beats_in_flight(array)
    progress, moves = _progress(array)
    properties = {
        "every result is of a vector": "!c_valid || flight != 0",
        f"at most {most} vectors are in flight": f"flight <= {most}",
        "no tile starts without a plane": "!start || planes != 0",
        "at most one plane waits": "planes <= 1",
        "partial sums are taken with their vectors": "(p_valid & p_ready) == (take & a_add)",
    }
    return Monitor(design, counts + progress, properties | moves)


def _weight_column(array: Array, design: Design, column: int, bits: int) -> Monitor:
    """The weights of a plane that ``choose`` picks at its first beat are kept beside the array, and of the tile that is to
    use it, a vector that ``choose_vector`` picks: the result of this one is to leave when all before it have left."""
    accumulator = array.accumulator
    body, most = _beats_in_flight(array)
    width = accumulator.b_element.width * accumulator.lanes
    weights = f"b_data[{column * width} +: {width}]"
    sums = [f"a_add ? $signed(p_data[{column * accumulator.out.width} +: {bits}]) : {bits}'sd0"]
    for row in range(array.rows):
        body += f"  reg [{width - 1}:0] weights_{row} = 0;\n"
        body += (
            f"  always @(posedge clk) if (load & plane_row == {row} & (chosen | filling)) weights_{row} <= {weights};\n"
        )
        sums += _products(array, row, column, f"weights_{row}")
    code = f"c_data[{column * accumulator.out.width} +: {bits}]"
    body += (
        _count("before", most)
        + _count("planes_before", 1)
        + f"""  reg filling = 0, full = 0, working = 0, awaited = 0, expected_last = 0;
  reg [{bits - 1}:0] expected = 0;
  wire [{bits - 1}:0] sum = ({") + (".join(sums)});
  wire chosen = load & plane_row == 0 & choose & !filling & !full & !working;
  wire put_to_work = start & (filling | full) & planes_before == 0;
  wire followed = take & choose_vector & !awaited & (working | put_to_work);
  always @(posedge clk) if (rst) {{filling, full, working, awaited}} <= 0;
    else begin
      if (chosen | filling) {{filling, full}} <= {{!plane_ends, plane_ends}};
      if (chosen) planes_before <= planes - start;
      else if (start & planes_before != 0) planes_before <= planes_before - 1;
      if (put_to_work) full <= 0;
      if (put_to_work | working & take) working <= !a_last;
      if (followed) begin
        awaited <= 1;
        before <= flight - give;
        expected <= sum;
        expected_last <= a_last;
      end else if (give & before != 0) before <= before - 1;
      else if (give) awaited <= 0;
    end
"""
    )
    turn = "!c_valid || !awaited || before != 0"
    holds = f"({turn}) || {code} == expected & c_last == expected_last"
    free = {"choose": 1, "choose_vector": 1}
    return Monitor(design, body, {f"column {column} of a result is that of its vector and plane": holds}, free)
