"""Number formats as data, in one place for those who use them: all names of the modules that make them up.

:mod:`.scalar` and :mod:`.block` say what a format is, :mod:`.families` builds formats from a few numbers,
:mod:`.catalogue` lists those with names, :mod:`.registry` finds them and takes in a user's, :mod:`.accumulation` says how
sums of products may be formed, :mod:`.accelerators` which formats and sums known accelerators have. None of them computes,
and none needs more than the standard library: hardware generation and the golden model share data, not an implementation.
"""

from ..checks import ParameterError, check_bool, check_choice, check_int, check_text, suggest
from .accelerators import PRESETS, Preset, preset
from .accumulation import STYLES, Accumulation, Aligned, Exact, Rounded, check_accumulation, style, style_name
from .binary import BinaryFormat
from .block import SCALE_RULES, BlockFormat
from .catalogue import BLOCK_FORMATS, FORMATS
from .codebook import CodebookFormat
from .derived import UnpackedFormat, exact_product, exact_sum, unpacked_product
from .families import fixed_point, ieee_float, product_format, sign_magnitude, sum_format
from .fixed import FixedFormat
from .floating import FloatFormat
from .policy import (
    FIXED_OVERFLOWS,
    FLOAT_OVERFLOWS,
    ROUNDINGS,
    STOCHASTIC,
    SUBNORMALS,
    Flag,
    RoundingMode,
    RoundingPolicy,
)
from .posit import PositFormat, posit
from .registry import (
    FAMILIES,
    FORMATS_VARIABLE,
    any_format,
    block_format,
    format,
    load_environment,
    load_formats,
    register,
)
from .scalar import Format, decimal_text

__all__ = [
    "BLOCK_FORMATS",
    "FAMILIES",
    "FIXED_OVERFLOWS",
    "FLOAT_OVERFLOWS",
    "FORMATS",
    "FORMATS_VARIABLE",
    "PRESETS",
    "ROUNDINGS",
    "SCALE_RULES",
    "STOCHASTIC",
    "STYLES",
    "SUBNORMALS",
    "Accumulation",
    "Aligned",
    "BinaryFormat",
    "BlockFormat",
    "CodebookFormat",
    "Exact",
    "FixedFormat",
    "Flag",
    "FloatFormat",
    "Format",
    "ParameterError",
    "PositFormat",
    "Preset",
    "Rounded",
    "RoundingMode",
    "RoundingPolicy",
    "UnpackedFormat",
    "any_format",
    "block_format",
    "check_accumulation",
    "check_bool",
    "check_choice",
    "check_int",
    "check_text",
    "decimal_text",
    "exact_product",
    "exact_sum",
    "fixed_point",
    "format",
    "ieee_float",
    "load_environment",
    "load_formats",
    "posit",
    "preset",
    "product_format",
    "register",
    "sign_magnitude",
    "style",
    "style_name",
    "suggest",
    "sum_format",
    "unpacked_product",
]
