"""Inner and matrix products of block formats: X_A · X_B · Σ p·q, over all blocks."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from ..codec.block import check_parts, decode_blocks
from ..codec.codes import Integers
from ..codec.scalar import encode
from ..formats import FORMATS, Format, ParameterError
from ..formats.accumulation import Accumulation, Aligned, Exact, Rounded
from ..formats.block import BlockFormat
from ..formats.families import ieee_float
from ..formats.registry import block_format
from .dot import dot
from .gemm import gemm

_FP64 = FORMATS["fp64"]
_EXACT = Exact()
#: Exponent bits of the floats that stand for elements times powers of two: products of two are within float64's range.
_EXP_BITS = 9


def block_gemm(
    a: Sequence[ArrayLike],
    b: Sequence[ArrayLike],
    fa: str | BlockFormat,
    fb: str | BlockFormat,
    c: ArrayLike | None = None,
    *,
    acc: Accumulation = _EXACT,
    out: str | Format | None = None,
) -> Integers:
    """C = c + a @ b of block formats, each element times its block's scale and the tensor's.

    Within a block the scales are common factors: X_A · X_B · Σ p·q, with one addition of exponents where they are
    powers of two and integer products where the elements are integers (MSFP, Brainwave). All of that is exact, so that
    only the style says where anything is rounded: :class:`.accumulation.Exact` once, at the end (the OCP MX standard
    leaves this open: a choice); :class:`.accumulation.Rounded` after every ``acc.block`` products: whole blocks, as
    after each one with ``Rounded("fp32", block=32)`` for MX, or parts that divide a block, as hardware with fewer lanes
    rounds.

    Parameters
    ----------
    a, b : sequence of arrays
        Scales and elements (and the tensor's scale where the format has one), as :func:`.codec.block.encode_blocks`
        gives them for shapes (M, K) with ``axis=1`` and (K, N) with ``axis=0``.
    fa, fb : str or BlockFormat
        Their formats.
    c, acc, out
        As in :func:`.gemm.gemm`.

    Raises
    ------
    TypeError, ParameterError
        A format is no block format, an operand has not the parts that its format asks for, the style is Aligned or
        rounds after what neither is whole blocks nor divides one, or what :func:`.codec.block.decode_blocks` and
        :func:`.gemm.gemm` raise.

    Examples
    --------
    >>> a = golden.encode_blocks(np.ones((2, 32)), "mxfp4", axis=1)
    >>> b = golden.encode_blocks(np.ones((32, 3)), "mxfp4", axis=0)
    >>> golden.decode(golden.block_gemm(a, b, "mxfp4", "mxfp4"), "fp32")
    array([[32., 32., 32.],
           [32., 32., 32.]])
    """
    (x, own_a), (y, own_b) = _operands(a, b, fa, fb, acc, (1, 0))
    return gemm(x, y, own_a, own_b, c, acc=acc, out=out)


def block_dot(
    a: Sequence[ArrayLike],
    b: Sequence[ArrayLike],
    fa: str | BlockFormat,
    fb: str | BlockFormat,
    c: ArrayLike | None = None,
    *,
    acc: Accumulation = _EXACT,
    out: str | Format | None = None,
) -> Integers:
    """d = c + Σ_k a[…, k] · b[…, k] of block formats, as :func:`block_gemm` forms it; blocks run along the last axis.

    Examples
    --------
    >>> blocks = golden.encode_blocks(np.full(32, 0.5), "mxfp4")
    >>> golden.decode(golden.block_dot(blocks, blocks, "mxfp4", "mxfp4"), "fp32").item()
    8.0
    """
    (x, own_a), (y, own_b) = _operands(a, b, fa, fb, acc, (-1, -1))
    return dot(x, y, own_a, own_b, c, acc=acc, out=out)


def _operands(
    a: Sequence[ArrayLike],
    b: Sequence[ArrayLike],
    fa: str | BlockFormat,
    fb: str | BlockFormat,
    accumulation: object,
    axes: tuple[int, int],
) -> list[tuple[Integers, Format]]:
    """The operands as codes of a float that holds every value of the block format exactly, and that float."""
    formats = block_format(fa), block_format(fb)
    if isinstance(accumulation, Aligned):
        raise ParameterError(f"acc must be Exact or Rounded for block formats, not {accumulation}")
    if isinstance(accumulation, Rounded):
        for fmt in formats:
            if accumulation.block % fmt.block_size and fmt.block_size % accumulation.block:
                raise ParameterError(
                    f"acc must round after whole blocks of {fmt.block_size} products for {fmt}, or a part that "
                    f"divides one, not after {accumulation.block}"
                )
    operands = []
    for argument, parts, fmt, axis in zip("ab", (a, b), formats, axes, strict=True):
        own = _holding(fmt)
        operands.append((encode(decode_blocks(check_parts(argument, parts, fmt), fmt, axis=axis), own), own))
    return operands


def _holding(fmt: BlockFormat) -> Format:
    """fp64; or where scales are powers of two a float of no more significand bits than the elements have, as shorter
    products are summed sooner (:func:`.float64_chain.rounds_as_float64`)."""
    frac_bits = max(fmt.element.max_significand.bit_length() - 1, 1)
    own = ieee_float(_EXP_BITS, frac_bits)
    least = fmt.element.lsb_exponent + fmt.scale.min_exponent
    greatest = fmt.element.max_exponent + fmt.scale.max_exponent
    fits = fmt.power_of_two and own.lsb_exponent <= least and greatest <= own.max_exponent
    return own if fits else _FP64
