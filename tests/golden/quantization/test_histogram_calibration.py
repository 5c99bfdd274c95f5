"""Calibration by percentile, mean square error and entropy, against definitions in plain Python."""

from fractions import Fraction

import numpy as np
import pytest

from polymac import golden
from polymac.golden import Entropy, MeanSquareError, MinMax, ParameterError, Percentile
from polymac.golden.quantization.entropy import VARIANTS, Variant, entropy_bins


@pytest.mark.parametrize("percentile", [50, 90.0, 99.9, 100])
def test_percentile(percentile, rng):
    x = np.concatenate([rng.standard_t(3, 3000), np.zeros(500), [-40.0, 90.0, 100.0]])
    calibration = Percentile(percentile)
    for batch in np.split(x, [100, 2000]):
        calibration.update(batch)
    width = calibration._histograms[0].limit / 2048
    allowed = (100 - Fraction(str(percentile))) / 100 * len(x)
    magnitudes = sorted(np.abs(x).tolist())
    threshold = magnitudes[-1 - int(allowed)]
    bound = float(calibration.scale("int8")) * 127
    assert threshold * (1 - 1e-12) <= bound <= threshold + width
    ordered = sorted(x.tolist())
    least, greatest = ordered[int(allowed / 2)], ordered[-1 - int(allowed / 2)]
    found = calibration.quantization("int16")
    reach = float(found.scale) * 65535
    assert greatest - least <= reach * (1 + 1e-12) <= (greatest - least + 2 * width) * (1 + 1e-9)
    assert -float(found.scale) * (int(found.zero_point) + 32768) == pytest.approx(least, abs=width + 2 * reach / 65535)


def test_percentile_of_few_numbers_is_exact_in_the_decimal():
    # 99.9 percent of 1000 numbers are 999 of them, though 1000 * 99.9 / 100 is not 999 in float64.
    x = np.r_[np.ones(999), 100.0]
    assert float(Percentile(99.9).update(x).scale("int8")) * 127 < 1.1
    assert float(Percentile(99.91).update(x).scale("int8")) * 127 == pytest.approx(100)


@pytest.mark.parametrize("name", ["int8", "int4", "uint4", "int2", "fp4_e2m1", "fp8_e4m3"])
def test_mean_square_error_is_nearly_the_least(name, rng):
    fmt = golden.format(name)
    x = rng.standard_t(3, 4000) + (0 if fmt.signed else 1.0)
    calibration = MeanSquareError().update(x[:10]).update(x[10:])

    def error(scale, zero_point):
        if fmt.kind == "float":
            back = golden.decode(golden.encode(x / scale, fmt, overflow="saturate"), fmt) * scale
        else:
            back = golden.dequantize(golden.quantize(x, scale, zero_point, fmt), scale, zero_point, fmt)
        return float(((back - x) ** 2).mean())

    def of(data):
        whole = MinMax().update(data)
        if fmt.kind == "float":
            return whole.scale(fmt), 0
        found = whole.quantization(fmt)
        return found.scale, found.zero_point

    amax = float(np.abs(x).max())
    errors = [error(*of(np.clip(x, -bound, bound))) for bound in amax * np.arange(1, 257) / 256]
    if fmt.kind == "float":
        found = error(calibration.scale(fmt), 0)
    else:
        quantization = calibration.quantization(fmt)
        found = error(quantization.scale, quantization.zero_point)
    # The histogram's bins blur it a little.
    assert found <= min(errors) * 1.02
    if fmt.width <= 4:
        assert found < errors[-1] * 0.9


def test_mean_square_error_symmetric(rng):
    x = rng.laplace(0, 1, 5000)
    amax = float(np.abs(x).max())
    errors = {}
    for bound in amax * np.arange(1, 257) / 256:
        back = np.clip(np.rint(x / (bound / 7)), -7, 7) * (bound / 7)
        errors[bound] = ((back - x) ** 2).mean()
    found = float(MeanSquareError().update(x).scale("int4")) * 7
    assert errors[min(errors, key=lambda bound: abs(bound - found))] <= min(errors.values()) * 1.02


def test_entropy_ranges(rng):
    x = rng.standard_t(3, 20000)
    calibration = Entropy().update(x)
    amax = float(np.abs(x).max())
    edges = amax * np.arange(2049) / 2048
    counts = np.bincount(np.ceil(np.abs(x) / amax * 2048).astype(int) - 1, minlength=2048)
    clipped = edges[entropy_bins(counts, levels=128)]
    assert float(calibration.scale("int8")) == pytest.approx(clipped / 127, rel=1e-12)
    assert clipped < 0.9 * amax
    found = calibration.quantization("int8")
    reach = min(x.max(), clipped) - max(x.min(), -clipped)
    assert float(found.scale) == pytest.approx(reach / 255, rel=1e-12)
    # Data of one sign use all the codes: twice the levels.
    positive = Entropy().update(np.abs(x))
    clipped = edges[entropy_bins(counts, levels=256)]
    for name in ("int8", "uint8"):
        assert float(positive.quantization(name).scale) == pytest.approx(clipped / 255, rel=1e-12)
    assert float(positive.scale("int8")) == calibration.scale("int8")
    # A wide format has more levels than there are bins.
    clipped = edges[entropy_bins(counts, levels=2048)]
    assert float(positive.quantization("int32").scale) * (2**32 - 1) == pytest.approx(clipped, rel=1e-12)


def test_entropy_hands_its_variant_on(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "polymac.golden.quantization.histogram_calibration.entropy_bins",
        lambda counts, **details: seen.append(details) or 512,
    )
    own = Variant(first_bin="copy", ties="first")
    assert float(Entropy(own, bins=1024, start=200).update([-5.0, 8.0]).scale("int4")) == 4 / 7
    Entropy("modelopt").update([-5.0, 8.0]).quantization("int8")
    Entropy().update([-5.0, 8.0]).quantization("int8")
    assert seen == [
        {"levels": 8, "start": 200, "variant": own},
        {"levels": 128, "start": 128, "variant": VARIANTS["modelopt"]},
        {"levels": 128, "start": 128, "variant": VARIANTS["tensorrt"]},
    ]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Percentile(0.0), ParameterError, "percentile must be above 0 and at most 100, not 0.0"),
        (lambda: Percentile(100.5), ParameterError, "percentile must be above 0 and at most 100, not 100.5"),
        (lambda: Percentile(None), TypeError, "percentile must be a real number, not None"),  # pyright: ignore[reportArgumentType]
        (lambda: Percentile(bins=1000), ParameterError, "bins must be a power of two, not 1000"),
        (lambda: MeanSquareError(bins=2.0), TypeError, "bins must be an integer, not 2.0"),  # pyright: ignore[reportArgumentType]
        (lambda: MeanSquareError(candidates=0), ParameterError, "candidates must be at least 1, not 0"),
        (lambda: Entropy(start=2048), ParameterError, "start must be in 2 … 2047, not 2048"),
        (lambda: Entropy("nvidia"), ParameterError, "variant must be one of tensorrt, modelopt, not 'nvidia'"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


@pytest.mark.parametrize("exponent", [-1000, -600, 600, 1000])
@pytest.mark.parametrize("fmt", ["int4", "fp4_e2m1"])
def test_mean_square_errors_whose_squares_float64_cannot_hold(exponent, fmt):
    x = np.random.default_rng(1).standard_normal(200)
    found = [golden.MeanSquareError(candidates=64).update(np.ldexp(x, power)).scale(fmt) for power in (0, exponent)]
    assert found[1] == np.ldexp(found[0], exponent)
    assert found[0] < 0.9 * golden.MinMax().update(x).scale(fmt)
