"""The live model's last layer: multinomial logistic regression on feature vectors, fitted while
somebody waits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Vectors = NDArray[np.float32]

# Strength of the penalty on squared weights of standardised features.
PENALTY = 1e-2
# The solver stops early: few strokes fit anything, and more steps only make the model believe in
# accidents (on photos of VOC, mean IoU .42 after 8 steps and .36 after 60).
STEPS = 6
_SPREAD = 1e-3


@dataclass(frozen=True, eq=False)
class Head:
    """Weights (D, C) and bias (C,) on raw features, and the class keys of the columns.

    Its confidence is that of logits divided by `temperature`.
    """

    weights: Vectors
    bias: Vectors
    keys: tuple[int, ...]
    temperature: float = 1.0

    def logits(self, vectors: NDArray[Any]) -> Vectors:
        """(N, D) to (N, C), by the temperature."""
        scores: Vectors = vectors.astype(np.float32) @ self.weights + self.bias
        return scores / np.float32(self.temperature)


def fit_head(
    vectors: Vectors,
    labels: NDArray[np.intp],
    weights: Vectors,
    keys: tuple[int, ...],
    scales: Vectors | None = None,
) -> Head:
    """The head that gives vectors (N, D) their labels (N,), columns of `keys`; weights (N,).

    scales: how much each feature counts beside the others, (D,). The same input gives the same
    head, whatever came before.
    """
    mean = vectors.mean(axis=0)
    factors = (1 if scales is None else scales) / (vectors.std(axis=0) + _SPREAD)
    inputs = ((vectors - mean) * factors).astype(np.float32)
    solution = _minimize(
        _objective(inputs, labels, weights / weights.sum()), inputs.shape[1], len(keys)
    )
    scaled = (solution[:-1] * factors[:, None]).astype(np.float32)
    return Head(scaled, solution[-1] - mean @ scaled, keys)


Objective = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]


def _objective(inputs: Vectors, labels: NDArray[np.intp], weights: Vectors) -> Objective:
    """The penalised cross-entropy and its gradient, of all parameters in a row."""
    rows = np.arange(len(labels))

    def evaluate(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters = flat.reshape(inputs.shape[1] + 1, -1).astype(np.float32)
        logits = inputs @ parameters[:-1] + parameters[-1]  # (N, C)
        logits -= logits.max(axis=1, keepdims=True)
        powers = np.exp(logits)
        total = powers.sum(axis=1)
        loss = weights @ (np.log(total) - logits[rows, labels])
        loss += PENALTY / 2 * float((parameters[:-1] ** 2).sum())
        error = powers / total[:, None]
        error[rows, labels] -= 1
        error *= weights[:, None]
        gradient = np.concatenate([inputs.T @ error, error.sum(axis=0)[None]])
        gradient[:-1] += PENALTY * parameters[:-1]
        return float(loss), gradient.ravel().astype(np.float64)

    return evaluate


def _minimize(evaluate: Objective, features: int, classes: int) -> Vectors:
    """Parameters (features + 1, classes) after STEPS steps from nought."""
    result = minimize(
        evaluate,
        np.zeros((features + 1) * classes),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": STEPS},
    )
    solution: Vectors = result.x.reshape(features + 1, classes).astype(np.float32)
    return solution


def find_temperature(logits: Vectors, labels: NDArray[np.intp], weights: Vectors) -> float:
    """What logits (N, C) are to be divided by so that their softmax is right as often as it says,
    for vectors that the head was not fitted on.
    """
    rows = np.arange(len(labels))
    total = float(weights.sum())

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        entropy = np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, labels]
        return float(weights @ entropy) / total

    choices = np.geomspace(0.25, 8, 26)
    return float(min(choices, key=loss))
