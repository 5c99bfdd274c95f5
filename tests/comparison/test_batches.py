from __future__ import annotations

import pytest

from polymac.comparison import Options, Request, batches
from polymac.comparison.batches import measure_batches
from polymac.synth import SynthesisError
from polymac.synth.yosys.job import ClusterLostError
from polymac.synth.yosys.runner import Workers

PLAIN = Options(recipes=["plain"])


def request(name: str, **options: object) -> Request:
    return Request("multiplier", {"a": name, "architecture": "operator"} | options, "ice40")


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_FOR_EACH_JOB", 2)


def test_every_request_has_its_row_and_progress_counts_rows(small_batches):
    requests = [request(f"int{bits}") for bits in (2, 3, 4, 5, 6)]
    calls: list[tuple[int, int]] = []
    rows = dict(measure_batches(requests, Workers(1, 60.0), PLAIN, lambda *call: calls.append(call[:2])))
    assert [rows[place].name for place in range(5)] == ["int2", "int3", "int4", "int5", "int6"]
    luts = [int(rows[place].figures["luts"] or 0) for place in range(5)]
    assert luts == sorted(luts) and luts[0]
    assert calls == sorted(calls) and calls[0] == (0, 5) and calls[-1] == (5, 5)


def test_one_that_cannot_be_made_leaves_the_others_alone(small_batches, monkeypatch: pytest.MonkeyPatch):
    requests = [request("int2"), request("int3", stages=1000), request("int4", rows=3), request("int5")]
    together: list[int] = []
    plain = batches.measure_kept

    def count(requests, *arguments):
        rows = plain(requests, *arguments)
        together.append(len(rows))
        return rows

    monkeypatch.setattr(batches, "measure_kept", count)
    rows = dict(measure_batches(requests, Workers(2, 60.0), PLAIN))
    assert [bool(rows[place].error) for place in range(4)] == [False, True, True, False]
    # Their jobs run at the same time.
    assert together == [2]
    assert rows[1].error == "stages must be in 0 … 64, not 1000"
    assert rows[1].request == requests[1].plain() and rows[1].command == requests[1].command()
    assert rows[3].figures["luts"]


def test_a_defect_and_a_lost_cluster_end_all(small_batches, monkeypatch: pytest.MonkeyPatch):
    for kind in (ClusterLostError, KeyError, KeyboardInterrupt):

        def broken(*arguments: object, kind: type[BaseException] = kind) -> list:
            raise kind("gone")

        monkeypatch.setattr(batches, "measure_kept", broken)
        with pytest.raises(kind):
            list(measure_batches([request("int2")] * 5, Workers(1, 60.0), PLAIN))

    def failing(*arguments: object) -> list:
        raise SynthesisError("no frame")

    monkeypatch.setattr(batches, "measure_kept", failing)
    rows = list(measure_batches([request("int2")] * 5, Workers(1, 60.0), PLAIN))
    assert [row.error for _, row in rows] == ["no frame"] * 5
