"""Known accelerators' inner products, as data: formats, style of accumulation, and where that is published."""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import ParameterError, suggest
from .accumulation import Accumulation, Aligned, Exact, Rounded

_FASI = "Fasi, Higham, Mikaitis, Pranesh, PeerJ CS 7:e330 (2021)"
_KHATTAK = "Khattak and Mikaitis, arXiv 2512.07004"
_A100 = "NVIDIA A100 white paper (2020)"
_PTX = "PTX ISA 9, mma: s32 accumulators, wrapped where .satfinite is not specified"
_BRAINWAVE = (
    "Fowers et al., Brainwave, ISCA 2018: one exponent per box of 128; the fp16 result rounded once is a choice"
)


@dataclass(frozen=True)
class Preset:
    """The inner product of one unit of one accelerator.

    ``golden.dot(x, y, preset.a, preset.b, c, acc=preset.acc, out=preset.out)`` computes it for scalar
    formats, :func:`.block.block_gemm` for block formats.

    Parameters
    ----------
    name : str
        The name by which :func:`preset` finds it.
    a, b, out : str
        Formats of the operands, and of c and the result.
    acc : Accumulation
        How the terms are added.
    lanes : int
        Inner dimension of the unit: the products that it adds at once. Integers: K of PTX's least mma shape, m8n8k16
        for 8 bits, k32 for 4 and k128 for 1; it changes no sum that wraps.
    source : str
        Where this is published, and what is a choice.

    Examples
    --------
    >>> golden.PRESETS["v100_fp16"].lanes
    4
    """

    name: str
    a: str
    b: str
    out: str
    acc: Accumulation
    lanes: int
    source: str


def _float(name: str, fmt: str, block: int, frac_bits: int, out_frac_bits: int, source: str) -> Preset:
    return Preset(name, fmt, fmt, "fp32", Aligned(block, frac_bits, out_frac_bits), block, source)


def _integer(name: str, fmt: str, lanes: int, source: str) -> Preset:
    return Preset(name, fmt, fmt, "int32", Exact(overflow="wrap"), lanes, source)


#: The catalogue, by name.
PRESETS: dict[str, Preset] = {
    item.name: item
    for item in (
        _float("v100_fp16", "fp16", 4, 23, 23, _FASI),
        _float("a100_fp16", "fp16", 8, 24, 23, _FASI),
        _float("a100_bf16", "bf16", 8, 24, 23, _FASI),
        _float("a100_tf32", "tf32", 4, 24, 23, _FASI),
        _integer("a100_int8", "int8", 16, f"{_A100}; {_PTX}"),
        _integer("a100_int4", "int4", 32, f"{_A100}; {_PTX}"),
        _integer("a100_bin1", "bin1", 128, f"{_A100}: ±1 from xor.popc as K - 2 · popcount(a xor b); {_PTX}"),
        Preset(
            "a100_fp64",
            "fp64",
            "fp64",
            "fp64",
            Rounded("fp64"),
            1,
            f"PTX ISA 9, mma .f64: products and additions as fused multiply-adds, to nearest even; {_FASI}: normalised "
            "after every addition; the order of k is a choice",
        ),
        _float("h100_fp16", "fp16", 16, 25, 23, _KHATTAK),
        _float("h100_bf16", "bf16", 16, 25, 23, _KHATTAK),
        _float("h100_e4m3", "fp8_e4m3", 32, 13, 13, _KHATTAK),
        _float("h100_e5m2", "fp8_e5m2", 32, 13, 13, _KHATTAK),
        Preset(
            "tpu_bf16",
            "bf16",
            "bf16",
            "fp32",
            Rounded("fp32"),
            1,
            "Norrie et al., IEEE Micro 41(2), 2021, and Hot Chips 32 (2020): bfloat16 multiply, float32 accumulation; "
            "k order and rounding to nearest are a choice",
        ),
        Preset("brainwave_msfp8", "bfp5m2", "bfp5m2", "fp16", Exact(), 128, _BRAINWAVE),
        Preset("brainwave_msfp9", "bfp5m3", "bfp5m3", "fp16", Exact(), 128, _BRAINWAVE),
    )
}


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises
    ------
    TypeError
        ``name`` is not a string.
    ParameterError
        There is no such preset; the message suggests the nearest names.

    Examples
    --------
    >>> golden.preset("h100_e4m3").acc
    Aligned(block=32, frac_bits=13, out_frac_bits=13)
    """
    if not isinstance(name, str):
        raise TypeError(f"preset must be a name, not {name!r}")
    if name in PRESETS:
        return PRESETS[name]
    raise ParameterError(f"preset must be one of {', '.join(PRESETS)}, not {name!r}{suggest(name, PRESETS)}")
