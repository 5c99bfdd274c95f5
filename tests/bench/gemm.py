"""Speed and memory of matrix products on one core, beside NumPy, a plain Python loop and what else is installed.

Every line is a ratio of medians measured in turns in one run, with the spread (least … greatest) of the ratios of
neighbouring turns. Run as ``python tests/bench/gemm.py``.
"""

from __future__ import annotations

import os

# Before NumPy starts the BLAS's threads.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")

import argparse
import importlib.util
import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
from history import History, add_option

from polymac import golden
from polymac.golden.formats.accumulation import Aligned, Exact, Rounded
from polymac.golden.sums.gemm import gemm
from polymac.golden.sums.xnor import pack_bits, xnor_gemm

HISTORY = History("gemm")
ROUNDS = 7


def seconds(call: Callable[[], object]) -> float:
    """The time of one call: the processor's, which other processes disturb least."""
    started = time.process_time()
    call()
    return time.process_time() - started


def compare(name: str, ours: Callable[[], object], theirs: Callable[[], object], scale: float = 1) -> None:
    """Print how many times as long ``theirs``, times ``scale``, takes as ``ours``."""
    for call in (ours, theirs):
        call()
    turns = [(seconds(ours), seconds(theirs) * scale) for _ in range(ROUNDS)]
    mine, other = (statistics.median(column) for column in zip(*turns, strict=True))
    ratios = [theirs_s / ours_s for ours_s, theirs_s in turns]
    print(
        f"{name:60} {mine * 1e3:9.1f} ms, other {other * 1e3:11.1f} ms, ratio {other / mine:7.3g} "
        f"({min(ratios):.3g} … {max(ratios):.3g})"
    )
    HISTORY.add(name.partition(" / ")[0], mine * 1e3, "ms")
    HISTORY.add(name, other / mine, "ratio")


def fields(code: int) -> tuple[int, int, int]:
    """Sign, significand and exponent of a finite fp16 code."""
    exponent, fraction = code >> 10 & 31, code & 1023
    return code >> 15, fraction | (1024 if exponent else 0), (exponent or 1) - 15


def plain_block(a: list[int], b: list[int], acc: tuple[int, int, int]) -> tuple[int, int, int]:
    """One block of the H100's fp16 inner product as anyone would write it: F = 25, 24 significand bits out."""
    terms = [(*acc, 23)] if acc[1] else []
    for x, y in zip(a, b, strict=True):
        sign_a, significand_a, exponent_a = fields(x)
        sign_b, significand_b, exponent_b = fields(y)
        if significand_a and significand_b:
            terms.append((sign_a ^ sign_b, significand_a * significand_b, exponent_a + exponent_b, 20))
    if not terms:
        return 0, 0, 0
    largest = max(term[2] for term in terms)
    total = 0
    for sign, significand, exponent, frac_bits in terms:
        shift = 25 - frac_bits - (largest - exponent)
        aligned = significand << shift if shift >= 0 else significand >> -shift
        total += -aligned if sign else aligned
    size = abs(total)
    if not size:
        return 0, 0, 0
    down = size.bit_length() - 24
    return int(total < 0), size >> down if down >= 0 else size << -down, largest - 25 + down + 23


def plain_gemm(a: list[list[int]], columns: list[list[int]]) -> list[list[float]]:
    """The matrix product, element by element."""
    result = []
    for row in a:
        values = []
        for column in columns:
            acc = (0, 0, 0)
            for start in range(0, len(row), 16):
                acc = plain_block(row[start : start + 16], column[start : start + 16], acc)
            values.append((-1) ** acc[0] * acc[1] * 2.0 ** (acc[2] - 23))
        result.append(values)
    return result


def main() -> None:
    """Print the comparisons, then the peak memory of a large product."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_option(parser)
    HISTORY.file = parser.parse_args().history
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    generator = np.random.default_rng(1)
    print(f"one core, NumPy {np.__version__}, {ROUNDS} rounds")

    a, b = generator.integers(0, 256, (2, 1024, 1024), np.uint8)
    wide_a, wide_b = a.view(np.int8).astype(np.int32), b.view(np.int8).astype(np.int32)
    part = slice(0, 128)
    np.testing.assert_array_equal(gemm(a, b, "int8", "int8")[part], wide_a[part] @ wide_b)
    compare(
        "int8 1024³, exact / NumPy int32 matmul (128 rows, × 8)",
        lambda: gemm(a, b, "int8", "int8"),
        lambda: wide_a[part] @ wide_b,
        8,
    )
    bits_a, bits_b = a & 1, b & 1
    words_a, words_b = pack_bits(bits_a), pack_bits(bits_b.T)
    compare(
        "bin1 1024³, packed XNOR / exact integers",
        lambda: xnor_gemm(words_a, words_b, 1024),
        lambda: gemm(bits_a, bits_b, "bin1", "bin1"),
    )

    fp16 = golden.format("fp16")
    x, y = golden.encode(generator.standard_normal((2, 256, 256)), fp16)
    h100 = Aligned(16, 25)
    rows, columns = x[:2].tolist(), y.T.tolist()
    found = golden.decode(gemm(x, y, "fp16", "fp16", acc=h100), "fp32")
    np.testing.assert_array_equal(found[:2], plain_gemm(rows, columns))
    compare(
        "fp16 256³, aligned (H100) / plain Python loop (2 rows, × 128)",
        lambda: gemm(x, y, "fp16", "fp16", acc=h100),
        lambda: plain_gemm(rows, columns),
        128,
    )
    for name in ("fp16", "bf16", "fp8_e4m3", "fp32"):
        fmt = golden.format(name)
        left, right = golden.encode(generator.standard_normal((2, 256, 256)), fmt)
        reals = golden.decode(left, fmt), golden.decode(right, fmt)
        for style in (Exact(), Rounded("fp32")):
            if (name, style) != ("fp32", Rounded("fp32")):
                compare(
                    f"{name} 256³, {style.__class__.__name__} / float64 matmul",
                    lambda left=left, right=right, fmt=fmt, style=style: gemm(left, right, fmt, fmt, acc=style),
                    lambda reals=reals: reals[0] @ reals[1],
                )
    if importlib.util.find_spec("torch"):
        torch = importlib.import_module("torch")

        torch.set_num_threads(1)
        tensors = torch.from_numpy(x.view(np.float16)), torch.from_numpy(y.view(np.float16))
        compare(
            f"fp16 256³, aligned (H100) / torch {torch.__version__} fp16 matmul",
            lambda: gemm(x, y, "fp16", "fp16", acc=h100),
            lambda: tensors[0] @ tensors[1],
        )

    a, b = generator.integers(0, 256, (2, 4096, 4096), np.uint8)
    tracemalloc.start()
    started = time.process_time()
    result = gemm(a, b, "int8", "int8")
    elapsed = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    print(
        f"int8 4096³ in {elapsed:.1f} s, peak memory beyond the operands {peak / 2**20:.0f} MiB, "
        f"of which the int64 result is {result.nbytes / 2**20:.0f} MiB"
    )
    HISTORY.add("int8 4096³, exact", elapsed * 1e3, "ms")
    HISTORY.add("int8 4096³, exact, memory", peak / 2**20, "MiB")


if __name__ == "__main__":
    main()
