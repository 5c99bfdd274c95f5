"""A network of two layers, trained here by least squares, quantized to int8, its products by a simulated array."""

import numpy as np

from polymac import golden, hdl, sim

# Which of two rings a point lies in: a random hidden layer, and an output layer fitted to it.
generator = np.random.default_rng(0)
points = generator.uniform(-1, 1, (600, 2))
inside = np.hypot(*points.T) < 0.7
hidden = golden.FloatLayer(generator.normal(size=(2, 32)), generator.normal(size=32))
features = np.c_[np.maximum(points @ hidden.weight + hidden.bias, 0), np.ones(len(points))]
fitted = np.linalg.lstsq(features[:300], np.c_[~inside, inside][:300], rcond=None)[0]
mlp = golden.FloatMlp((hidden, golden.FloatLayer(fitted[:-1], fitted[-1])))

quantized = golden.quantize_mlp(mlp, points[:300])
array = hdl.Array(a="int8", b="int8", acc="int32", rows=4, cols=4)
by_numpy = golden.forward(quantized, points[300:])
by_array = golden.forward(quantized, points[300:], gemm=lambda a, b: golden.to_int(sim.gemm(array, a, b).c, "int32"))
for name, logits in ("float64", golden.forward_float(mlp, points[300:])), ("int8", by_numpy), ("array", by_array):
    print(f"{name:8}{np.mean(logits.argmax(axis=1) == inside[300:]):.1%}")
print("every logit of the array is golden's:", np.array_equal(by_numpy, by_array))
