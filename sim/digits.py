"""scikit-learn's handwritten digits on the generated array: a quantized network, bit for bit as golden computes it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from .. import golden, hdl
from ..golden.formats import ParameterError
from ..hdl.emit import write_files
from .gemm import gemm
from .native import Model

#: Called with what is being done, how much of it is done and how much there is.
Stage = Callable[[str, int, int], None]

HIDDEN = 64
CALIBRATION_ROWS = 256
#: Bits of a weight: in units of wider ones' products a bias may not fit the requantizer's 32 bits.
WIDEST = 8


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
    """A 64-64-10 MLP trained on half of the digits; with it a calibration part of that half, and the other half."""
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
    rows: int = 16,
    cols: int = 16,
    seed: int = 0,
    folder: Path = Path("build"),
    force: bool = False,
    progress: Stage | None = None,
) -> DigitsResult:
    """Train, quantize, generate an array and a requantizer, and run the held-out half through them.

    Parameters
    ----------
    format : str
        Signed integer format of activations and weights, of at most ``WIDEST`` bits.
    rows, cols : int
        Shape of the array.
    seed : int
        Of the split and of the training.
    folder : Path
        Where the Verilog is left. The same format and shape give the same files, which may be there already.
    force : bool
        Replace files of those names that hold other bytes.
    progress : callable, optional
        Told of each stage.

    Raises
    ------
    ParameterError
        A format that the array or the network cannot use, a size out of range, a folder that cannot be written to,
        or a file there with other bytes while ``force`` is not given.
    """

    def tell(stage: str, done: int) -> None:
        if progress is not None:
            progress(stage, done, 4)

    started = time.perf_counter()
    fmt = golden.format(format)
    if fmt.kind != "fixed" or not fmt.signed or fmt.frac_bits or fmt.width > WIDEST:
        raise ParameterError(f"format must be a signed integer format of at most {WIDEST} bits, not {fmt.name}")
    unit = hdl.Array(a=format, b=format, rows=rows, cols=cols)
    requantizer = hdl.Requantizer(acc="int32", out=format, relu=True)
    tell("training", 0)
    mlp, calibration, x, labels = train(seed)
    network = golden.quantize_mlp(mlp, calibration, format, format)
    tell("generating and compiling the array", 1)
    command = f"polymac run digits --format {format} --rows {rows} --cols {cols}"
    named = {"digits_array": unit, "digits_requantizer": requantizer}
    designs = [hdl.generate(part, name, command=command) for name, part in named.items()]
    written = _write(folder, designs, force)
    array_model, requantizer_model = (Model.build(design) for design in designs)
    tell("simulating", 2)
    seen = {"compared": 0, "mismatches": 0, "cycles": 0, "products": 0}

    def compare(hardware: NDArray[Any], reference: NDArray[Any]) -> NDArray[Any]:
        seen["compared"] += hardware.size
        seen["mismatches"] += int((hardware != reference).sum())
        return hardware

    def rtl_gemm(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        done = gemm(unit, array_model, a, b)
        seen["cycles"] += done.cycles
        seen["products"] += a.shape[0] * a.shape[1] * b.shape[1]
        return compare(done.c, np.asarray(golden.gemm(a, b, network.activation, network.weight)))

    def rtl_requantize(
        acc: NDArray[Any],
        bias: NDArray[Any],
        multiplier: NDArray[Any],
        shift: NDArray[Any],
        zero_point: int,
        relu: bool,
    ) -> NDArray[Any]:
        # Beyond 63 places a shift of a 32-bit accumulator gives 0 as 63 does.
        columns = {"bias": golden.from_int(bias, "int32"), "multiplier": multiplier, "shift": np.minimum(shift, 63)}
        inputs = {name: np.broadcast_to(values, acc.shape).ravel() for name, values in columns.items()}
        inputs["acc"] = golden.from_int(acc, "int32").ravel()
        inputs["zero_point"] = np.broadcast_to(golden.from_int(np.array([zero_point]), network.activation), acc.size)
        codes = requantizer_model.evaluate(inputs)["y"].reshape(acc.shape)
        return compare(codes, golden.rescale(acc + bias, multiplier, shift, zero_point, network.activation, relu=relu))

    logits = golden.forward(network, x, gemm=rtl_gemm, requantize=rtl_requantize)
    tell("comparing", 3)

    def accuracy(outputs: NDArray[Any]) -> float:
        return float((outputs.argmax(axis=1) == labels).mean())

    result = DigitsResult(
        format=format,
        test_rows=len(labels),
        accuracy_float=accuracy(golden.forward_float(mlp, x)),
        accuracy_golden=accuracy(golden.forward(network, x)),
        accuracy_rtl=accuracy(logits),
        results_compared=seen["compared"],
        mismatches=seen["mismatches"],
        cycles=seen["cycles"],
        utilization=seen["products"] / (seen["cycles"] * rows * cols),
        seconds=time.perf_counter() - started,
        simulator=f"{array_model.simulator}, native",
        seed=seed,
        weights=f"64-{HIDDEN}-10 MLP, trained in this run with seed {seed}",
        verilog=written,
    )
    tell("done", 4)
    return result


def _write(folder: Path, designs: list[hdl.Design], force: bool) -> list[Path]:
    """Write the designs' files, all or none; files that are there with the same bytes are no obstacle."""
    files = {name: text for design in designs for name, text in design.files.items()}
    there = [folder / name for name in files if (folder / name).exists()]
    same = all(path.is_file() and path.read_bytes() == files[path.name].encode() for path in there)
    return write_files(folder, files, force=force or same)
