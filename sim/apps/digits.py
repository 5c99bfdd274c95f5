"""scikit-learn's handwritten digits on the generated array: a network in any format, bit for bit as golden computes it."""

from __future__ import annotations

import math
import time
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import golden, hdl
from ...golden.formats import BlockFormat, Format, ParameterError, fixed_point
from ...hdl.emit.design import write_files
from ..engine.native import Model
from .cast import cast_mlp, forward
from .gemm import gemm, golden_gemm

#: Called with what is being done, how much of it is done and how much there is.
Stage = Callable[[str, int, int], None]

HIDDEN = 64
CALIBRATION_ROWS = 256
#: Rows and columns of the array: with floating-point additions, more of them take minutes to compile for simulation.
SIDE, FLOAT_SIDE = 16, 4
#: Bits of a weight that goes with a requantizer: in units of wider ones' products a bias may not fit its 32 bits.
WIDEST = 8
#: Products that an element of an array of block formats adds at once, where the size of the blocks allows it.
BLOCK_LANES = 4
#: Bits by which the default accumulator is wider than a product.
ACC_GROWTH = 16


@dataclass(frozen=True)
class DigitsResult:
    """Accuracies on the held-out half, and what the hardware did.

    ``results_compared`` counts accumulators and requantized codes, ``mismatches`` those that differ from golden.
    ``utilization`` is useful products over those that the array could have formed.
    """

    format: str
    test_rows: int
    accuracy_float: float
    accuracy_golden: float
    accuracy_rtl: float
    results_compared: int
    mismatches: int
    cycles: int
    utilization: float
    seconds: float
    simulator: str
    seed: int
    weights: str
    verilog: list[Path]


def train(seed: int) -> tuple[golden.FloatMlp, NDArray[Any], NDArray[Any], NDArray[Any]]:
    """A 64-64-10 MLP trained on half of the digits; with it a calibration part of that half, and the other half.

    Raises
    ------
    ParameterError
        scikit-learn is not installed.
    """
    try:
        # Only here: polymac is installed without it unless the extra "digits" is asked for.
        from sklearn.datasets import load_digits
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.model_selection import train_test_split
        from sklearn.neural_network import MLPClassifier
    except ModuleNotFoundError:
        raise ParameterError(
            "digits must be left out where scikit-learn is not installed (pip install 'polymac[digits]')"
        ) from None
    images, labels = load_digits(return_X_y=True)
    halves = train_test_split(images / 16.0, labels, test_size=0.5, random_state=seed)
    train_x, test_x, train_y, test_y = map(np.asarray, halves)
    network = MLPClassifier((HIDDEN,), max_iter=150, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of passes is fixed, for reproducible weights
        network.fit(train_x, train_y)
    pairs = zip(network.coefs_, network.intercepts_, strict=True)
    mlp = golden.FloatMlp(tuple(golden.FloatLayer(weight, bias) for weight, bias in pairs))
    return mlp, train_x[:CALIBRATION_ROWS], test_x, test_y


def run(
    *,
    format: str = "int8",
    rows: int | None = None,
    cols: int | None = None,
    seed: int = 0,
    folder: Path = Path("build"),
    force: bool = False,
    progress: Stage | None = None,
) -> DigitsResult:
    """Train, quantize, generate an array and a requantizer, and run the held-out half through them.

    Parameters
    ----------
    format : str
        Of activations and weights, scalar or block. Signed integers of at most ``WIDEST`` bits stay integers from layer
        to layer, by a requantizer; all others as :mod:`.cast` says.
    rows, cols : int, optional
        Shape of the array; default: ``SIDE`` for integers, ``FLOAT_SIDE`` for all else.
    seed : int
        Of the split and of the training.
    folder : Path
        Where the Verilog is left. The same format and shape give the same files, which may be there already.
    force : bool
        Replace files of those names that hold other bytes.
    progress : callable, optional
        Called with the name of each stage.

    Raises
    ------
    ParameterError
        No such format, a size out of range, scikit-learn is not installed, a folder that cannot be written to,
        or a file there with other bytes while ``force`` is not given.
    """

    def tell(stage: str, done: int) -> None:
        if progress is not None:
            progress(stage, done, 4)

    started = time.perf_counter()
    fmt = golden.any_format(format)
    side = SIDE if isinstance(fmt, golden.Format) and fmt.kind != "float" else FLOAT_SIDE
    rows, cols = side if rows is None else rows, side if cols is None else cols
    unit = array_for(fmt, rows, cols)
    parts: dict[str, hdl.Unit] = {"digits_array": unit}
    if takes_requantizer(fmt):
        parts["digits_requantizer"] = hdl.Requantizer(acc="int32", out=fmt.name, relu=True)
    tell("training", 0)
    mlp, calibration, x, labels = train(seed)
    tell("generating and compiling the array", 1)
    command = f"polymac run digits --format {format} --rows {rows} --cols {cols}"
    designs = [hdl.generate(part, name, command=command) for name, part in parts.items()]
    written = _write(folder, designs, force)
    models = [Model.build(design) for design in designs]
    tell("simulating", 2)
    network = _Network(unit, models, mlp, calibration)
    expected = network.golden(x)
    logits = network.hardware(x)
    tell("comparing", 3)

    def accuracy(outputs: NDArray[Any]) -> float:
        return float((outputs.argmax(axis=1) == labels).mean())

    result = DigitsResult(
        format=fmt.name,
        test_rows=len(labels),
        accuracy_float=accuracy(golden.forward_float(mlp, x)),
        accuracy_golden=accuracy(expected),
        accuracy_rtl=accuracy(logits),
        results_compared=network.compared,
        mismatches=network.mismatches,
        cycles=network.cycles,
        utilization=network.products / (network.cycles * rows * cols * unit.accumulator.lanes),
        seconds=time.perf_counter() - started,
        simulator=f"{models[0].simulator}, native",
        seed=seed,
        weights=f"64-{HIDDEN}-10 MLP, trained in this run with seed {seed}",
        verilog=written,
    )
    tell("done", 4)
    return result


def takes_requantizer(fmt: Format | BlockFormat) -> bool:
    """Whether activations are integers from layer to layer; else their sums are decoded, and cast again."""
    return isinstance(fmt, Format) and fmt.kind == "fixed" and fmt.signed and not fmt.frac_bits and fmt.width <= WIDEST


def array_for(fmt: Format | BlockFormat, rows: int, cols: int) -> hdl.Array:
    """The array for operands of this format: the default accumulator, or the widest where that would be too wide."""
    lanes = math.gcd(fmt.block_size, BLOCK_LANES) if isinstance(fmt, BlockFormat) else 1
    acc = None
    if isinstance(fmt, Format) and fmt.kind == "fixed" and 2 * fmt.width + ACC_GROWTH > 64:
        acc = fixed_point(64, 2 * fmt.frac_bits, fmt.signed).name
    return hdl.Array(a=fmt, b=fmt, rows=rows, cols=cols, lanes=lanes, acc=acc)


class _Network:
    """The network in the format of an array, computed by the golden model and by the hardware, which are compared."""

    def __init__(
        self, unit: hdl.Array, models: list[Model], mlp: golden.FloatMlp, calibration: NDArray[np.float64]
    ) -> None:
        self.unit, self.models = unit, models
        self.compared = self.mismatches = self.cycles = self.products = 0
        self._expected: deque[NDArray[Any]] = deque()
        element = unit.accumulator.a_element
        self.integers = golden.quantize_mlp(mlp, calibration, element, element) if len(models) > 1 else None
        self.cast = None if self.integers else cast_mlp(mlp, calibration, unit.accumulator.a)

    def golden(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logits by the golden model, whose every result is kept."""

        def keep(codes: NDArray[Any]) -> NDArray[Any]:
            self._expected.append(codes)
            return codes

        if self.cast:
            return forward(self.cast, x, lambda a, b: self._decoded(keep(golden_gemm(self.unit, a, b))))
        assert self.integers
        fmt = self.integers.activation
        return golden.forward(
            self.integers,
            x,
            gemm=lambda a, b: golden.to_int(keep(golden_gemm(self.unit, a, b)), self.unit.accumulator.out),
            requantize=lambda acc, bias, multiplier, shift, zero_point, relu: keep(
                golden.rescale(acc + bias, multiplier, shift, zero_point, fmt, relu=relu)
            ),
        )

    def hardware(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Logits by the hardware; each result is compared with the golden one."""
        if self.cast:
            return forward(self.cast, x, lambda a, b: self._decoded(self._gemm(a, b)))
        assert self.integers
        return golden.forward(
            self.integers,
            x,
            gemm=lambda a, b: golden.to_int(self._gemm(a, b), self.unit.accumulator.out),
            requantize=self._requantize,
        )

    def _decoded(self, codes: NDArray[Any]) -> NDArray[np.float64]:
        return golden.decode(codes, self.unit.accumulator.out)

    def _compare(self, codes: NDArray[Any]) -> NDArray[Any]:
        self.compared += codes.size
        self.mismatches += int((codes != self._expected.popleft()).sum())
        return codes

    def _gemm(self, a: Any, b: Any) -> NDArray[Any]:
        done = gemm(self.unit, a, b, model=self.models[0])
        self.cycles += done.cycles
        self.products += round(
            done.utilization * done.cycles * self.unit.rows * self.unit.cols * self.unit.accumulator.lanes
        )
        return self._compare(done.c)

    def _requantize(
        self,
        acc: NDArray[Any],
        bias: NDArray[Any],
        multiplier: NDArray[Any],
        shift: NDArray[Any],
        zero_point: int,
        relu: bool,
    ) -> NDArray[Any]:
        assert self.integers
        # Beyond 63 places a shift of a 32-bit accumulator gives 0 as 63 does.
        columns = {"bias": golden.from_int(bias, "int32"), "multiplier": multiplier, "shift": np.minimum(shift, 63)}
        inputs = {name: np.broadcast_to(values, acc.shape).ravel() for name, values in columns.items()}
        inputs["acc"] = golden.from_int(acc, "int32").ravel()
        zero = golden.from_int(np.array([zero_point]), self.integers.activation)
        inputs["zero_point"] = np.broadcast_to(zero, acc.size)
        return self._compare(self.models[1].evaluate(inputs)["y"].reshape(acc.shape))


def _write(folder: Path, designs: list[hdl.Design], force: bool) -> list[Path]:
    """Write the designs' files, all or none; files that are there with the same bytes are no obstacle."""
    files = {name: text for design in designs for name, text in design.files.items()}
    there = [folder / name for name in files if (folder / name).exists()]
    same = all(path.is_file() and path.read_bytes() == files[path.name].encode() for path in there)
    return write_files(folder, files, force=force or same)
