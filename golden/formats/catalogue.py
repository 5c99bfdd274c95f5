"""The catalogue: every format with a name of its own. A new format is one new entry here."""

from __future__ import annotations

from .binary import BinaryFormat
from .block import BlockFormat
from .codebook import nf4
from .families import fixed_point, ieee_float, p3109, sign_magnitude
from .floating import FloatFormat
from .posit import posit
from .scalar import Format

_OFP8 = "OCP 8-bit Floating Point (OFP8) 1.0"
_MX = "OCP Microscaling Formats (MX) 1.0"
_FNUZ = "Noune et al., 8-bit Numerical Formats for Deep Neural Networks (2022)"
_BRAINWAVE = "Brainwave (ISCA 2018): fp16 with a trimmed fraction; the scalar reading is a choice"
_BRAINWAVE_BOX = "Brainwave (ISCA 2018): 5-bit exponent per 128 elements; its bias of 15 is a choice"
_MSFP = "Pushing the Limits of Narrow Precision Inferencing (NeurIPS 2020)"


def _shared_exponent(bits: int, bias: int, source: str) -> Format:
    return FloatFormat(f"exp{bits}", "float", bits, signed=False, bias=bias, subnormals=False, source=source)


def _float(name: str, width: int, frac_bits: int, bias: int, source: str, nan_codes: range = range(0)) -> Format:
    return FloatFormat(name, "float", width, frac_bits, bias=bias, nan_codes=nan_codes, source=source)


def _fnuz(name: str, frac_bits: int, bias: int) -> Format:
    return FloatFormat(name, "float", 8, frac_bits, bias=bias, negative_zero="nan", source=_FNUZ)


def _scalars() -> dict[str, Format]:
    formats = [
        ieee_float(11, 52, "fp64", "IEEE 754 binary64"),
        ieee_float(8, 23, "fp32", "IEEE 754 binary32"),
        ieee_float(8, 10, "tf32", "NVIDIA A100 white paper: 19 bits"),
        ieee_float(5, 10, "fp16", "IEEE 754 binary16"),
        ieee_float(8, 7, "bf16", "fp32 cut to 16 bits"),
        ieee_float(5, 2, "fp8_e5m2", _OFP8),
        _float("fp8_e4m3", 8, 3, 7, _OFP8, nan_codes=range(0x7F, 0x80)),
        _fnuz("fp8_e5m2fnuz", 2, 16),
        _fnuz("fp8_e4m3fnuz", 3, 8),
        _float("fp6_e3m2", 6, 2, 3, _MX),
        _float("fp6_e2m3", 6, 3, 1, _MX),
        _float("fp4_e2m1", 4, 1, 1, _MX),
        FloatFormat(
            "e8m0", "float", 8, 0, signed=False, bias=127, subnormals=False, nan_codes=range(0xFF, 0x100), source=_MX
        ),
        _shared_exponent(8, 127, f"the shared exponent of {_MSFP}"),
        _shared_exponent(5, 15, f"the shared exponent of {_BRAINWAVE_BOX}"),
        ieee_float(5, 2, "msfp8", _BRAINWAVE),
        ieee_float(5, 3, "msfp9", _BRAINWAVE),
        *(
            fixed_point(bits, signed=signed, source="two's complement" if signed else "binary integer")
            for signed in (True, False)
            for bits in (4, 8, 16, 32)
        ),
        *(
            p3109(precision, signed, extended)
            for precision in range(1, 8)
            for signed in (True, False)
            for extended in (True, False)
        ),
        *(posit(width) for width in (8, 16, 32)),
        nf4(),
        BinaryFormat("bin1", "binary", 1, source="XNOR networks: codes 0 and 1 are -1 and +1"),
    ]
    return {item.name: item for item in formats}


#: Every named scalar format. The parametric ones (intN, uintN, qM.N, uqM.N, eXmY, positN, positN_ES) are found by name too.
FORMATS: dict[str, Format] = _scalars()


def _blocks() -> dict[str, BlockFormat]:
    e8m0, exp8, exp5 = (FORMATS[name] for name in ("e8m0", "exp8", "exp5"))
    mx_elements = {
        "mxfp8_e4m3": FORMATS["fp8_e4m3"],
        "mxfp8_e5m2": FORMATS["fp8_e5m2"],
        "mxfp6_e3m2": FORMATS["fp6_e3m2"],
        "mxfp6_e2m3": FORMATS["fp6_e2m3"],
        "mxfp4": FORMATS["fp4_e2m1"],
        "mxint8": fixed_point(8, 6),
    }
    formats = [
        *(
            BlockFormat(name, element, e8m0, 32, symmetric=element.twos_complement, source=_MX)
            for name, element in mx_elements.items()
        ),
        BlockFormat(
            "nvfp4",
            FORMATS["fp4_e2m1"],
            FORMATS["fp8_e4m3"],
            16,
            tensor_scale=FORMATS["fp32"],
            scale_rule="amax",
            source="NVIDIA Blackwell, Transformer Engine",
        ),
        # Ties away from zero are ONNX Runtime's half up of the magnitude.
        *(
            BlockFormat(
                f"msfp{bits}", sign_magnitude(bits - 9), exp8, 16, rounding="rna", zero_scale=True, source=_MSFP
            )
            for bits in range(11, 17)
        ),
        *(
            BlockFormat(
                f"bfp5m{bits}",
                sign_magnitude(bits),
                exp5,
                128,
                rounding="rna",
                zero_scale=True,
                source=_BRAINWAVE_BOX,
            )
            for bits in range(2, 6)
        ),
    ]
    return {item.name: item for item in formats}


#: Every named block format.
BLOCK_FORMATS: dict[str, BlockFormat] = _blocks()
