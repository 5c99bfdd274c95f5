"""The netlist simulator against arithmetic, against Python, and its own two ways against each other."""

from __future__ import annotations

import shutil
from typing import Any

import hypothesis.strategies as st
import numpy as np
import platformdirs
import pytest
from hypothesis import HealthCheck, given, settings

from polymac import hdl, synth
from polymac.golden.formats import ParameterError
from polymac.synth.energy import native
from polymac.synth.energy.cells import read_power_library
from polymac.synth.energy.native import CANCELLED, EVENTS, SETTLED, Simulation, simulate
from polymac.synth.energy.network import Network, build_network
from polymac.synth.energy.streams import port_bits, uniform_codes
from polymac.synth.energy.timing import gate_delays, net_slews


def network_of(netlist: dict[str, Any], library: synth.LibertyFile) -> tuple[Network, list[Any]]:
    cells = read_power_library(library, {item["type"] for item in netlist["cells"].values()})
    network = build_network(netlist, cells, "clk", 0)
    delays = gate_delays(network, net_slews(network), cells.time)
    assert delays is not None
    return network, delays


def outputs(simulation: Simulation, bits: np.ndarray, nets: list[int], events: bool = True) -> list[int]:
    """The value of a port after each cycle."""
    values = []
    before = simulation.net_counts()[0]
    for row in bits:
        simulation.run(row[None, :], counting=True, events=events)
        ones = simulation.net_counts()[0]
        values.append(sum(int(ones[net] - before[net]) << place for place, net in enumerate(nets)))
        before = ones
    return values


def inputs(network: Network, streams: dict[str, Any]) -> np.ndarray:
    return port_bits(streams, {name: len(nets) for name, nets in network.ports.items()})


@pytest.mark.parametrize("recipe", ["plain area", "booth tree speed"])
def test_every_product_of_int4(map_netlist, nangate, recipe):
    netlist = map_netlist(hdl.generate(hdl.Multiplier(a="int4", b="int4"), "mul"), recipe)
    network, delays = network_of(netlist, nangate)
    a, b = (item.ravel() for item in np.meshgrid(np.arange(-8, 8), np.arange(-8, 8)))
    nets = [network.net(bit) for bit in netlist["ports"]["y"]["bits"]]
    found = outputs(simulate(network, delays), inputs(network, {"a": a, "b": b}), nets)
    assert found == [int(x) & (1 << len(nets)) - 1 for x in a * b]


def test_a_mac_with_its_feedback(map_netlist, nangate):
    netlist = map_netlist(hdl.generate(hdl.Mac(a="int4", b="int4"), "mac"))
    network, delays = network_of(netlist, nangate)
    generator = np.random.default_rng(7)
    a, b = generator.integers(-8, 8, (2, 300))
    rst = (generator.random(300) < 0.05).astype(int)
    streams = {"a": a, "b": b, "rst": rst} | {
        name: (generator.random(300) < 0.9).astype(int) for name in network.ports if name not in ("a", "b", "rst")
    }
    assert set(streams) == {"a", "b", "rst", "en", "valid", "clear"}
    streams["clear"] = 1 - streams["clear"]
    nets = [network.net(bit) for bit in netlist["ports"]["acc"]["bits"]]
    found = outputs(simulate(network, delays), inputs(network, streams), nets)
    # The register shows the sum of the cycles before; the first clock edge, behind inputs of 0, changes nothing.
    total, wanted = 0, []
    for x, y, reset, en, valid, clear in zip(
        *(streams[name].tolist() for name in ("a", "b", "rst", "en", "valid", "clear")), strict=True
    ):
        wanted.append(total)
        if reset:
            total = 0
        elif en and valid:
            total = (0 if clear else total) + x * y
    assert found == [value & (1 << len(nets)) - 1 for value in wanted]


@pytest.mark.parametrize("recipe", ["plain area", "tree speed"])
def test_counts_agree(map_netlist, nangate, recipe):
    """Toggles of nets and transitions of gates are counted apart: a net toggles as often as its gate's table says, less
    what was cancelled; glitches add an even number of toggles to no glitches."""
    netlist = map_netlist(hdl.generate(hdl.Multiplier(a="int8", b="int8"), "mul"), recipe)
    network, delays = network_of(netlist, nangate)
    simulation = simulate(network, delays)
    bits = inputs(network, {"a": uniform_codes(8, 200, 1), "b": uniform_codes(8, 200, 2)})
    simulation.run(bits, counting=True, events=True)
    _, toggles, events = simulation.net_counts()

    def by_tables(which: int) -> np.ndarray:
        found = np.zeros(network.net_count, np.int64)
        for gate, pair, count in simulation.transitions(which):
            kind = network.kinds[network.kind[gate]]
            size = len(kind.inputs)
            if kind.table[pair >> size] != kind.table[pair & ((1 << size) - 1)]:
                found[network.output[gate]] += count
        return found

    driven = np.array(network.output)
    assert np.array_equal(by_tables(SETTLED)[driven], toggles[driven])
    assert np.array_equal((by_tables(EVENTS) - by_tables(CANCELLED))[driven], events[driven])
    assert by_tables(CANCELLED).any()
    assert (events >= toggles).all() and not ((events - toggles) % 2).any() and events.sum() > 1.2 * toggles.sum()


GATES = {
    "INV": lambda a, b: ~a,
    "NAND": lambda a, b: ~(a & b),
    "XOR": lambda a, b: a ^ b,
}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    gates=st.lists(
        st.tuples(st.sampled_from(sorted(GATES)), st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=25
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_random_netlists_as_python_has_them(toy, gates, seed):
    """Toggles and ones of every net of random gates, with a flip-flop behind the last one, fed back as an input."""
    bits = np.random.default_rng(seed).integers(0, 2, (40, 3))
    cells, last = {}, 4
    for place, (kind, a, b) in enumerate(gates):
        pins = {"A": 1 + a % last, "B": 1 + b % last, "Y": last + 1}
        if kind == "INV":
            del pins["B"]
        cells[f"g{place}"] = toy.cell(kind, **pins)
        last += 1
    cells["r"] = toy.cell("DFF", D=last, CK=99, Q=4)
    netlist = toy.module({"clk": 99, "a": 1, "b": 2, "c": 3}, {"y": last}, **cells)
    network, delays = network_of(netlist, toy.write())
    simulation = simulate(network, delays)
    simulation.run(bits.astype(np.uint8), counting=True, events=True)

    def settled(row: np.ndarray, q: bool) -> list[bool]:
        values = [False, *map(bool, row), q]
        for kind, a, b in gates:
            x, y = np.bool_(values[1 + a % (len(values) - 1)]), np.bool_(values[1 + b % (len(values) - 1)])
            values.append(bool(GATES[kind](x, y)))
        return values

    rows = [settled(np.zeros(3), False)]
    for row in bits:
        rows.append(settled(row, rows[-1][-1]))
    history = np.array(rows)
    ones, toggles, events = simulation.net_counts()
    nets = [network.net(bit) for bit in range(1, last + 1)]
    assert np.array_equal(ones[nets], history[1:, 1:].sum(axis=0))
    assert np.array_equal(toggles[nets], (history[1:, 1:] != history[:-1, 1:]).sum(axis=0))
    assert (events[nets] >= toggles[nets]).all() and not ((events - toggles)[nets] % 2).any()


def slow_events(
    gates: list[tuple[str, list[int], int]], values: dict[int, bool], changes: dict[int, bool]
) -> dict[int, int]:
    """Toggles of nets with inertial delays, by the book and one time after the other: gates of a kind with the nets of
    their inputs, a delay in ticks and, as their net, their place behind the inputs; ``values`` changes with them."""
    toggles = dict.fromkeys(values, 0)
    pending: dict[int, int] = {}
    first = min(set(values)) + len(values) - len(gates)
    time, now = 0, changes
    while True:
        for net, value in now.items():
            toggles[net] += value != values[net]
            values[net] = value
        for place, (kind, into, delay) in enumerate(gates):
            if set(into) & set(now):
                value = bool(GATES[kind](*(np.bool_(values[net]) for net in (*into, into[0])[:2])))
                if value == values[first + place]:
                    pending.pop(first + place, None)
                else:
                    pending.setdefault(first + place, time + delay)
        if not pending:
            return toggles
        time = min(pending.values())
        now = {net: not values[net] for net, due in pending.items() if due == time}
        for net in now:
            del pending[net]


@settings(max_examples=60, deadline=None)
@given(
    gates=st.lists(
        st.tuples(st.sampled_from(sorted(GATES)), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 200)),
        min_size=1,
        max_size=30,
    ),
    seed=st.integers(0, 2**32 - 1),
)
def test_events_as_a_slow_simulator_has_them(gates, seed):
    """Random netlists with random delays from below to above the 64 ticks of a word of the simulator's wheel."""
    bits = np.random.default_rng(seed).integers(0, 2, (30, 4)).astype(np.uint8)
    first = 6
    chosen = [
        (kind, [2 + a % (first - 2 + i), 2 + b % (first - 2 + i)][: 1 + (kind != "INV")], delay)
        for i, (kind, a, b, delay) in enumerate(gates)
    ]
    tables = {
        kind: np.array([bool(gate(np.bool_(s & 1), np.bool_(s >> 1 & 1))) for s in range(2 if kind == "INV" else 4)])
        for kind, gate in GATES.items()
    }
    simulation = Simulation(
        first + len(chosen),
        [first + i for i in range(len(chosen))],
        [into for _, into, _ in chosen],
        [tables[kind] for kind, *_ in chosen],
        [np.full(len(tables[kind]) * len(into), delay, np.int32) for kind, into, delay in chosen],
        len(chosen),
        [2, 3, 4, 5],
    )
    simulation.run(bits, counting=True, events=True)
    values = dict.fromkeys(range(2, first), False)
    for place, (kind, into, _) in enumerate(chosen):
        values[first + place] = bool(GATES[kind](*(np.bool_(values[net]) for net in (*into, into[0])[:2])))
    wanted = np.zeros(first + len(chosen), np.int64)
    for row in bits:
        changes = {2 + i: bool(bit) for i, bit in enumerate(row) if bool(bit) != values[2 + i]}
        for net, count in slow_events(chosen, values, changes).items():
            wanted[net] += count
    assert np.array_equal(simulation.net_counts()[2], wanted)


ASYNCHRONOUS = """library (asynchronous) { nom_voltage : 1.0;
  cell (DFFRS) { ff (IQ, IQN) { next_state : "D"; clocked_on : "!CKN"; clear : "!RN"; preset : "S"; }
    pin (D) { direction : input; } pin (CKN) { direction : input; }
    pin (RN) { direction : input; } pin (S) { direction : input; }
    pin (Q) { direction : output; function : "IQ"; } pin (QN) { direction : output; function : "IQN"; } } }
"""


def test_asynchronous_clear_and_preset(toy):
    """Both act at once; clear wins; what the clock takes over afterwards is what they left."""
    cell = toy.cell("DFFRS", D=1, CKN=9, RN=2, S=3, Q=4, QN=5)
    netlist = toy.module({"clk": 9, "d": 1, "rn": 2, "s": 3}, {"q": 4, "qn": 5}, r=cell)
    cells = read_power_library(toy.write(ASYNCHRONOUS), {"DFFRS"})
    network = build_network(netlist, cells, "clk", 0)
    # d, rn, s, and what q then is: q takes over d of the row before, or what clear and preset left of it.
    steps = [
        (1, 1, 0, 0), (0, 1, 0, 1), (0, 1, 0, 0), (0, 1, 1, 1), (0, 1, 0, 1),
        (1, 0, 0, 0), (1, 1, 0, 0), (1, 1, 0, 1), (1, 0, 1, 0), (1, 1, 0, 0),
    ]  # fmt: skip
    bits = np.array([row[:3] for row in steps], np.uint8)
    nets = [network.net(4), network.net(5)]
    found = outputs(simulate(network, None), bits, nets, events=False)
    assert found == [1 if q else 2 for *_, q in steps]


def test_it_is_compiled_again_where_its_file_is_damaged(toy, tmp_path, monkeypatch):
    def measured(folder: str) -> synth.Energy:
        monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / folder / name)
        native._library.cache_clear()
        return synth.measure_energy(toy.ten, toy.write(), {"a": [0, 1], "b": [0, 0]})

    try:
        first = measured("one")
        (path,) = (tmp_path / "one" / "polymac" / "energy").iterdir()
        damaged = tmp_path / "two" / "polymac" / "energy" / path.name
        damaged.parent.mkdir(parents=True)
        damaged.write_bytes(path.read_bytes()[:1000])
        assert measured("two") == first
        assert len(damaged.read_bytes()) == len(path.read_bytes())
    finally:
        native._library.cache_clear()


def test_a_cache_that_cannot_be_written(toy, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "file")
    native._library.cache_clear()
    try:
        with pytest.raises(ParameterError) as error:
            synth.measure_energy(toy.ten, toy.write(), {"a": [0, 1], "b": [0, 0]})
    finally:
        native._library.cache_clear()
    folder = tmp_path / "file" / "energy"
    assert str(error.value) == f"the folder of built simulators must be writable, not {folder}: Not a directory"


def test_without_a_compiler(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    native._library.cache_clear()
    try:
        with pytest.raises(ParameterError) as error:
            synth.measure_energy(toy.ten, toy.write(), {"a": [0, 1], "b": [0, 0]})
    finally:
        native._library.cache_clear()
    assert str(error.value) == (
        "g++ must be on PATH for energy, not missing (install it, for example `apt install g++`)"
    )
