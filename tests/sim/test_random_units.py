"""Generated Verilog of units in formats and with options that nobody chose, against golden and against exact fractions.

Hypothesis draws units by the dozen, which are built as one model; ``tests/exact_reference.py`` says what must come out. The
quick test draws some, the slow one as many as there are in its time. POLYMAC_SEED sets the seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest

from polymac import golden, hdl, sim
from polymac.golden import Aligned, BlockFormat, Exact, Format, ParameterError
from polymac.golden.formats import FORMATS, ROUNDINGS
from polymac.hdl.sums.accumulator import Accumulator
from polymac.sim.engine.packing import byte_rows, packed_bytes
from polymac.sim.expected.sums import from_ports, met
from polymac.sim.units import entry_of
from polymac.sim.units.operands import ports_of

#: Units of one model, operands of each, and how many of these are computed with fractions.
UNITS, VECTORS, SCALAR = 14, 3000, 24
SECONDS, ARRAY_SECONDS = 200.0, 60.0

Codes = dict[str, Any]


@contextmanager
def accumulators(arguments: list[Codes]) -> Iterator[None]:
    """The formats of rounded accumulators, given as (format, rounding, block), become names that are known meanwhile."""
    added = []
    for given in arguments:
        if isinstance(given.get("acc"), tuple):
            fmt, rounding, block = given["acc"]
            if fmt.name not in FORMATS:
                added.append(golden.register(fmt).name)
            given["acc"] = f"rounded:{fmt.name}:{rounding}:{block}"
    try:
        yield
    finally:
        for name in added:
            del FORMATS[name]


def make(kind: type[hdl.Unit], arguments: Codes) -> hdl.Unit | None:
    """The unit, or None where the arguments are refused, which takes an error of one line."""
    try:
        return kind(**arguments)
    except (ParameterError, TypeError) as error:
        text = str(error)
        assert text and "\n" not in text
        assert " must " in text or "only exact sums are wide" in text, text
        return None


def is_modelled(unit: hdl.Unit) -> bool:
    """Whether golden computes what the unit does: of aligned sums it knows operands in 2^-450 … 2^450 only."""
    try:
        next(iter(entry_of(unit).operand_sets(unit, 1, 1)))
    except ParameterError as error:
        assert "to be aligned" in str(error), str(error)
        return False
    return True


def to_port(codes: Any, width: int) -> Any:
    """Codes as the native simulator has them: bytes where a port is wider than 64 bits."""
    data = np.ma.getdata(codes)
    return data if width <= 64 or data.ndim == 2 else byte_rows(data, packed_bytes(1, width))


class Scalar:
    """What a unit must answer, with fractions: by output port the codes of the first items, None where any will do."""

    def __init__(self, exact: Any) -> None:
        self.exact = exact

    def answers(self, unit: hdl.Unit, inputs: Codes, count: int) -> dict[str, list[Any]]:
        if isinstance(unit, hdl.Multiplier):
            if unit.is_unpacked:
                return self._unpacked(unit, inputs, count)
            return self._elementwise("multiply", unit, inputs, count)
        if isinstance(unit, hdl.Adder):
            return self._elementwise("add", unit, inputs, count)
        if isinstance(unit, hdl.Requantizer):
            return {"y": self._requantizer(unit, inputs, count)}
        if isinstance(unit, hdl.Mac):
            return {"acc": self._mac(unit, inputs, count)}
        assert isinstance(unit, hdl.Dot)
        return self._dot(unit, inputs, count)

    def _mode(self, name: str | None, bits: int, inputs: Codes, index: int) -> Any:
        """The rounding of one item: of a port those codes that stand for none round toward zero."""
        if name == "port":
            code = int(inputs["rounding_mode"][index])
            name = ROUNDINGS[code] if code < len(ROUNDINGS) else "stochastic" if code == 5 and bits else "rtz"
        return (int(inputs["random"][index]), bits) if name == "stochastic" else name or "rne"

    def _elementwise(
        self, name: str, unit: hdl.Multiplier | hdl.Adder, inputs: Codes, count: int
    ) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {"y": [], "flags": []}
        for index in range(count):
            mode = self._mode(unit.rounding, unit.random_bits, inputs, index)
            codes, fmts = (int(inputs["a"][index]), int(inputs["b"][index])), (unit.a_format, unit.b_format)
            code, flags = self.exact.operation(
                name, codes, fmts, unit.out_format, mode, unit.overflow, unit.subnormals or "full"
            )
            found["y"].append(code)
            found["flags"].append(int(flags))
        return found if unit.with_flags else {"y": found["y"]}

    def _unpacked(self, unit: hdl.Multiplier, inputs: Codes, count: int) -> dict[str, list[Any]]:
        """The class alone: exponent and significand are not one answer."""
        found: dict[str, list[Any]] = {"sign": [], "inf": [], "nan": []}
        for index in range(count):
            x, y = (
                self.exact.number(fmt, int(inputs[name][index]), unit.subnormals)
                for name, fmt in (("a", unit.a_format), ("b", unit.b_format))
            )
            item = self.exact.product(x, y)
            found["sign"].append(None if item.is_nan else int(item.negative))
            found["inf"].append(int(item.kind == "inf"))
            found["nan"].append(int(item.is_nan))
        return {name: values for name, values in found.items() if name in ports_of(unit)}

    def _requantizer(self, unit: hdl.Requantizer, inputs: Codes, count: int) -> list[int]:
        found = []
        for index in range(count):
            acc, bias = (self._integer(unit.acc_format, int(inputs[name][index])) for name in ("acc", "bias"))
            zero = self._integer(unit.out_format, int(inputs["zero_point"][index]))
            multiplier, shift = int(inputs["multiplier"][index]), int(inputs["shift"][index])
            fmt = unit.out_format
            low = zero if unit.relu else -(1 << (fmt.width - 1)) if fmt.signed else 0
            high = (1 << (fmt.width - fmt.signed)) - 1
            scaled = ((acc + bias) * multiplier + (1 << (shift - 1))) >> shift
            found.append(min(max(zero + scaled, low), high) % (1 << fmt.width))
        return found

    def _integer(self, fmt: Format, code: int) -> int:
        return int(self.exact.number(fmt, code).value)

    def beat(
        self, accumulator: Accumulator, a: list[Any], b: list[Any], c: int, mode: str | None = None
    ) -> tuple[int, int] | None:
        """Code and flags of c plus the products of (scale, code) pairs; None where the reference cannot tell."""
        style: Any = (
            Exact(overflow=accumulator.parameters["overflow"]) if accumulator.style is None else accumulator.style
        )
        blocks = any(isinstance(fmt, BlockFormat) for fmt in (accumulator.a, accumulator.b))
        if isinstance(style, Aligned):
            if blocks:
                return None
            codes = [[code for _, code in side] for side in (a, b)]
            return self.exact.aligned_dot(*codes, c, accumulator.a, accumulator.b, accumulator.out, style), 0
        if mode is not None:
            style = type(style)(accumulator.out, mode, style.overflow, style.subnormals, style.block)
        numbers = [
            [
                self.exact.block_value(fmt, scale, code)
                if isinstance(fmt, BlockFormat)
                else self.exact.number(fmt, code, style.subnormals)
                for scale, code in side
            ]
            for fmt, side in ((accumulator.a, a), (accumulator.b, b))
        ]
        code, flags = self.exact.dot(*numbers, c, accumulator.out, style)
        return code, int(flags)

    def operands(self, accumulator: Accumulator, inputs: Codes, index: int) -> tuple[list[Any], list[Any]]:
        """Pairs of scale and code of the elements of a and of b that meet."""
        fields = from_ports(accumulator, inputs)
        row = {port: codes[index : index + 1] for port, codes in fields.items()}
        row = met(accumulator, row)
        sides = []
        for side in ("a", "b"):
            scale = int(row[f"{side}_scale"][0, 0]) if f"{side}_scale" in row else 0
            sides.append([(scale, int(code)) for code in row[side][0]])
        return sides[0], sides[1]

    def _dot(self, unit: hdl.Dot, inputs: Codes, count: int) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {"d": [], "flags": []}
        for index in range(count):
            c = int(inputs["c"][index]) if "c" in inputs else 0
            mode = self._mode("port", 0, inputs, index) if "rounding_mode" in inputs else None
            answer = self.beat(unit.accumulator, *self.operands(unit.accumulator, inputs, index), c, mode)
            found["d"].append(None if answer is None else answer[0])
            found["flags"].append(None if answer is None else answer[1])
        return found if unit.with_flags else {"d": found["d"]}

    def _mac(self, unit: hdl.Mac, inputs: Codes, count: int) -> list[int | None]:
        states: list[Any] = [([], [], 0) for _ in range(unit.interleave)]
        found: list[int | None] = []
        for index in range(count):
            slot = index % unit.interleave
            if not inputs["valid"][index]:
                found.append(None)
                continue
            a, b = self.operands(unit.accumulator, inputs, index)
            before_a, before_b, c = ([], [], 0) if inputs["clear"][index] else states[slot]
            if unit.accumulator.state_is_encoded:
                answer = self.beat(unit.accumulator, a, b, c)
                states[slot] = ([], [], 0 if answer is None else answer[0])
            else:
                states[slot] = (before_a + a, before_b + b, 0)
                answer = self.beat(unit.accumulator, before_a + a, before_b + b, 0)
            found.append(None if answer is None else answer[0])
        return found


def check_batch(units: list[hdl.Unit], scalar: Scalar, seed: int) -> None:
    """Simulate all units at once and compare."""
    by_name = {f"u{index}": unit for index, unit in enumerate(units)}
    model = sim.Model.build(hdl.generate_all(by_name), opt="fast-compile")
    given: dict[str, Codes] = {}
    for name, unit in by_name.items():
        given[name] = next(iter(entry_of(unit).operand_sets(unit, VECTORS, seed)))
    driven = {
        name: {port: to_port(values, ports_of(by_name[name])[port].width) for port, values in inputs.items()}
        for name, inputs in given.items()
    }
    for name, outputs in model.evaluate_all(driven).items():
        unit, inputs = by_name[name], given[name]
        says = hdl.command_line("verify", unit), unit.parameters, [vars(fmt) for fmt, _ in unit.formats.values()]
        ports = ports_of(unit)
        for port, want in entry_of(unit).expected(unit, inputs).items():
            differs = (outputs[port] != to_port(want, ports[port].width)).reshape(len(outputs[port]), -1).any(axis=1)
            differs &= ~np.ma.getmaskarray(want).reshape(len(differs), -1).any(axis=1)
            at = int(differs.argmax())
            row = {key: values[at] for key, values in inputs.items()}
            if differs.any():
                pytest.fail(
                    f"golden differs {differs.sum()} times: {says} {port}: {row} {outputs[port][at]} {want[at]}"
                )
        count = min(SCALAR, len(next(iter(inputs.values()))))
        for port, wants in scalar.answers(unit, inputs, count).items():
            for index, want in enumerate(wants):
                got = outputs[port][index]
                got = int.from_bytes(got.tobytes(), "little") if getattr(got, "ndim", 0) else int(got)
                row = {key: values[index] for key, values in inputs.items()}
                if want is not None and got != want:
                    pytest.fail(f"the fractions differ: {says} {port}: {row} {got} {want}")


def batches(script: Callable[[str], Any], kinds: Counter[str]) -> Callable[[Any], int]:
    """A dozen units at a time."""
    strategies, scalar = script("strategies"), Scalar(script("exact_reference"))

    def check_units(data: Any) -> int:
        drawn = data.draw(st.lists(strategies.units(), min_size=UNITS, max_size=UNITS))
        distinct = {repr(item): item for item in drawn}
        seed = data.draw(st.integers(0, 2**32 - 1))
        with accumulators([arguments for _, arguments in distinct.values()]):
            made = [make(kind, arguments) for kind, arguments in distinct.values()]
            units = [unit for unit in made if unit is not None and is_modelled(unit)]
            kinds.update(unit.kind for unit in units)
            kinds["refused"] += len(made) - len(units)
            if units:
                check_batch(units, scalar, seed)
        return len(made)

    return check_units


def small_arrays(script: Callable[[str], Any], kinds: Counter[str]) -> Callable[[Any], int]:
    """One array at a time, through which a product of small matrices runs."""
    strategies, scalar = script("strategies"), Scalar(script("exact_reference"))

    def check_arrays(data: Any) -> int:
        arguments = data.draw(strategies.arrays())
        generator = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
        with accumulators([arguments]):
            unit = make(hdl.Array, arguments)
            if unit is None or any(isinstance(fmt, BlockFormat) for fmt in (arguments["a"], arguments["b"])):
                kinds["refused" if unit is None else "blocks"] += 1
                return 1
            assert isinstance(unit, hdl.Array)
            accumulator = unit.accumulator
            # Whole tiles: nothing is filled with zeros, which some formats do not have.
            m, n, k = 2 * unit.rows, unit.cols, (unit.rows if unit.dataflow == "ws" else 2) * accumulator.lanes
            a = np.array(strategies.codes(accumulator.a, m * k, generator)).reshape(m, k)
            b = np.array(strategies.codes(accumulator.b, k * n, generator)).reshape(k, n)
            run = sim.gemm(unit, a, b)
            for row in range(m):
                for column in range(n):
                    terms = [[(0, code) for code in side.tolist()] for side in (a[row], b[:, column])]
                    c: int | None = 0
                    step = k if isinstance(accumulator.style, Exact) else accumulator.lanes
                    for start in range(0, k, step):
                        assert c is not None
                        answer = scalar.beat(
                            accumulator, terms[0][start : start + step], terms[1][start : start + step], c
                        )
                        c = None if answer is None else answer[0]
                    assert c is None or int(run.c[row, column]) == c, (
                        arguments,
                        a[row],
                        b[:, column],
                        run.c[row, column],
                        c,
                    )
            kinds[f"{unit.kind}_{unit.dataflow}"] += 1
        return 1

    return check_arrays


def test_some_units(script: Callable[[str], Any], explore: Callable[..., int]) -> None:
    kinds: Counter[str] = Counter()
    assert explore(batches(script, kinds), examples=2, shrink=False) > UNITS
    assert kinds.total() - kinds["refused"] >= UNITS // 2


@pytest.mark.slow
def test_many_units(
    script: Callable[[str], Any], explore: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    kinds: Counter[str] = Counter()
    assert explore(batches(script, kinds), examples=4, seconds=SECONDS, shrink=False) > 2 * UNITS
    with capsys.disabled():
        print(dict(kinds))
    assert kinds.keys() >= {"multiplier", "adder", "dot", "mac", "requantizer"}


@pytest.mark.slow
def test_many_small_arrays(
    script: Callable[[str], Any], explore: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    kinds: Counter[str] = Counter()
    assert explore(small_arrays(script, kinds), examples=8, seconds=ARRAY_SECONDS, shrink=False) >= 8
    with capsys.disabled():
        print(dict(kinds))


def test_the_batch_notices_a_wrong_unit(script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Against golden, and against the fractions where golden is wrong in the same way."""
    scalar = Scalar(script("exact_reference"))
    unit, other = (hdl.Multiplier(a="fp8_e4m3", b="int4", out="fp8_e5m2", rounding=mode) for mode in ("rne", "rup"))
    check_batch([unit], scalar, seed=1)
    generate_all = hdl.generate_all
    monkeypatch.setattr(hdl, "generate_all", lambda units: generate_all(dict.fromkeys(units, other)))
    with pytest.raises(pytest.fail.Exception) as caught:
        check_batch([unit], scalar, seed=1)
    assert "the fractions differ" not in str(caught.value)
    monkeypatch.setattr("polymac.golden.multiply", lambda *args, **given: _rounded_up(args, given))
    with pytest.raises(pytest.fail.Exception) as caught:
        check_batch([unit], scalar, seed=1)
    assert "the fractions differ" in str(caught.value)


_multiply = golden.multiply


def _rounded_up(args: Any, given: Any) -> Any:
    return _multiply(*args, **(given | {"rounding": "rup"}))
