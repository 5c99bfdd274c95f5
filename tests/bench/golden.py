"""Speed of the golden model's arithmetic and encoding beside other libraries: `python tests/bench/golden.py`.

One process on one core. Ours and the peer's call alternate in one run, and each ratio is of two calls next to each
other, so that what else the machine does weighs on both alike: printed are the median of the ratios and their
quartiles. Inputs and results are NumPy arrays of codes for all but apytypes, whose arrays are made beforehand and whose
results stay its own. gfloat has no arithmetic: its product is float64's, rounded and encoded. Where Numba is installed it
compiles some of our loops; POLYMAC_NUMBA=0 shows NumPy's speed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import sys
import time
from collections.abc import Callable
from types import ModuleType

import ml_dtypes
import numpy as np
from history import History, add_option

from polymac import golden
from polymac.golden.arithmetic.operations import add, fma, multiply

HISTORY = History("golden")
COUNT = 1 << 21
ROUNDS = 9
#: Ours; numpy's or ml_dtypes' type; gfloat's name.
FORMATS = {
    "fp8_e4m3": (ml_dtypes.float8_e4m3fn, "ocp_e4m3"),
    "fp8_e5m2": (ml_dtypes.float8_e5m2, "ocp_e5m2"),
    "fp6_e3m2": (ml_dtypes.float6_e3m2fn, "ocp_e3m2"),
    "fp6_e2m3": (ml_dtypes.float6_e2m3fn, "ocp_e2m3"),
    "fp4_e2m1": (ml_dtypes.float4_e2m1fn, "ocp_e2m1"),
    "bf16": (ml_dtypes.bfloat16, "bfloat16"),
    "fp16": (np.float16, "binary16"),
}

#: Our block formats, and gfloat's name of their elements.
BLOCK_ELEMENTS = {
    "mxfp8_e4m3": "ocp_e4m3",
    "mxfp8_e5m2": "ocp_e5m2",
    "mxfp6_e3m2": "ocp_e3m2",
    "mxfp6_e2m3": "ocp_e2m3",
    "mxfp4": "ocp_e2m1",
    "mxint8": "ocp_int8",
}


def optional(name: str) -> ModuleType | None:
    """A module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def seconds(call: Callable[[], object]) -> float:
    """The time of one call: the processor's, which other processes disturb least."""
    started = time.process_time()
    call()
    return time.process_time() - started


def compare(work: str, ours: Callable[[], object], peer: str, theirs: Callable[[], object], share: float = 1.0) -> None:
    """Print the speeds and their ratio; the peer works on a ``share`` of the numbers."""
    ours()
    theirs()
    times = np.array([(seconds(ours), seconds(theirs) / share) for _ in range(ROUNDS)])
    low, ratio, high = np.percentile(times[:, 1] / times[:, 0], (25, 50, 75))
    speed, peer_speed = COUNT / np.median(times, axis=0) / 1e6
    print(
        f"{work:28} {speed:7.1f} M/s   {peer:10} {peer_speed:7.1f} M/s   ratio {ratio:6.2f} ({low:.2f} … {high:.2f})",
        flush=True,
    )
    HISTORY.add(work, speed, "M/s")
    HISTORY.add(f"{work} / {peer}", ratio, "ratio")


def alone(work: str, ours: Callable[[], object]) -> None:
    """Print our speed where nobody else does the work."""
    ours()
    speeds = COUNT / np.array([seconds(ours) for _ in range(ROUNDS)]) / 1e6
    low, median, high = np.percentile(speeds, (25, 50, 75))
    print(f"{work:28} {median:7.1f} M/s   ({low:.1f} … {high:.1f})", flush=True)
    HISTORY.add(work, median, "M/s")


def products(generator: np.random.Generator) -> None:
    """Multiplication of random codes, NaNs and infinities included."""
    gfloat, apytypes = optional("gfloat"), optional("apytypes")
    small = COUNT // 20
    for name, (dtype, other) in FORMATS.items():
        fmt = golden.format(name)
        a, b = generator.integers(0, fmt.code_count, (2, COUNT)).astype(golden.code_dtype(fmt))
        x, y = a.view(dtype), b.view(dtype)
        peer = "numpy" if dtype is np.float16 else "ml_dtypes"
        compare(f"multiply {name}", lambda a=a, b=b, f=fmt: multiply(a, b, f, f), peer, lambda x=x, y=y: x * y)
        compare(f"add {name}", lambda a=a, b=b, f=fmt: add(a, b, f, f), peer, lambda x=x, y=y: x + y)
        if gfloat:
            info = getattr(importlib.import_module("gfloat.formats"), f"format_info_{other}")
            saturate = not fmt.has_nan

            def rounded(a=a[:small], b=b[:small], info=info, saturate=saturate, gfloat=gfloat) -> object:
                product = gfloat.decode_ndarray(info, a) * gfloat.decode_ndarray(info, b)
                return gfloat.encode_ndarray(info, gfloat.round_ndarray(info, product, sat=saturate))

            compare(f"multiply {name}", lambda a=a, b=b, f=fmt: multiply(a, b, f, f), "gfloat", rounded, small / COUNT)
        if apytypes and fmt.has_inf:
            left, right = (
                apytypes.APyFloatArray.from_bits(codes.tolist(), exp_bits=fmt.exp_bits, man_bits=fmt.frac_bits)
                for codes in (a[: small * 4], b[: small * 4])
            )
            compare(
                f"multiply {name}",
                lambda a=a, b=b, f=fmt: multiply(a, b, f, f),
                "apytypes",
                lambda left=left, right=right: left * right,
                small * 4 / COUNT,
            )
        alone(f"multiply {name} with flags", lambda a=a, b=b, f=fmt: multiply(a, b, f, f, flags=True))


def encodings(generator: np.random.Generator) -> None:
    """Encoding of normally distributed float32."""
    gfloat = optional("gfloat")
    x = generator.standard_normal(COUNT).astype(np.float32)
    small = COUNT // 20
    for name, (dtype, other) in FORMATS.items():
        work, fmt = f"encode float32 as {name}", golden.format(name)
        peer = "numpy" if dtype is np.float16 else "ml_dtypes"
        compare(work, lambda f=fmt: golden.encode(x, f), peer, lambda dtype=dtype: x.astype(dtype))
        if gfloat:
            info = getattr(importlib.import_module("gfloat.formats"), f"format_info_{other}")
            saturate = not fmt.has_nan

            def encoded(info=info, saturate=saturate, gfloat=gfloat) -> object:
                return gfloat.encode_ndarray(info, gfloat.round_ndarray(info, x[:small], sat=saturate))

            compare(work, lambda f=fmt: golden.encode(x, f), "gfloat", encoded, small / COUNT)


def blocks(generator: np.random.Generator) -> None:
    """Encoding of normally distributed float32 in blocks.

    gfloat's own function takes one block: its peer is NumPy for the scales and gfloat's array functions for elements.
    """
    gfloat = optional("gfloat")
    x = generator.standard_normal(COUNT).astype(np.float32)
    small = x[: COUNT // 16].reshape(-1, 32)
    for name, fmt in golden.BLOCK_FORMATS.items():
        work = f"encode float32 as {name}"
        other = BLOCK_ELEMENTS.get(name)
        if not (gfloat and other):
            alone(work, lambda f=fmt: golden.encode_blocks(x, f))
            continue
        info = getattr(importlib.import_module("gfloat.formats"), f"format_info_{other}")
        top = int(np.frexp(float(fmt.element.max))[1])

        def encoded(info=info, top=top, gfloat=gfloat) -> tuple[np.ndarray, np.ndarray]:
            exponent = np.frexp(np.abs(small).max(axis=1))[1] - top
            scaled = np.ldexp(small, -exponent[:, None])
            return exponent + 127, gfloat.encode_ndarray(info, gfloat.round_ndarray(info, scaled, sat=True))

        # gfloat knows no format whose most negative code is unused.
        for ours, theirs in zip(golden.encode_blocks(small, fmt, symmetric=False), encoded(), strict=True):
            np.testing.assert_array_equal(ours.reshape(theirs.shape), theirs)
        compare(work, lambda f=fmt: golden.encode_blocks(x, f), "gfloat", encoded, small.size / COUNT)


def steps(generator: np.random.Generator) -> None:
    """Accumulation steps: a · b + c rounded once to fp32."""
    c = generator.integers(0, 1 << 32, COUNT, dtype=np.uint32)
    for name in ("fp16", "bf16", "fp8_e4m3"):
        fmt = golden.format(name)
        a, b = generator.integers(0, fmt.code_count, (2, COUNT)).astype(golden.code_dtype(fmt))
        for rounding in ("rne", "rtz"):
            alone(
                f"fma {name} + fp32 {rounding}",
                lambda a=a, b=b, f=fmt, r=rounding: fma(a, b, c, f, f, "fp32", out="fp32", rounding=r),
            )


def main() -> None:
    """Print every comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_option(parser)
    HISTORY.file = parser.parse_args().history
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    versions = [f"Python {sys.version.split()[0]}"]
    for package in ("numpy", "numba", "ml_dtypes", "gfloat", "apytypes"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} not installed")
    print(", ".join(versions))
    print(
        f"{COUNT} numbers; median and quartiles of {ROUNDS} rounds, one core; a ratio above 1 means that ours is faster"
    )
    generator = np.random.default_rng(1)
    with np.errstate(all="ignore"):
        products(generator)
        encodings(generator)
        blocks(generator)
        steps(generator)


if __name__ == "__main__":
    main()
