"""What the processing elements of an array add up: the one golden function behind both dataflows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ..codec.block import decode_blocks
from ..codec.codes import Integers, as_codes, check_integral, code_dtype, to_int, wrapped
from ..codec.scalar import encode
from ..formats import FIXED_OVERFLOWS, FORMATS, Format, ParameterError, any_format, check_choice, check_int
from ..formats.accumulation import Accumulation, Exact, check_accumulation
from ..formats.block import BlockFormat
from ..sums.gemm import check_accumulator, gemm

_FP64 = FORMATS["fp64"]


@dataclass(frozen=True)
class Operand:
    """A matrix of codes and, in a block format, of the scales of its blocks along the inner dimension."""

    codes: Integers
    scales: Integers | None = None

    def map(self, change: Callable[[Integers], Integers]) -> Operand:
        """The same change of codes and of scales."""
        return Operand(change(self.codes), None if self.scales is None else change(self.scales))


@dataclass(frozen=True)
class ArrayArithmetic:
    """Formats of operands and results, products per beat, and how they are added.

    Parameters
    ----------
    a, b : Format or BlockFormat
        Formats of the operands. In a block format every beat brings a scale, so that a block is the part of one beat
        that shares it; the array does not apply the tensor's scale.
    lanes : int
        Products per processing element and beat.
    out : Format
        Format of the results.
    accumulation : Exact, Rounded, Aligned or None
        Style of accumulation; None: integers.
    overflow : str
        Integers: "wrap" or "saturate", in every beat.
    """

    a: Format | BlockFormat
    b: Format | BlockFormat
    lanes: int
    out: Format
    accumulation: Accumulation | None
    overflow: str

    @classmethod
    def make(
        cls,
        a: str | Format | BlockFormat,
        b: str | Format | BlockFormat,
        lanes: int,
        acc: str | Format | Accumulation | None,
        out: str | Format | None,
        overflow: str,
    ) -> ArrayArithmetic:
        """Check what the user gave: ``acc`` with ``overflow`` for integers, with ``out`` for an accumulation.

        Raises
        ------
        TypeError, ParameterError
            A parameter is of a wrong type, or has no meaning with the others.
        """
        fa, fb = any_format(a), any_format(b)
        check_int("lanes", lanes, 1)
        check_choice("overflow", overflow, FIXED_OVERFLOWS)
        if not isinstance(acc, Accumulation):
            if out is not None:
                raise ParameterError(f"out must be None without an accumulation, not {out}")
            if isinstance(fa, BlockFormat) or isinstance(fb, BlockFormat):
                raise ParameterError(
                    f"acc must be an accumulation for {fa} and {fb}, not {acc}: a block format is no integer"
                )
            fa, fb = check_integral("a", fa), check_integral("b", fb)
            if acc is None:
                raise ParameterError("acc must be given, not None")
            return cls(fa, fb, lanes, check_accumulator(acc, fa, fb), None, overflow)
        accumulation, result = check_accumulation(acc, out)
        return cls(fa, fb, lanes, result, accumulation, overflow)

    @property
    def takes_partial_sums(self) -> bool:
        """Whether the running sum is a code of ``out`` between beats, so that a sum can resume from one."""
        return not isinstance(self.accumulation, Exact)

    def element(self, fmt: Format | BlockFormat) -> Format:
        """Format of the elements of an operand."""
        return fmt.element if isinstance(fmt, BlockFormat) else fmt

    def scales(self, fmt: Format | BlockFormat) -> int:
        """Scales that an operand has in each beat: one for every block in it."""
        return -(-self.lanes // fmt.block_size) if isinstance(fmt, BlockFormat) else 0

    def beats(
        self,
        argument: str,
        codes: ArrayLike,
        scales: ArrayLike | None,
        fmt: Format | BlockFormat,
        shape: tuple[int, int],
    ) -> Operand:
        """Checked beats of an operand: codes (*shape, lanes), scales (*shape, scales per beat).

        Raises
        ------
        TypeError
            They are not integers.
        ParameterError
            They are of another shape, out of range, or have no scales where the format has.
        """
        data = self._checked(f"{argument}_data", codes, self.element(fmt), (*shape, self.lanes))
        if not isinstance(fmt, BlockFormat):
            if scales is not None:
                raise ParameterError(f"{argument}_scale must be None for {fmt}, which has no scales, not given")
            return Operand(data)
        if scales is None:
            raise ParameterError(f"{argument}_scale must be given for the block format {fmt}, not None")
        return Operand(data, self._checked(f"{argument}_scale", scales, fmt.scale, (*shape, self.scales(fmt))))

    def partial_sums(self, codes: ArrayLike, shape: tuple[int, int]) -> Integers:
        """Checked partial sums: codes of ``out``."""
        return self._checked("p_data", codes, self.out, shape)

    @staticmethod
    def _checked(argument: str, values: ArrayLike, fmt: Format, shape: tuple[int, ...]) -> Integers:
        codes = as_codes(argument, values, fmt)
        if codes.shape != shape:
            raise ParameterError(f"{argument} must be of shape {shape}, not {codes.shape}")
        return codes

    def product(self, a: Operand, b: Operand, c: Integers | None = None) -> Integers:
        """(c +) a · b, beat by beat of ``lanes`` products in k order: codes (M, N) of ``out``.

        Parameters
        ----------
        a, b : Operand
            (M, K) and (K, N), K a multiple of ``lanes``; scales (M, blocks) and (blocks, N).
        c : ndarray of int, optional
            Codes (M, N) of ``out`` that the sums start from; default: the empty sum.
        """
        if self.accumulation is None:
            return self._integers(a.codes, b.codes, c)
        (x, fa), (y, fb) = self._scalars(a, self.a, 1), self._scalars(b, self.b, 0)
        return gemm(x, y, fa, fb, c, acc=self.accumulation, out=self.out)

    def _integers(self, a: Integers, b: Integers, c: Integers | None) -> Integers:
        fa, fb = self.element(self.a), self.element(self.b)
        if c is None:
            return gemm(a, b, fa, fb, acc=self.out, overflow=self.overflow, lanes=self.lanes)
        x, y, total = to_int(a, fa), to_int(b, fb), to_int(c, self.out).astype(object)
        for start in range(0, x.shape[1], self.lanes):
            beat = slice(start, start + self.lanes)
            total = total + x[:, beat] @ y[beat]
            if self.overflow == "saturate":
                total = np.clip(total, self.out.min_int, self.out.max_int)
        return wrapped(total, self.out).astype(code_dtype(self.out))

    def _scalars(self, operand: Operand, fmt: Format | BlockFormat, axis: int) -> tuple[Integers, Format]:
        """Codes of a scalar format: fp64, which holds every value of a block format, where that is none."""
        if not isinstance(fmt, BlockFormat):
            return operand.codes, fmt
        assert operand.scales is not None
        blocks = replace(fmt, block_size=self.lanes // self.scales(fmt), tensor_scale=None)
        return encode(decode_blocks((operand.scales, operand.codes), blocks, axis=axis), _FP64), _FP64
