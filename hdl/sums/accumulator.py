"""How products are added up: what a unit with an accumulator needs to know of formats and of arithmetic."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from amaranth.hdl import Module, Mux, Signal, Value

from ...golden.formats import Accumulation, BlockFormat, Format, ParameterError, fixed_point, style_name
from ..core.delays import ROUTE, balanced
from ..core.pipeline import Pipeline
from .options import Request

#: A field of an operand's bits: its name, the format of its elements, and how many it packs.
Field = tuple[str, Format, int]

MAX_LANES = 128
#: 2:4 sparsity: of so many elements of b along the inner dimension, a has so many.
GROUP, KEPT = 4, 2
#: Position of a kept element within its group.
_POSITION = fixed_point(2, signed=False)
#: The field of a that holds the rounding mode of a beat, where each has its own.
MODE = "rounding_mode"
#: The most bits of a fixed-point sum that nobody has to ask for.
MAX_EXACT_BITS = 256


@dataclass(frozen=True)
class Accumulator(ABC):
    """A running sum of products: its state as bits, and the step that adds one beat of ``lanes`` products.

    Of every style there is a subclass; :func:`polymac.hdl.accumulator` chooses it.

    Parameters
    ----------
    a, b : Format or BlockFormat
        Formats of the operands. A block format's beat brings the scale of its block.
    lanes : int
        Elements of the inner dimension in a beat.
    out : Format
        Format of the result.
    sparse : bool
        2:4 structured sparsity: a has only two of every four elements, and their positions.
    architecture : str
        How products are formed, one of :data:`product.ARCHITECTURES`.

    Examples
    --------
    >>> hdl.accumulator(a="int8", b="int8", acc="int20").exact_k
    31
    """

    #: Which of ``max_k``, ``force_wide``, ``rounding`` and ``flags`` have a meaning for it.
    takes: ClassVar[frozenset[str]] = frozenset()

    a: Format | BlockFormat
    b: Format | BlockFormat
    lanes: int
    out: Format
    sparse: bool
    architecture: str

    @classmethod
    def block_of(cls, accumulation: Accumulation | None) -> int:
        """Products that the accumulation adds at once: a beat has a multiple of them."""
        return 1

    @classmethod
    def keywords(cls, accumulation: Accumulation, out: str) -> dict[str, str | None]:
        """The options that ask for an accumulation with results in ``out``."""
        return {"acc": style_name(accumulation), "out": out}

    @classmethod
    @abstractmethod
    def make(cls, request: Request) -> Self:
        """Check what the user gave and fill in the rest.

        Raises
        ------
        ParameterError
            The request contradicts itself, or asks for what this accumulator does not do.
        """

    @property
    def state_bits(self) -> int:
        """Bits of the running sum."""
        return self.out.width

    @property
    def accumulator_bits(self) -> int:
        """Bits of the sum where it is widest, without what is told beside it."""
        return self.out.width if self.state_is_encoded else self.state_bits

    @property
    def initial_state(self) -> int:
        """The state that is the sum of nothing."""
        return 0

    @property
    def state_is_encoded(self) -> bool:
        """Whether the state is a code of ``out``, from which a sum can go on."""
        return True

    @property
    @abstractmethod
    def description(self) -> str:
        """What is rounded when, in a few words."""

    @property
    def exact_k(self) -> int | None:
        """The most products whose sum is exact and does not overflow, whatever they are; None where that is not so."""
        return None

    @property
    def formula(self) -> str:
        """The products of a beat."""
        return "a * b" if self.products == 1 else f"the sum of {self.products} products a * b"

    def check_addend(self, addend: bool) -> None:
        """Raise a ParameterError if there cannot be an addend where one is wanted."""
        if addend and not self.state_is_encoded:
            raise ParameterError(
                f"addend must be False for acc=exact, whose sums are not codes of {self.out}: "
                f"rounded:{self.out}:rne:{self.products} adds one exactly before it rounds"
            )

    @property
    @abstractmethod
    def style(self) -> Accumulation | None:
        """The golden style of accumulation; None: integers."""

    @property
    @abstractmethod
    def _options(self) -> dict[str, Any]:
        """The style's own among the parameters."""

    @property
    def parameters(self) -> dict[str, Any]:
        """As in a unit's metadata."""
        acc = self.out.name if self.style is None else style_name(self.style)
        common = {"lanes": self.lanes, "sparse": self.sparse, "architecture": self.architecture}
        return {"a": self.a.name, "b": self.b.name, "acc": acc} | self._options | common

    @property
    @abstractmethod
    def feed_delays(self) -> tuple[float, ...]:
        """Estimated delays of the steps from a beat to what is added to the state."""

    @property
    @abstractmethod
    def add_delays(self) -> tuple[float, ...]:
        """Estimated delays of the steps of that addition."""

    @property
    def result_delays(self) -> tuple[float, ...]:
        """Estimated delays of the steps of :meth:`result`."""
        return ()

    @abstractmethod
    def _add(
        self, m: Module, platform: object, pipeline: Pipeline, beat: Beat, state: Value, registers: tuple[int, ...]
    ) -> Value:
        """The next state, so many cycles after ``state`` as there are registers behind the steps of the addition.

        The pipeline's registers from place 1 on lie behind the steps of :attr:`feed_delays`.
        """

    def result(
        self, m: Module, platform: object, state: Value, registers: tuple[int, ...] = (), enable: Signal | None = None
    ) -> Value:
        """The code of ``out`` that a state stands for, with so many registers behind the steps of that."""
        return state

    def feed(self, stages: int) -> tuple[int, ...]:
        """Where ``stages`` registers go between a beat and its addition: behind the operands, then behind each step."""
        return balanced((ROUTE, *self.feed_delays, self.add_delays[0]), stages)

    def step(
        self,
        m: Module,
        platform: object,
        pipeline: Pipeline,
        a: Value,
        b: Value,
        state: Value,
        registers: tuple[int, ...] = (),
    ) -> Value:
        """The state after one more beat: ``a`` and ``b`` as :attr:`a_fields` and :attr:`b_fields` pack them.

        The pipeline's registers, at the places of :meth:`feed`, delay the operands only: ``state`` is wanted that much
        later. ``registers`` behind the steps of the addition delay the result further.
        """
        left, right = Signal(self.a_bits, name="a_beat"), Signal(self.b_bits, name="b_beat")
        m.d.comb += [left.eq(a), right.eq(b)]
        left, right = pipeline.cut(0, left, right, reset=False)
        return self._add(m, platform, pipeline, self._beat(m, left, right), state, registers)

    @property
    def products(self) -> int:
        """Products of a beat."""
        return products_of(self.lanes, self.sparse)

    @property
    def a_element(self) -> Format:
        """Format of the elements of a."""
        return self.a.element if isinstance(self.a, BlockFormat) else self.a

    @property
    def b_element(self) -> Format:
        """Format of the elements of b."""
        return self.b.element if isinstance(self.b, BlockFormat) else self.b

    @property
    def a_fields(self) -> tuple[Field, ...]:
        """What one beat of a holds, the first field in the least significant bits."""
        positions = (("position", _POSITION, self.products),) if self.sparse else ()
        return (("data", self.a_element, self.products), *positions, *_scale(self.a))

    @property
    def b_fields(self) -> tuple[Field, ...]:
        """What one beat of b holds."""
        return (("data", self.b_element, self.lanes), *_scale(self.b))

    @property
    def a_bits(self) -> int:
        """Bits of one beat of a."""
        return sum(fmt.width * count for _, fmt, count in self.a_fields)

    @property
    def b_bits(self) -> int:
        """Bits of one beat of b."""
        return sum(fmt.width * count for _, fmt, count in self.b_fields)

    def _beat(self, m: Module, a: Value, b: Value) -> Beat:
        left, right = _split(a, self.a_fields), _split(b, self.b_fields)
        others = right["data"]
        if self.sparse:
            others = []
            for index, position in enumerate(left["position"]):
                group = index // KEPT * GROUP
                met = Signal(self.b_element.width, name=f"b_kept_{index}")
                m.d.comb += met.eq(_selected(right["data"][group : group + GROUP], position))
                others.append(met)
        scales = {name: parts["scale"][0] for name, parts in (("a", left), ("b", right)) if "scale" in parts}
        return Beat(list(zip(left["data"], others, strict=True)), scales, left[MODE][0] if MODE in left else None)


@dataclass(frozen=True)
class Beat:
    """The operands of one step: pairs of codes to be multiplied, the codes of the blocks' scales by operand, and the
    rounding mode, where each step has its own."""

    pairs: list[tuple[Value, Value]]
    scales: Mapping[str, Value]
    mode: Value | None = None


def _selected(values: list[Value], index: Value) -> Value:
    """The value of that number, by halves."""
    for bit in index:
        values = [Mux(bit, values[i + 1], values[i]) for i in range(0, len(values), 2)]
    return values[0]


def _scale(fmt: Format | BlockFormat) -> tuple[Field, ...]:
    return (("scale", fmt.scale, 1),) if isinstance(fmt, BlockFormat) else ()


def _split(bits: Value, fields: tuple[Field, ...]) -> dict[str, list[Value]]:
    found, start = {}, 0
    for name, fmt, count in fields:
        found[name] = [bits[start + i * fmt.width : start + (i + 1) * fmt.width] for i in range(count)]
        start += fmt.width * count
    return found


def products_of(lanes: int, sparse: bool) -> int:
    """Products of a beat of so many lanes."""
    return lanes * KEPT // GROUP if sparse else lanes


def check_nan(argument: str, out: Format, a: Format | BlockFormat, b: Format | BlockFormat) -> None:
    """Raise a ParameterError where a sum may be NaN, and the format of the sum has none."""
    formats = [
        part for fmt in (a, b) for part in ((fmt.element, fmt.scale) if isinstance(fmt, BlockFormat) else (fmt,))
    ]
    if not out.has_nan and any(fmt.has_specials for fmt in formats):
        raise ParameterError(
            f"{argument} must be a format with NaN where a or b has one, not {out} with a={a} and b={b}"
        )


def check_lanes(a: Format | BlockFormat, b: Format | BlockFormat, lanes: int, sparse: bool) -> None:
    """Raise a ParameterError unless a beat of so many lanes has a meaning for these operands."""
    if sparse and lanes % GROUP:
        raise ParameterError(f"lanes must be a multiple of {GROUP} for sparse operands, not {lanes}")
    for argument, fmt in (("a", a), ("b", b)):
        if isinstance(fmt, BlockFormat) and fmt.block_size % lanes:
            raise ParameterError(f"lanes must divide the block size of {argument}={fmt}, {fmt.block_size}, not {lanes}")
