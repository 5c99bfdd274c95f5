"""Verification of a unit: its generated Verilog in a simulator, bit for bit against the golden model."""

from __future__ import annotations

import dataclasses
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import golden, hdl
from ..golden.formats import Flag, Format, ParameterError
from . import cocotb_run
from .native import Model
from .packing import operand_pairs, pack
from .simulators import find
from .stimulus import operands, tiles

Progress = Callable[[int, int], None]
Codes = NDArray[Any]

#: Two operands of together at most this many bits are checked exhaustively unless a number of vectors is asked for.
EXHAUSTIVE_BITS = 20
#: The most that ``exhaustive`` is meant for: 2^36 pairs take the better part of an hour.
MOST_EXHAUSTIVE_BITS = 36
DEFAULT_VECTORS = 1_000_000
#: cocotb runs some ten thousand cycles a second.
DEFAULT_CYCLES = 2_000
_CHUNK = 1 << 18
_SHOWN = 5


@dataclass(frozen=True)
class Verification:
    """What was checked, and what came of it.

    Attributes
    ----------
    passed : bool
        Whether there is no mismatch.
    checked : int
        Results, or for an array clock cycles, that were compared.
    mismatches : int
        How many of them differ; for a cocotb bench, which stops at the first, 0 or 1.
    how : str
        What that covers.
    seed, seconds, simulator
        The seed, the time it took, the simulator with its version.
    cycles : int or None
        Simulated clock cycles, where there is a clock.
    details : list of str
        The first mismatches: operands and both results, as codes and values.
    reproduce : str
        The command that gives this result again.
    log, junit, waves : Path or None
        Files that a cocotb bench left.
    """

    passed: bool
    checked: int
    mismatches: int
    how: str
    seed: int
    seconds: float
    simulator: str
    cycles: int | None = None
    details: list[str] = field(default_factory=list)
    reproduce: str = ""
    log: Path | None = None
    junit: Path | None = None
    waves: Path | None = None


def verify(
    unit: hdl.Unit,
    *,
    vectors: int | None = None,
    seed: int = 1,
    exhaustive: bool = False,
    simulator: str | None = None,
    waves: bool = False,
    folder: Path | str = Path("build/verify"),
    progress: Progress | None = None,
    design: hdl.Design | None = None,
) -> Verification:
    """Simulate a unit and compare it with the golden model.

    Multipliers and requantizers run in the native batch simulator, all operand pairs where those total at most
    ``EXHAUSTIVE_BITS`` bits, else seeded random ones biased to corner values. With ``simulator`` or ``waves`` they, and
    arrays and MACs always, run under cocotb with random stalls, every cycle compared.

    Parameters
    ----------
    unit : Unit
        Made by :class:`hdl.Multiplier` and so on.
    vectors : int, optional
        Operand pairs, or cycles under cocotb.
    seed : int
        Of operands, stalls and tile sizes.
    exhaustive : bool
        All operand pairs, whatever their number (multipliers).
    simulator : str, optional
        "icarus" or "verilator": run under cocotb there.
    waves : bool
        Record waves (cocotb).
    folder : Path
        Where logs, JUnit results and waves go.
    progress : callable, optional
        Called with what is done and what there is to do.
    design : Design, optional
        What to simulate instead of the unit's own Verilog: to see a check fail on a broken copy.

    Raises
    ------
    ParameterError
        Options that the unit has no meaning for, or no simulator.
    """
    started = time.perf_counter()
    if vectors is not None and vectors < 1:
        raise ParameterError(f"vectors must be at least 1, not {vectors}")
    if exhaustive and vectors is not None:
        raise ParameterError(f"vectors must be left out with exhaustive, not {vectors}")
    design = hdl.generate(unit, f"{unit.kind}_under_test") if design is None else design
    cocotb = simulator is not None or waves or isinstance(unit, (hdl.Array, hdl.Mac))
    if exhaustive and (cocotb or not isinstance(unit, hdl.Multiplier)):
        raise ParameterError(
            f"exhaustive must be left out for {unit.kind} under cocotb, it is for multipliers natively"
        )
    if cocotb:
        result = _cocotb(unit, design, vectors or DEFAULT_CYCLES, seed, simulator, waves, Path(folder), started)
    else:
        result = _native(unit, design, vectors, seed, exhaustive, progress, started)
    return dataclasses.replace(result, reproduce=_command(unit, vectors, seed, exhaustive, simulator, waves))


def _command(
    unit: hdl.Unit, vectors: int | None, seed: int, exhaustive: bool, simulator: str | None, waves: bool
) -> str:
    """The command line of a verification; a unit's parameters are its options."""
    words = ["polymac verify", unit.kind]
    given = dict(unit.parameters)
    if isinstance(unit, hdl.Multiplier) and unit.rounding is None:
        del given["out"]  # the exact product, which is the default and has no rounding
    given |= {"seed": seed, "vectors": vectors, "simulator": simulator}
    for name, value in given.items():
        if isinstance(value, bool):
            words += [f"--{name} {'on' if value else 'off'}"] if name == "flags" else [f"--{name}"] * value
        elif value is not None:
            words.append(f"--{name} {value}")
    return " ".join([*words, *["--exhaustive"] * exhaustive, *["--waves"] * waves])


# The native batch simulator.


def reference(unit: hdl.Unit, inputs: dict[str, Codes]) -> dict[str, Codes]:
    """What a multiplier or requantizer must answer, from the golden model: codes by output port."""
    if isinstance(unit, hdl.Multiplier):
        return _multiplier_reference(unit, inputs["a"], inputs["b"])
    if isinstance(unit, hdl.Requantizer):
        acc, bias = (golden.to_int(inputs[name], unit.acc_format) for name in ("acc", "bias"))
        return {"y": _rescale_by_zero_point(unit, acc + bias, inputs)}
    raise ParameterError(f"unit must be a multiplier or a requantizer, not {unit.kind}")


def _multiplier_reference(unit: hdl.Multiplier, a: Codes, b: Codes) -> dict[str, Codes]:
    options: dict[str, Any] = {}
    if unit.rounding is not None:
        options = {"out": unit.out_format, "rounding": unit.rounding, "overflow": unit.overflow}
    if not unit.is_float:
        return {"y": np.asarray(golden.multiply(a, b, unit.a_format, unit.b_format, **options))}
    y, flags = golden.multiply(a, b, unit.a_format, unit.b_format, subnormals=unit.subnormals, flags=True, **options)
    return {"y": np.asarray(y)} | ({"flags": np.asarray(flags)} if unit.with_flags else {})


def _rescale_by_zero_point(unit: hdl.Requantizer, total: Codes, inputs: dict[str, Codes]) -> Codes:
    """golden.rescale takes one zero point at a time, the hardware one per result: group by it."""
    result = np.zeros(len(total), golden.code_dtype(unit.out_format))
    for code in np.unique(inputs["zero_point"]):
        here = inputs["zero_point"] == code
        zero = int(golden.to_int(np.array([code]), unit.out_format)[0])
        parameters = (inputs[name][here].astype(np.int64) for name in ("multiplier", "shift"))
        result[here] = golden.rescale(total[here], *parameters, zero, unit.out_format, relu=unit.relu)
    return result


def _native(
    unit: hdl.Unit,
    design: hdl.Design,
    vectors: int | None,
    seed: int,
    exhaustive: bool,
    progress: Progress | None,
    started: float,
) -> Verification:
    model = Model.build(design)
    ports = {port.name: port for port in unit.ports}
    names = [name for name, port in ports.items() if port.direction == "input" and port.role in ("data", "control")]
    bits = sum(ports[name].width for name in names)
    is_multiplier = isinstance(unit, hdl.Multiplier)
    every = exhaustive or (is_multiplier and vectors is None and bits <= EXHAUSTIVE_BITS)
    if every and bits > MOST_EXHAUSTIVE_BITS:
        raise ParameterError(f"exhaustive must be for at most {MOST_EXHAUSTIVE_BITS} operand bits, not {bits}")
    total = 1 << bits if every else vectors or DEFAULT_VECTORS
    how = f"all {total:,} operand pairs" if every else f"{total:,} of 2^{bits} operand sets, seed {seed}"
    checked = mismatches = 0
    details: list[str] = []
    for inputs in _chunks(unit, ports, names, total, seed, every):
        outputs = model.evaluate({name: _to_port(values, ports[name].width) for name, values in inputs.items()})
        expected = reference(unit, inputs)
        wrong = np.zeros(len(inputs[names[0]]), bool)
        for name, want in expected.items():
            port = ports[name]
            wrong |= (outputs[name] != _to_port(want, port.width)).reshape(len(wrong), -1).any(axis=1)
        mismatches += int(wrong.sum())
        for index in np.flatnonzero(wrong)[: _SHOWN - len(details)]:
            details.append(_describe(ports, inputs, outputs, expected, int(index)))
        checked += len(wrong)
        if progress is not None:
            progress(checked, total)
    seconds = time.perf_counter() - started
    cycles = checked + unit.latency if unit.clocked else None
    name = f"{model.simulator}, native"
    return Verification(mismatches == 0, checked, mismatches, how, seed, seconds, name, cycles, details)


def _chunks(unit: hdl.Unit, ports: dict[str, Any], names: list[str], total: int, seed: int, every: bool):
    if every:
        for a, b in operand_pairs(ports["a"].width, ports["b"].width, _CHUNK):
            yield {"a": a, "b": b}
        return
    generator = np.random.default_rng(seed)
    for start in range(0, total, _CHUNK):
        count = min(_CHUNK, total - start)
        chunk = {name: operands(ports[name].format, ports[name].width, count, generator) for name in names}
        if isinstance(unit, hdl.Requantizer):  # a shift of 0 is none, and a shift so small only saturates
            chunk["shift"] = generator.integers(1, 64, count).astype(np.uint8)
        yield chunk


def _to_port(codes: Codes, width: int) -> Codes:
    """Codes as the native simulator wants them: bytes where a port is wider than 64 bits."""
    if width <= 64:
        return np.asarray(codes)
    size = (width + 7) // 8
    raw = b"".join(int(code).to_bytes(size, "little") for code in codes)
    return np.frombuffer(raw, np.uint8).reshape(-1, size)


def _describe(ports: dict[str, Any], inputs: dict[str, Codes], outputs: Any, expected: Any, index: int) -> str:
    given = ", ".join(f"{name}={_value(ports[name], inputs[name][index])}" for name in inputs)
    got = ", ".join(f"{name}={_value(ports[name], outputs[name][index])}" for name in expected)
    want = ", ".join(f"{name}={_value(ports[name], expected[name][index])}" for name in expected)
    return f"{given}: hardware {got}, golden {want}"


def _value(port: Any, value: Any) -> str:
    code = int.from_bytes(value.tobytes(), "little") if isinstance(value, np.ndarray) else int(value)
    if port.role == "flags":
        return f"{code:#x} ({Flag(code).name or 'none'})"
    fmt: Format | None = port.format
    return f"{code:#x} ({fmt.text(code)})" if fmt is not None else f"{code:#x}"


# cocotb.


def _cocotb(
    unit: hdl.Unit,
    design: hdl.Design,
    cycles: int,
    seed: int,
    simulator: str | None,
    waves: bool,
    folder: Path,
    started: float,
) -> Verification:
    chosen = find(simulator)
    folder = folder.resolve() / f"{design.name}-{chosen.name}"
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(unit, hdl.Array):
        bench, job, how = "array", *_array_job(unit, cycles, seed)
    elif isinstance(unit, hdl.Mac):
        bench, job, how = "unit", *_mac_job(unit, cycles, seed)
    else:
        bench, job, how = "unit", *_vector_job(unit, cycles, seed)
    job["results"] = str(folder / "results.pickle")
    data = folder / "bench.pickle"
    data.write_bytes(pickle.dumps(job))
    module = f"polymac.sim.benches.{bench}"
    result = cocotb_run.run(design, module, simulator=chosen, data=data, folder=folder, seed=seed, waves=waves)
    details = [result.failure] if result.failure else []
    seconds = time.perf_counter() - started
    return Verification(
        result.passed,
        job["cycles"],
        len(details),
        how,
        seed,
        seconds,
        str(chosen),
        job["cycles"],
        details,
        log=result.log,
        junit=result.junit,
        waves=result.waves,
    )


def _array_job(unit: hdl.Array, cycles: int, seed: int) -> tuple[dict[str, Any], str]:
    """Tiles of many inner dimensions; thirds of the run without stalls, with random stalls, and with resets as well."""
    how = unit.accumulation
    generator = np.random.default_rng(seed)
    model = golden.OutputStationary(
        unit.rows, unit.cols, how.lanes, a=how.a, b=how.b, acc=how.acc, overflow=how.overflow, stages=unit.stages
    )
    # A tile without a stall takes max(K, rows) cycles, and one with stalls about twice that.
    sizes = tiles(unit.rows, cycles // 2, generator)
    beats = sum(sizes)
    last = np.zeros(beats, bool)
    last[np.cumsum(sizes) - 1] = True
    a = operands(how.a, how.a.width, beats * unit.rows * how.lanes, generator).reshape(beats, -1)
    b = operands(how.b, how.b.width, beats * unit.cols * how.lanes, generator).reshape(beats, -1)
    # Every beat is taken in the end, since after the last third the streams run free.
    total = 4 * cycles + 4 * (beats + unit.rows * len(sizes)) + 4 * model.latency
    third = cycles // 3
    duty = np.ones((3, total))
    duty[:, third : 3 * third] = generator.choice([0.3, 0.7, 1.0], (3, 2 * third // 20 + 1)).repeat(20, axis=1)[
        :, : 2 * third
    ]
    a_offer, b_offer, c_ready = generator.random((3, total)) < duty
    reset = np.zeros(total, bool)
    reset[2 * third : 3 * third] = generator.random(third) < 0.01
    job = {
        "model": model,
        "cycles": total,
        "a_data": _buses(a, how.a),
        "b_data": _buses(b, how.b),
        "a_last": last.tolist(),
        "a_offer": a_offer.tolist(),
        "b_offer": b_offer.tolist(),
        "c_ready": c_ready.tolist(),
        "reset": reset.tolist(),
    }
    return job, f"every cycle of {len(sizes)} tiles with K from {min(sizes)} to {max(sizes)}, seed {seed}"


def _vector_job(unit: hdl.Unit, cycles: int, seed: int) -> tuple[dict[str, Any], str]:
    """One set of operands per cycle; with a clock, random stalls by ``en``."""
    ports = {port.name: port for port in unit.ports}
    names = [name for name, port in ports.items() if port.direction == "input" and port.role in ("data", "control")]
    inputs = next(iter(_chunks(unit, ports, names, cycles, seed, False)))
    expected = reference(unit, inputs)
    generator = np.random.default_rng(seed + 1)
    enable = generator.random(cycles) < 0.7 if unit.clocked else np.ones(cycles, bool)
    # With latency L, a cycle shows the item that entered L enabled cycles ago.
    entered = np.flatnonzero(enable)
    before = np.cumsum(enable) - enable
    outputs: dict[str, list[int | None]] = {}
    for name, values in expected.items():
        if unit.clocked:
            source = before - unit.latency
            outputs[name] = [int(values[entered[s]]) if s >= 0 else None for s in source]
        else:
            outputs[name] = [int(value) for value in values]
    drive = {name: [int(value) for value in values] for name, values in inputs.items()}
    if unit.clocked:
        drive["en"] = enable.astype(int).tolist()
    job = {"cycles": cycles, "clocked": unit.clocked, "inputs": drive, "outputs": outputs}
    return job, f"{cycles:,} operand sets, one a cycle, seed {seed}"


def _mac_job(unit: hdl.Mac, cycles: int, seed: int) -> tuple[dict[str, Any], str]:
    """Sums of random length with gaps and stalls; the accumulator is compared in every cycle."""
    how = unit.accumulation
    generator = np.random.default_rng(seed)
    a = operands(how.a, how.a.width, cycles * how.lanes, generator).reshape(cycles, how.lanes)
    b = operands(how.b, how.b.width, cycles * how.lanes, generator).reshape(cycles, how.lanes)
    enable, valid = generator.random((2, cycles)) < [[0.8], [0.8]]
    clear = generator.random(cycles) < 0.05
    clear[0] = valid[0] = enable[0] = True
    # The accumulator after each step, from the golden GEMM of the sum so far.
    sums: list[int] = [0]
    start = 0
    steps = np.flatnonzero(enable & valid)
    for count, step in enumerate(steps):
        start = count if clear[step] else start
        taken = steps[start : count + 1]
        row, column = a[taken].reshape(1, -1), b[taken].reshape(-1, 1)
        total = golden.gemm(row, column, how.a, how.b, acc=how.acc, overflow=how.overflow, lanes=how.lanes)
        sums.append(int(total[0, 0]))
    # The item entered `latency` enabled cycles ago, and what is shown is the sum after the steps until then.
    done = np.cumsum(valid[np.flatnonzero(enable)])
    before = np.cumsum(enable) - enable
    shown = before - unit.latency
    outputs = {"acc": [sums[int(done[s])] if s >= 0 else 0 for s in shown]}
    inputs = {
        "a": _buses(a, how.a),
        "b": _buses(b, how.b),
        "valid": valid.astype(int).tolist(),
        "clear": clear.astype(int).tolist(),
        "en": enable.astype(int).tolist(),
    }
    job = {"cycles": cycles, "clocked": True, "inputs": inputs, "outputs": outputs}
    return job, f"the accumulator in {cycles:,} cycles, seed {seed}"


def _buses(codes: Codes, fmt: Format) -> list[int]:
    """Rows of codes as the integers that a packed bus carries."""
    return [int.from_bytes(row.tobytes(), "little") for row in pack(codes, fmt.width)]
