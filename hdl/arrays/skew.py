"""Delays: of a vector's elements by different numbers of cycles, of a word, and of a pulse on its way past rows."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from ...golden.formats import check_int
from ..core.hierarchy import instantiate
from ..core.step import step
from ..core.unit import PortSpec, Unit

#: A longer delay, or a vector of more elements, is built of two halves, so that the size of the description grows with
#: the logarithm of the depth; shorter ones are written out, which reads better.
DIRECT_DEPTH = 16
#: Amaranth makes no register of more bits, and no module with more bits of inputs.
MOST_BITS = (1 << 16) - 1


class Delay(Unit):
    """o = i, ``depth`` enabled cycles later.

    Parameters
    ----------
    width : int
        Bits.
    depth : int
        Cycles, at least 1.

    Members
    -------
    i, o : In, Out(width)
    en : In(1)
        While 0, nothing moves.
    """

    kind = "delay"
    formula = "o = i, depth cycles later"

    def __init__(self, *, width: int, depth: int) -> None:
        self.width = check_int("width", width, 1)
        self.depth = check_int("depth", depth, 1)
        super().__init__(
            {"i": PortSpec(In(width), "data"), "o": PortSpec(Out(width), "data"), "en": PortSpec(In(1), "enable")},
            parameters={"width": width, "depth": depth},
            latency=depth,
            clocked=True,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.depth > DIRECT_DEPTH or (self.depth > 1 and self.depth * self.width > MOST_BITS):
            step(m, "Two lines, one behind the other")
            half = self.depth // 2
            between = Signal(self.width)
            for name, depth, i, o in (("early", half, self.i, between), ("late", self.depth - half, between, self.o)):
                instantiate(m, platform, name, Delay(width=self.width, depth=depth), i=i, o=o, en=self.en)
            return m
        step(m, "One register holds the whole line, the newest word in its least significant bits")
        line = Signal(self.depth * self.width, reset_less=True)
        with m.If(self.en):
            m.d.sync += line.eq(Cat(self.i, line))
        m.d.comb += self.o.eq(line[-self.width :])
        return m


class Skew(Unit):
    """Delays element i of a vector by i enabled cycles, or with ``reverse`` by count - 1 - i.

    Parameters
    ----------
    width : int
        Bits of an element.
    count : int
        Elements.
    reverse : bool
        Which end waits.

    Members
    -------
    i, o : In, Out(width * count)
        The vector; element 0 in the least significant bits.
    en : In(1)
        While 0, nothing moves.
    """

    kind = "skew"
    formula = "o[element] = i[element], element cycles later (reverse: count - 1 - element cycles)"

    def __init__(self, *, width: int, count: int, reverse: bool) -> None:
        self.width = check_int("width", width, 1)
        self.count = check_int("count", count, 1)
        self.reverse = reverse
        super().__init__(
            {
                "i": PortSpec(In(width * count), "data", elements=count),
                "o": PortSpec(Out(width * count), "data", elements=count),
                "en": PortSpec(In(1), "enable"),
            },
            parameters={"width": width, "count": count, "reverse": reverse},
            latency=0,
            clocked=count > 1,
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.count > DIRECT_DEPTH or (self.count > 2 and (self.count - 1) * self.width > MOST_BITS):
            self._halves(m, platform)
            return m
        step(m, "Each element's line is one register, the newest word in its least significant bits")
        for element in range(self.count):
            depth = self.count - 1 - element if self.reverse else element
            here = slice(element * self.width, (element + 1) * self.width)
            if depth == 0:
                m.d.comb += self.o[here].eq(self.i[here])
                continue
            line = Signal(depth * self.width, name=f"line_{element}", reset_less=True)
            with m.If(self.en):
                m.d.sync += line.eq(Cat(self.i[here], line))
            m.d.comb += self.o[here].eq(line[-self.width :])
        return m

    def _halves(self, m: Module, platform: object) -> None:
        """Each half skewed in itself, and the half that waits delayed by the length of the other."""
        step(m, "Each half skewed in itself, and the half that waits delayed by the length of the other")
        low = self.count // 2
        for name, start, count in (("low", 0, low), ("high", low, self.count - low)):
            here = slice(start * self.width, (start + count) * self.width)
            source = Signal(count * self.width, name=f"{name}_in")
            if (name == "low") == self.reverse:
                waiting = Delay(width=count * self.width, depth=self.count - count)
                instantiate(m, platform, f"wait_{name}", waiting, i=self.i[here], o=source, en=self.en)
            else:
                m.d.comb += source.eq(self.i[here])
            half = Skew(width=self.width, count=count, reverse=self.reverse)
            instantiate(m, platform, name, half, i=source, o=self.o[here], en=self.en)


def skewed(m: Module, platform: object, name: str, vector: Value, skew: Skew, enable: Signal) -> Value:
    """The vector behind a skew; one element alone waits for nobody."""
    if skew.count == 1:
        return vector
    result = Signal(len(vector), name=f"{name}_skewed")
    instantiate(m, platform, f"skew_{name}", skew, i=vector, o=result, en=enable)
    return result


def delayed(m: Module, platform: object, name: str, word: Value, cycles: int, enable: Signal) -> Value:
    """The word as it was that many enabled cycles ago; what it was before a reset does not matter."""
    if cycles == 0:
        return word
    result = Signal(len(word), name=f"{name}_delayed")
    instantiate(m, platform, f"delay_{name}", Delay(width=len(word), depth=cycles), i=word, o=result, en=enable)
    return result


def wave(m: Module, name: str, pulse: Value, count: int, enable: Signal, *, upward: bool = False) -> Signal:
    """A bit that passes ``count`` rows: for row 0 as it is now, for each further one an enabled cycle later.

    With ``upward`` rows are counted from where it arrives last. A reset clears it.
    """
    passed = Signal(count, name=name)
    line = Signal(max(count - 1, 0), name=f"{name}_line")
    m.d.comb += passed.eq(Cat(line, pulse) if upward else Cat(pulse, line))
    with m.If(enable):
        m.d.sync += line.eq(passed[1:] if upward else passed[:-1])
    return passed
