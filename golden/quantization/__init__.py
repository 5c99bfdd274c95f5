"""From tensors of real numbers to quantized ones: scales, zero points, calibration, requantization, a small network."""
