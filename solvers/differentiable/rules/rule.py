"""What a gradient rule is (docs/papers/surco.md#3.2)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from solvers.differentiable.calls import OracleCalls


class Rule(ABC):
    """dloss/dcosts, where x = g(costs) and dloss/dx are known. A rule remembers nothing.

    All randomness comes from ``rngs``, a generator per row, so that a batch is the same as its rows one by one.
    """

    @abstractmethod
    def gradient(
        self,
        costs: Float[np.ndarray, "batch variables"],
        x: Float[np.ndarray, "batch variables"],
        slopes: Float[np.ndarray, "batch variables"],
        oracle: OracleCalls,
        rngs: Sequence[np.random.Generator],
    ) -> Float[np.ndarray, "batch variables"]:
        """The gradient for each row; ``slopes`` is dloss/dx at ``x``, the oracle's answer to ``costs``."""
